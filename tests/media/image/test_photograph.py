"""Pictures from memory: PIL, NumPy, torch, and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from phosphene.errors import ImageError, SettingError
from phosphene.media import image as media

ASTRONAUT = data.astronaut()[:40, :60]


def test_every_door_gives_the_same_picture(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png")
    sources = (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(ASTRONAUT),
        ASTRONAUT,
        ASTRONAUT.astype(np.uint16) * 257,
        ASTRONAUT / 255,
        (ASTRONAUT / 255).astype(np.float32),
        ASTRONAUT[::-1, ::-1][::-1, ::-1],
        torch.from_numpy(ASTRONAUT).permute(2, 0, 1),
        torch.from_numpy(ASTRONAUT).permute(2, 0, 1)[None] / 255,
    )
    expected = torch.from_numpy(ASTRONAUT).permute(2, 0, 1)[None] / 255
    found = [media.as_photograph(source) for source in sources]
    for each in found:
        assert each.image.dtype == torch.float32
        assert each.image.is_contiguous()
        assert each.size == (40, 60)
        assert each.alpha is None
        torch.testing.assert_close(each.image, expected, rtol=0, atol=1e-6)
    assert [each.depth for each in found] == [8, 8, 8, 8, 16, 16, 16, 8, 8, 16]
    assert {each.path for each in found} == {tmp_path / "a.png", None}
    assert found[2].sha256 == found[3].sha256 == found[7].sha256 == found[8].sha256
    assert found[0].sha256 == found[1].sha256 != found[2].sha256


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "I"],
)
def test_pil_modes(mode: str) -> None:
    picture = Image.fromarray(ASTRONAUT)
    if mode in ("I;16", "I"):
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).convert(mode)
        expected = np.asarray(picture).astype(float)[..., None].repeat(3, axis=2) / 65535
    elif mode in ("La", "RGBa"):
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
        expected = np.asarray(picture.convert(mode.upper()).convert("RGB")) / 255
    else:
        picture = picture.convert("L" if mode == "LA" else "RGB").convert(mode)
        expected = np.asarray(picture.convert("RGB")) / 255
    found = media.from_pil(picture)
    assert found.size == (40, 60)
    assert found.depth == (16 if mode[0] == "I" else 8)
    assert (found.alpha is not None) == (mode in ("LA", "La", "PA", "RGBA", "RGBa"))
    # CMYK goes through a profile of real inks
    assert np.abs(media.to_array(found.image) - expected).mean() < (0.2 if mode == "CMYK" else 1e-6)


def test_pil_pictures_are_read_as_their_files_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png", exif=exif, icc_profile=b"junk")
    Image.fromarray(ASTRONAUT[..., 0]).save(tmp_path / "b.png", transparency=int(ASTRONAUT[0, 0, 0]))
    Image.fromarray(ASTRONAUT).convert("CMYK").save(tmp_path / "c.tif")
    for name in ("a.png", "b.png", "c.tif"):
        expected = media.read_image(tmp_path / name)
        with Image.open(tmp_path / name) as picture:
            found = media.as_photograph(picture)
        assert found.name == name
        assert torch.equal(found.image, expected.image)
        if expected.alpha is None:
            assert found.alpha is None
        else:
            assert found.alpha is not None
            assert torch.equal(found.alpha, expected.alpha)


def test_a_pil_picture_that_cannot_be_decoded(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-300])
    with (
        Image.open(tmp_path / "a.jpg") as picture,
        pytest.raises(ImageError, match=r"PIL cannot decode a\.jpg"),
    ):
        media.from_pil(picture)


def test_arrays_with_alpha_and_grey() -> None:
    rgba = np.dstack((ASTRONAUT, ASTRONAUT[..., 0]))
    found = media.from_array(rgba)
    assert found.alpha is not None
    np.testing.assert_allclose(media.to_array(found.image, found.alpha) * 255, rgba, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(media.to_pil(found.image, found.alpha)), rgba)
    for grey in (ASTRONAUT[..., 0], ASTRONAUT[..., :1]):
        np.testing.assert_array_equal(np.asarray(media.to_pil(media.from_array(grey).image))[..., 2], ASTRONAUT[..., 0])


def test_there_and_back() -> None:
    image = torch.rand(1, 3, 5, 7)
    array = media.to_array(image)
    assert torch.equal(media.from_array(array).image, image)
    array[:] = 0
    assert image.max() > 0
    assert media.to_pil(image).size == (7, 5)
    assert (media.from_pil(media.to_pil(image)).image - image).abs().max() <= 0.5 / 255 + 1e-6


def test_the_source_is_copied() -> None:
    for source in (
        np.ones((4, 5, 3), np.float32),
        torch.ones(3, 4, 5),
        torch.ones(1, 3, 4, 5, requires_grad=True),
    ):
        found = media.as_photograph(source).image
        assert not found.requires_grad
        found.zero_()
        assert source.min() == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((4, 5, 2), np.uint8), "expected an array of shape h w.*not uint8 of shape 4 5 2"),
        (np.zeros((3, 4, 5), np.uint8), "of shape 3 4 5"),
        (np.zeros((1, 4, 5, 3), np.uint8), "of shape 1 4 5 3"),
        (np.zeros((0, 5, 3), np.uint8), "of shape 0 5 3"),
        (np.zeros((4, 5, 3), np.int64), "uint8, uint16, or floats in 0..1, not int64"),
        (np.zeros((4, 5, 3), bool), "not bool"),
        (np.full((4, 5, 3), 255.0), "array: its floats must lie in 0..1, but are 255 to 255: scale them"),
        (np.full((4, 5, 3), np.nan), "NaN among them"),
        (np.full((4, 5), -0.5), "are -0.5 to -0.5"),
        (torch.zeros(4, 5, 3), "expected a tensor of shape 3 h w or n 3 h w.*of shape 4 5 3"),
        (torch.zeros(1, 1, 4, 5), "of shape 1 1 4 5"),
        (torch.zeros(3, 0, 5), "of shape 3 0 5"),
        (torch.zeros(3, 4, 5, dtype=torch.int64), "not torch.int64"),
        (torch.full((3, 4, 5), 2.0), "tensor: its floats must lie in 0..1, but are 2 to 2"),
        (torch.full((3, 4, 5), torch.nan), "NaN among them"),
        (Image.new("F", (5, 4), 77.0), "its floats must lie in 0..1, but are 77 to 77"),
        (Image.new("I", (5, 4), 70000), "whole numbers must lie in 0..65535"),
    ],
)
def test_what_cannot_be_a_picture_is_refused(source: object, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        media.as_photograph(source)  # type: ignore[arg-type]


def test_slightly_overshot_floats_are_clipped() -> None:
    found = media.as_photograph(np.array([[-0.0005, 1.0005]])).image
    assert found.aminmax() == (0, 1)


def test_batches_of_tensors_stay_batches() -> None:
    assert media.from_tensor(torch.zeros(4, 3, 5, 7)).image.shape == (4, 3, 5, 7)


def test_importing_is_light_and_reading_is_silent(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.jpg")
    code = f"""
import sys
import phosphene.media.image as media
assert not {{"pyvips", "PIL"}} & set(sys.modules)
media.read_image({str(tmp_path / "a.jpg")!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
