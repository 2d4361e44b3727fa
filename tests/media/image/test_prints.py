"""What printers and lightboxes want of a file: dots per inch, colour profiles, tiles."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from phosphene.errors import OutputError, SettingError
from phosphene.media import image as media


def colours() -> torch.Tensor:
    """Colours well within the range, so that conversions lose nothing."""
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(3)) * 0.5 + 0.25
    return torch.nn.functional.interpolate(coarse, (60, 90), mode="bilinear")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
def test_dots_per_inch_are_kept(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    media.write_image(path, colours(), dpi=200, recipe="{}")
    with Image.open(path) as file:
        dpi = file.info.get("dpi") or (file.getexif()[282], file.getexif()[283])
    assert dpi == pytest.approx((200, 200), abs=0.01)
    assert media.read_recipe_text(path) == "{}"


@pytest.mark.parametrize("profile", media.PROFILES)
@pytest.mark.parametrize(("suffix", "depth"), [(".tif", 16), (".png", 8), (".jpg", 8)])
def test_colours_are_converted_and_tagged(profile: str, suffix: str, depth: int, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    media.write_image(path, colours(), depth=depth, profile=profile)
    with Image.open(path) as file:
        embedded = ImageCms.getOpenProfile(io.BytesIO(file.info["icc_profile"]))
        assert file.size == (90, 60)
    name = ImageCms.getProfileDescription(embedded)
    assert {"srgb": "sRGB", "p3": "P3", "adobergb": "Adobe RGB (1998) compatible"}[profile] in name
    tolerance = 0.004 if depth == 16 else 0.012 if suffix == ".png" else 0.05
    assert (media.read_image(path).image - colours()).abs().max() < tolerance


def test_adobe_rgb_is_the_published_one(tmp_path: Path) -> None:
    """A grey has the gamma of 563/256; pure sRGB green is inside, not at the edge, of the wider space."""
    image = torch.tensor([[0.5, 0.5, 0.5], [0.0, 1.0, 0.0]]).T.reshape(1, 3, 1, 2)
    media.write_image(tmp_path / "a.tif", image, depth=16, profile="adobergb")
    grey, green = tifffile.imread(tmp_path / "a.tif")[0] / 65_535
    linear = ((0.5 + 0.055) / 1.055) ** 2.4
    assert grey == pytest.approx([linear ** (256 / 563)] * 3, abs=1e-3)
    assert green[0] == pytest.approx(0.281 ** (256 / 563), abs=0.01)


def test_a_picture_on_the_disk_is_written_on_its_sheet(tmp_path: Path) -> None:
    planes = colours()[0].numpy()
    storage = media.Storage(depth=16, dpi=150, pyramid=True, recipe="{}")
    media.write_planes(tmp_path / "a.tif", planes, storage, sheet=(700, 800), at=(20, 30))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        assert page.is_tiled
        assert page.subifds
        samples = page.asarray()
    assert samples.shape == (700, 800, 3)
    assert np.abs(samples[20:80, 30:120] / 65_535 - planes.transpose(1, 2, 0)).max() < 1e-5
    assert (samples[:20] == 65_535).all()
    assert media.read_recipe_text(tmp_path / "a.tif") == "{}"


def test_deep_zoom_is_a_folder_with_a_page_that_needs_no_network(tmp_path: Path) -> None:
    path = tmp_path / "a.dz"
    for _ in range(2):  # it is replaced, too
        media.write_image(path, colours(), recipe='{"kind": 1}')
    assert [each.name for each in tmp_path.iterdir()] == ["a.dz"]
    page = (path / "index.html").read_text()
    assert '"90"' in page
    assert not re.search(r"src=.?https?:", page)
    for name in re.findall(r'src="([^"]+)"', page):
        assert (path / name).is_file()
    level = max(int(each.name) for each in (path / "picture_files").iterdir() if each.name.isdecimal())
    with Image.open(path / "picture_files" / str(level) / "0_0.jpg") as tile:
        assert tile.size == (90, 60)
    assert media.read_recipe_text(path) == '{"kind": 1}'


def test_a_folder_of_the_users_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.dz").mkdir()
    (tmp_path / "a.dz" / "diary.txt").touch()
    with pytest.raises(OutputError, match="in the way"):
        media.check_writable(tmp_path / "a.dz")
    with pytest.raises(OutputError, match="in the way"):
        media.write_image(tmp_path / "a.dz", colours())
    assert (tmp_path / "a.dz" / "diary.txt").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_formats_that_are_encoded_in_memory_refuse_what_is_too_large() -> None:
    with pytest.raises(SettingError, match=r"WebP files are encoded in memory.*name the output \.png, \.jpg, \.tif or"):
        media.check_large("a.webp", 8, (12_000, 12_000))
