"""Resizing keeps what is the same at every size, and leaves an image of the right size alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.resampling import RESAMPLINGS, resize

SIDES = st.integers(1, 30)


@given(height=SIDES, width=SIDES, new_height=SIDES, new_width=SIDES, resampling=st.sampled_from(RESAMPLINGS))
def test_even_colours_stay(height: int, width: int, new_height: int, new_width: int, resampling: str) -> None:
    even = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    resized = resize(even.expand(1, 3, height, width), (new_height, new_width), resampling)
    assert resized.shape == (1, 3, new_height, new_width)
    torch.testing.assert_close(resized, even.expand_as(resized))


def test_an_image_of_that_size_is_returned_itself() -> None:
    image = torch.rand(1, 3, 5, 6)
    assert resize(image, (5, 6), clamp=True) is image


def test_bicubic_overshoots_unless_it_is_clamped() -> None:
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    assert resize(edge, (24, 24)).max() > 1
    clamped = resize(edge, (24, 24), clamp=True)
    assert clamped.min() == 0
    assert clamped.max() == 1


@pytest.mark.parametrize(("resampling", "aliases"), [("bicubic", False), ("linear", True)])
def test_shrinking_averages_with_bicubic_only(resampling: str, aliases: bool) -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    small = resize(stripes, (64, 16), resampling)
    assert bool(small.std() > 0.2) == aliases
