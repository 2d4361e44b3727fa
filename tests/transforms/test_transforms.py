"""Transforms: the facts that views keep and change, and that they are drawn from their generator alone."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene import transforms
from phosphene.errors import SettingError
from phosphene.types import Image


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(height: int, width: int) -> Image:
    """Red rises to the right, green downwards, blue is even."""
    across = torch.linspace(0, 1, width).expand(height, width)
    down = torch.linspace(0, 1, height)[:, None].expand(height, width)
    return torch.stack((across, down, torch.full((height, width), 0.5)))[None]


def test_a_whole_view_of_the_same_size_is_the_picture() -> None:
    image = torch.rand(2, 3, 13, 18, generator=rng())
    seen = transforms.views(1, (13, 18), generator=rng())(image)
    torch.testing.assert_close(seen, image, rtol=0, atol=1e-5)


@given(
    pictures=st.integers(1, 3),
    count=st.integers(1, 4),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    side=st.integers(1, 12),
    low=st.floats(0.1, 1),
)
def test_views_have_their_number_and_size_and_stay_in_range(
    pictures: int, count: int, height: int, width: int, side: int, low: float
) -> None:
    look = transforms.views(count, (side, side + 1), zoom=(low, 1.0), rotate=30, flip=True, generator=rng())
    seen = look(torch.rand(pictures, 3, height, width))
    assert seen.shape == (pictures * count, 3, side, side + 1)
    assert seen.min() >= -1e-6
    assert seen.max() <= 1 + 1e-6


def test_views_of_one_picture_are_neighbours() -> None:
    image = torch.cat((torch.zeros(1, 3, 9, 9), torch.ones(1, 3, 9, 9)))
    seen = transforms.views(3, (5, 5), zoom=(0.5, 1.0), rotate=20, generator=rng())(image)
    torch.testing.assert_close(seen[:3], torch.zeros(3, 3, 5, 5))
    torch.testing.assert_close(seen[3:], torch.ones(3, 3, 5, 5))


def test_a_closer_view_shows_less_of_the_picture() -> None:
    def span(zoom: float) -> float:
        seen = transforms.views(1, (16, 16), zoom=(zoom, zoom), generator=rng())(ramp(64, 64))
        return float(seen[0, 0].max() - seen[0, 0].min())

    assert span(0.25) < 0.3 < span(0.5) < 0.55 < span(1.0)


def test_half_of_the_views_are_mirrored() -> None:
    seen = transforms.views(64, (8, 8), flip=True, generator=rng())(ramp(8, 8))
    mirrored = (seen[:, 0, 0, 0] > seen[:, 0, 0, -1]).float().mean()
    assert 0.25 < mirrored < 0.75


def test_a_turn_of_a_wide_picture_keeps_its_proportions() -> None:
    """A disc stays a disc: as many of its pixels above one another as beside one another."""
    down, across = torch.meshgrid(torch.arange(60) - 29.5, torch.arange(120) - 59.5, indexing="ij")
    disc = (torch.hypot(down, across) < 20).float().expand(1, 3, 60, 120)
    turned = transforms.views(16, (60, 120), rotate=90, generator=rng())(disc)[:, 0] > 0.5
    turned = turned[:, :, 35:85]  # without its mirror images, seen beyond the edges
    heights, widths = turned.any(dim=2).sum(dim=1), turned.any(dim=1).sum(dim=1)
    assert (heights - 40).abs().max() <= 2
    assert (widths - 40).abs().max() <= 2


def test_fine_patterns_are_averaged_and_not_skipped_over() -> None:
    board = (torch.arange(64)[:, None] + torch.arange(64)[None]) % 2
    seen = transforms.views(4, (16, 16), zoom=(0.9, 1.0), generator=rng())(board.float().expand(1, 3, 64, 64))
    assert (seen - 0.5).abs().max() < 0.15


@pytest.mark.parametrize("name", ["views", "shift", "crop", "scale", "rotate", "tint", "noise"])
def test_randomness_comes_from_the_given_source_alone(name: str) -> None:
    def seen(seed: int) -> Image:
        drawn, draw = rng(seed), random.Random(seed).randint
        made = {
            "views": transforms.views(2, (8, 8), zoom=(0.5, 1.0), rotate=9, flip=True, generator=drawn),
            "shift": transforms.shift(4, draw=draw),
            "crop": transforms.crop(4, draw=draw),
            "scale": transforms.scale([0.5, 1.0, 1.5, 2.0], draw=draw),
            "rotate": transforms.rotate(range(-20, 20), draw=draw),
            "tint": transforms.tint(0.2, generator=drawn),
            "noise": transforms.noise(0.2, generator=drawn),
        }[name]
        return made(ramp(16, 16))

    first = seen(1)
    torch.rand(7)  # the state of the global RNG does not matter
    assert torch.equal(first, seen(1))
    assert any(seen(seed).shape != first.shape or not torch.equal(first, seen(seed)) for seed in range(2, 6))


def test_all_are_differentiable_and_compose_in_order() -> None:
    drawn, draw = rng(), random.Random(0).randint
    look = transforms.compose(
        [
            transforms.pad(2),
            transforms.shift(3, draw=draw),
            transforms.scale([0.9, 1.1], draw=draw),
            transforms.rotate([-10, 10], draw=draw),
            transforms.crop(2, draw=draw),
            transforms.views(2, (8, 8), zoom=(0.5, 0.9), rotate=5, generator=drawn),
            transforms.tint(0.1, generator=drawn),
            transforms.noise(0.1, generator=drawn),
        ]
    )
    image = ramp(12, 14).requires_grad_()
    look(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert transforms.compose([])(image) is image


def test_shift_and_pad_keep_every_pixel() -> None:
    image = torch.rand(1, 3, 6, 7)
    moved = transforms.shift(5, draw=random.Random(0).randint)(image)
    assert torch.equal(moved.flatten().sort().values, image.flatten().sort().values)
    assert torch.equal(transforms.pad(3)(image)[..., 3:-3, 3:-3], image)


def test_crops_are_parts_of_the_image_from_everywhere() -> None:
    image = ramp(9, 11)
    draw = random.Random(0).randint
    corners = set()
    for _ in range(200):
        part = transforms.crop(3, draw=draw)(image)
        assert part.shape == (1, 3, 6, 8)
        left, top = round(float(part[0, 0, 0, 0]) * 10), round(float(part[0, 1, 0, 0]) * 8)
        assert torch.equal(part, image[:, :, top : top + 6, left : left + 8])
        corners.add((top, left))
    assert corners == {(top, left) for top in range(4) for left in range(4)}


def test_rotation_is_about_the_centre_and_keeps_proportions() -> None:
    image = torch.zeros(1, 3, 41, 61)
    image[..., 20, 40] = 1  # 10 pixels to the right of the centre
    turned = transforms.rotate([90], draw=random.Random(0).randint)(image)
    row, column = divmod(int(turned[0, 0].argmax()), 61)
    assert (abs(row - 20), column) == (10, 30)


@pytest.mark.parametrize("zoom", [(0.0, 1.0), (1.0, 0.5), (-1.0, 1.0)])
def test_a_zoom_out_of_range_is_refused(zoom: tuple[float, float]) -> None:
    with pytest.raises(SettingError, match="zoom must be two numbers above 0"):
        transforms.views(1, (8, 8), zoom=zoom, generator=rng())
