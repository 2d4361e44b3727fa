"""Pictures that are written are read back, by us and by others; a file appears whole or not at all."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from phosphene.errors import OutputError, SettingError
from phosphene.media import atomic
from phosphene.media import image as media

SUFFIXES = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif"]
EXACT = [".png", ".tif"]


def picture(height: int = 40, width: int = 60, seed: int = 0) -> torch.Tensor:
    """Smooth colours, so that lossy formats keep them."""
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").clamp(0, 1)


def ramp(height: int = 40, width: int = 60) -> torch.Tensor:
    """An alpha that falls from left to right."""
    return torch.linspace(1, 0, width).expand(1, 1, height, width)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("with_alpha", [False, True])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, with_alpha: bool) -> None:
    image, alpha = picture(), ramp() if with_alpha else None
    path = tmp_path / f"a{suffix.upper()}"
    media.write_image(path, image, alpha=alpha)
    again = media.read_image(path)
    assert again.depth == 8
    if with_alpha and suffix in (".jpg", ".jpeg"):
        assert again.alpha is None
        assert alpha is not None
        assert (again.image - (image * alpha + 1 - alpha)).abs().mean() < 0.01
        return
    tolerance = 0.5 / 255 + 1e-6 if suffix in (".png", ".tif", ".tiff") else 0.1
    assert (again.image - image).abs().max() < tolerance
    assert (again.image - image).abs().mean() < 0.01
    assert (again.alpha is not None) == with_alpha
    if again.alpha is not None:
        assert alpha is not None
        assert (again.alpha - alpha).abs().max() < 0.03
    with Image.open(path) as others:  # the way round, as others see it
        assert others.size == (60, 40)
        red = np.asarray(others.convert("RGB"))[..., 0] / 255
    assert np.abs(red - image[0, 0].numpy()).mean() < 0.01


@pytest.mark.parametrize("suffix", EXACT)
def test_rounding_is_to_the_nearest_level(tmp_path: Path, suffix: str) -> None:
    levels = torch.arange(256.0).div(255).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    media.write_image(tmp_path / f"a{suffix}", levels + 0.49 / 255)
    assert torch.equal(media.read_image(tmp_path / f"a{suffix}").image, levels)
    media.write_image(tmp_path / f"a{suffix}", levels - 0.49 / 255)
    assert torch.equal(media.read_image(tmp_path / f"a{suffix}").image, levels)
    media.write_image(tmp_path / f"a{suffix}", levels * 3 - 1)
    assert torch.equal(media.read_image(tmp_path / f"a{suffix}").image.aminmax().max, torch.tensor(1.0))


@pytest.mark.parametrize("suffix", EXACT)
def test_sixteen_bits_keep_every_level(tmp_path: Path, suffix: str) -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = torch.from_numpy(samples.astype(np.float32) / 65535).expand(1, 3, 256, 256)
    path = tmp_path / f"a{suffix}"
    media.write_image(path, image, alpha=image[:, :1], depth=16)
    again = media.read_image(path)
    assert again.depth == 16
    assert torch.equal(again.image, image)
    assert again.alpha is not None
    assert torch.equal(again.alpha, image[:, :1])
    if suffix == ".tif":
        np.testing.assert_array_equal(tifffile.imread(path)[..., 0], samples)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    suffix=st.sampled_from(SUFFIXES),
    alpha=st.booleans(),
    seed=st.integers(0, 99),
)
def test_tiny_pictures(
    tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int], suffix: str, alpha: bool, seed: int
) -> None:
    path = tmp_path_factory.mktemp("tiny") / f"a{suffix}"
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))
    media.write_image(path, image, alpha=torch.ones(1, 1, *size) if alpha else None)
    assert media.read_image(path).size == size


def test_large_pictures_are_quantised_in_strips(tmp_path: Path) -> None:
    image = picture(1500, 1700)  # two strips and a bit
    media.write_image(tmp_path / "a.png", image)
    assert (media.read_image(tmp_path / "a.png").image - image).abs().max() < 0.5 / 255 + 1e-6


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_say_that_they_are_srgb(tmp_path: Path, suffix: str) -> None:
    media.write_image(tmp_path / f"a{suffix}", picture())
    with Image.open(tmp_path / f"a{suffix}") as others:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(others.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_quality(tmp_path: Path) -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def size(name: str, quality: int | None) -> int:
        media.write_image(tmp_path / name, image, quality=quality)
        return (tmp_path / name).stat().st_size

    for name in ("a.jpg", "a.webp", "a.avif"):
        assert size(name, 20) < size(name, None) < size(name, 100)
    media.write_image(tmp_path / "a.webp", image, quality=100)
    assert (media.read_image(tmp_path / "a.webp").image - image).abs().max() < 0.5 / 255 + 1e-6
    # Chroma at full resolution: a one-pixel checkerboard of colours survives.
    board = torch.zeros(1, 3, 32, 32)
    board[:, 0, ::2, ::2] = board[:, 0, 1::2, 1::2] = board[:, 2, ::2, 1::2] = board[:, 2, 1::2, ::2] = 1
    for name in ("a.jpg", "a.avif"):
        media.write_image(tmp_path / name, board)
        assert (media.read_image(tmp_path / name).image - board).abs().mean() < 0.1
    for quality in (0, 101):
        with pytest.raises(SettingError, match="the quality must be 1 to 100"):
            media.write_image(tmp_path / "b.jpg", image, quality=quality)


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        for name in ("a", "b"):
            media.write_image(tmp_path / f"{name}{suffix}", picture(), recipe="{}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_mistakes_are_told_before_and_after_rendering(tmp_path: Path) -> None:
    image = picture()

    def both(error: type[Exception], said: str, path: Path, depth: int = 8, size: tuple[int, int] = (40, 60)) -> None:
        with pytest.raises(error, match=said) as early:
            media.check_writable(path, depth, size=size)
        with pytest.raises(error, match=said) as late:
            media.write_image(
                path,
                image.expand(1, 3, 40, 60) if size == (40, 60) else torch.zeros(1, 3, *size),
                depth=depth,
            )
        assert str(early.value) == str(late.value)
        assert "\n" not in str(early.value)

    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    both(
        OutputError,
        r"the suffix '\.bmp'.*use one of \.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff, \.avif",
        tmp_path / "a.bmp",
    )
    both(OutputError, "has no suffix", tmp_path / "a")
    both(OutputError, "has the suffix '.gif'", tmp_path / "a.gif")
    both(OutputError, "there is no folder .*nowhere; make it first", tmp_path / "nowhere" / "a.png")
    both(OutputError, "is not a folder", tmp_path / "file" / "a.png")
    both(OutputError, "it is a folder", tmp_path / "folder.png")
    both(OutputError, "it is a device or pipe", tmp_path / "pipe.png")
    both(OutputError, "longer than 255 bytes", tmp_path / ("ü" * 200 + ".png"))
    both(OutputError, "cannot write", tmp_path / "\0.png")
    both(
        SettingError,
        r"JPEG files hold 8 bits a sample, not 16: name the output \.png or \.tif",
        tmp_path / "a.jpg",
        16,
    )
    both(SettingError, "the depth must be 8 or 16 bits, not 12", tmp_path / "a.png", 12)
    both(SettingError, "WebP files have at most 16383 pixels a side", tmp_path / "a.webp", 8, (1, 16384))
    both(
        SettingError,
        "JPEG files have at most 65500 pixels a side, but the picture is 2x65501",
        tmp_path / "a.jpg",
        8,
        (65501, 2),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png", "pipe.png"]


def test_the_longest_sides_can_be_written(tmp_path: Path) -> None:
    for name, side in (("a.jpg", 65_500), ("a.webp", 16_383), ("a.avif", 16_384), ("a.png", 70_000)):
        media.check_writable(tmp_path / name, size=(1, side))
        media.write_image(tmp_path / name, torch.rand(1, 3, 1, side))
        assert media.read_image(tmp_path / name).size == (1, side)


def test_what_is_no_single_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="this is a batch of 2"):
        media.write_image(tmp_path / "a.png", torch.zeros(2, 3, 4, 4))
    with pytest.raises(SettingError, match="alpha must be of shape 1 1 4 5"):
        media.write_image(tmp_path / "a.png", torch.zeros(1, 3, 4, 5), alpha=torch.zeros(1, 1, 5, 4))
    with pytest.raises(SettingError, match="NaN"):
        media.write_image(tmp_path / "a.png", torch.full((1, 3, 4, 4), torch.nan))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_being_dreamed_can_be_written(tmp_path: Path) -> None:
    image = picture().half().requires_grad_()
    media.write_image(tmp_path / "a.png", image.float())
    media.write_image(tmp_path / "b.png", picture().permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2))
    assert media.read_image(tmp_path / "a.png").size == media.read_image(tmp_path / "b.png").size == (40, 60)


def test_check_writable_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"old")
    for name in ("old.png", "new.png", "new.tiff"):
        media.check_writable(tmp_path / name, 16, size=(400, 600), recipe="{}")
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"old"


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else OutputError):
        media.write_image(path, picture())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_an_error(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    opened = open

    def full(name: object, mode: str = "r") -> object:
        file = opened(name, mode)  # type: ignore[call-overload]
        if "x" in mode:
            os.dup2(os.open("/dev/full", os.O_RDWR), file.fileno())
        return file

    monkeypatch.setattr(atomic, "open", full, raising=False)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        media.write_image(path, picture(400, 300))
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")


def test_an_old_file_is_there_until_the_new_one_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with atomic.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(TypeError), atomic.replacing(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_follows_the_umask_and_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    for mask in (0o022, 0o077):
        before = os.umask(mask)
        try:
            media.write_image(tmp_path / "link.png", picture())
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "real" / "a.png").stat().st_mode) == 0o666 & ~mask
    assert (tmp_path / "link.png").is_symlink()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["a.png"]


def test_names_need_no_care(tmp_path: Path) -> None:
    for name in ("ä [Q=1].jpg", "x" * 250 + ".png", "a b;c.webp", "-o.tif"):
        media.write_image(tmp_path / name, picture())
        assert media.read_image(tmp_path / name).size == (40, 60)
