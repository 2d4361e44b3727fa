"""Symmetric images are symmetric, of any size; ascent on a symmetric canvas draws in all of the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage import data, transform

from phosphene.canvas.fourier import FourierCanvas
from phosphene.canvas.pixels import PixelCanvas
from phosphene.canvas.symmetric import SymmetricCanvas, symmetric, symmetrise
from phosphene.errors import SettingError
from phosphene.types import Image, Size

ROTATIONS = {"rotate:2": 180, "rotate:3": 120, "rotate:6": 60, "rotate:7": 360 / 7, "rotate:24": 15, "p6m": 60}
SYMMETRIES = ["mirror", "p4m", *ROTATIONS]
SIDES = st.integers(1, 40)


def photo(size: Size) -> Image:
    small = transform.resize(data.coffee(), size, anti_aliasing=True)
    return torch.from_numpy(small).float().permute(2, 0, 1)[None]


def noise(height: int, width: int) -> Image:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def difference_when_rotated(image: Image, degrees: float) -> float:
    """The mean absolute difference within the largest disc, of 255, between an image and itself rotated."""
    planes = image[0].numpy()
    rotated = np.stack([ndimage.rotate(plane, degrees, reshape=False, mode="reflect") for plane in planes])
    height, width = planes.shape[1:]
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) < min(height, width) / 2 - 1
    return float(np.abs(rotated - planes)[:, disc].mean() * 255)


@given(height=SIDES, width=SIDES)
def test_mirrors_are_exact(height: int, width: int) -> None:
    mirrored, square = (symmetrise(noise(height, width), name) for name in ("mirror", "p4m"))
    assert torch.equal(mirrored, mirrored.flip(-1))
    assert torch.equal(square, square.flip(-1))
    assert torch.equal(square, square.flip(-2))


@given(side=SIDES)
def test_p4m_is_exact_for_rotations_and_diagonals_of_a_square(side: int) -> None:
    image = symmetrise(noise(side, side), "p4m")
    assert torch.equal(image, image.rot90(1, (2, 3)))
    assert torch.equal(image, image.transpose(2, 3))


@given(half=st.integers(1, 20), extra=st.integers(1, 20), odd=st.integers(0, 1))
def test_p4m_repeats_along_the_longer_side(half: int, extra: int, odd: int) -> None:
    short, long = 2 * half + odd, 2 * (half + extra) + odd
    image = symmetrise(noise(short, long), "p4m")
    middle = image[..., extra : extra + short]
    assert torch.equal(middle, middle.rot90(1, (2, 3)))
    assert torch.equal(image[..., short:], image[..., :-short])
    assert torch.equal(image.transpose(2, 3), symmetrise(image, "p4m").transpose(2, 3))


@pytest.mark.parametrize("name", ROTATIONS)
@pytest.mark.parametrize("size", [(180, 240), (201, 201), (240, 133)])
def test_a_rotated_image_is_the_same(name: str, size: Size) -> None:
    image = symmetrise(photo(size), name)
    assert difference_when_rotated(image, ROTATIONS[name]) < 1
    assert difference_when_rotated(image, ROTATIONS[name] * 1.3) > 3  # so the measure can tell


def test_p6m_has_mirrors_and_repeats() -> None:
    image = symmetrise(photo((120, 300)), "p6m")
    for mirrored in (image.flip(-1), image.flip(-2)):
        torch.testing.assert_close(image, mirrored, rtol=0, atol=1e-3)
    torch.testing.assert_close(image[..., 120:], image[..., :-120], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", SYMMETRIES)
def test_there_are_no_seams(name: str) -> None:
    """Of a smooth image, neighbouring pixels stay neighbours."""
    y, x = torch.meshgrid(torch.linspace(0, 3, 90), torch.linspace(0, 4, 120), indexing="ij")
    smooth = (torch.stack((x.sin(), y.cos(), (x + 2 * y).sin())) / 2 + 0.5)[None]
    steepest = max(float(smooth.diff(dim=dim).abs().max()) for dim in (-1, -2))
    image = symmetrise(smooth, name)
    y, x = torch.meshgrid(torch.arange(90) - 44.5, torch.arange(120) - 59.5, indexing="ij")
    away = torch.hypot(x, y) > 20  # sectors meet in the middle
    for dim, inner in ((-1, away[:, 1:]), (-2, away[1:])):
        assert image.diff(dim=dim).abs()[..., inner].max() < 3 * steepest


@pytest.mark.parametrize("name", SYMMETRIES)
@given(height=SIDES, width=SIDES)
def test_any_size(name: str, height: int, width: int) -> None:
    image = symmetrise(noise(height, width), name)
    assert image.shape == (2, 3, height, width)
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize("name", SYMMETRIES)
def test_a_canvas_of_any_kind_becomes_symmetric_and_can_be_enlarged(name: str) -> None:
    inner = FourierCanvas((32, 44), generator=torch.Generator().manual_seed(0), decay=2.0)
    canvas = SymmetricCanvas(inner, name)
    torch.testing.assert_close(canvas(), symmetrise(inner(), name))
    larger = canvas.showing(canvas.resized((64, 88)))
    small = torch.nn.functional.interpolate(larger().detach(), (32, 44), mode="area")
    assert (small - canvas()).abs().mean() < 2 / 255
    if name in ("mirror", "p4m"):
        resized = canvas.resized((51, 70))
        assert torch.equal(resized, resized.flip(-1))


@pytest.mark.parametrize("name", SYMMETRIES)
def test_a_step_goes_uphill_and_is_as_large_everywhere(name: str) -> None:
    canvas = SymmetricCanvas(PixelCanvas(torch.full((1, 3, 48, 48), 0.5)), name)
    gradient = symmetrise(noise(48, 48)[:1], name) - 0.5
    direction = canvas.uphill(gradient.clone())
    torch.testing.assert_close(direction, gradient, rtol=0, atol=0.4)
    moved = canvas.moved(direction, 0.1)().detach() - canvas().detach()
    assert (moved * gradient).sum() > 0
    left, right = (float(moved.abs()[..., part].mean()) for part in (slice(0, 24), slice(24, 48)))
    assert left == pytest.approx(right, rel=0.2)


def test_no_symmetry_leaves_the_canvas_alone() -> None:
    canvas = PixelCanvas(torch.rand(1, 3, 4, 4))
    assert symmetric(canvas, None) is canvas


@pytest.mark.parametrize("name", ["rotate:1", "rotate:25", "rotate", "p3m", "", "rotate:2.5"])
def test_other_symmetries_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match="symmetry must be mirror"):
        symmetrise(torch.rand(1, 3, 4, 4), name)
