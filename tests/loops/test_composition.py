"""Where steps change an image: more in the middle, and more where the direction is strong."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from phosphene.loops.composition import composed, saliency, window
from phosphene.types import Size

SIZES = [(1, 1), (1, 9), (17, 32), (40, 40)]


def random(size: Size, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))


def rms(image: torch.Tensor) -> torch.Tensor:
    return image.square().mean(dim=(1, 2, 3)).sqrt()


@pytest.mark.parametrize("size", SIZES)
def test_without_focus_and_calm_it_is_a_plain_sum(size: Size) -> None:
    direction, smoothing = random(size), random(size, 1)
    expected = direction + 3 * smoothing
    assert torch.allclose(composed(direction.clone(), smoothing, smooth=3.0), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("focus", "calm"), [(0.7, 0.0), (0.0, 0.8), (1.0, 1.0)])
def test_the_direction_keeps_its_length(size: Size, focus: float, calm: float) -> None:
    found = composed(random(size), torch.zeros(2, 3, *size), smooth=1.0, focus=focus, calm=calm)
    assert torch.allclose(rms(found), torch.ones(2), atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_the_window_is_widest_in_the_middle_and_symmetric(size: Size) -> None:
    mask = window(size, 0.7)
    assert mask.shape == size
    assert torch.allclose(mask, mask.flip(0))
    assert torch.allclose(mask, mask.flip(1))
    assert mask.max() == mask[size[0] // 2, size[1] // 2]
    assert 0.3 <= mask.min() <= mask.max() <= 1


def test_focus_weakens_the_edges_against_the_middle() -> None:
    direction = torch.ones(1, 3, 33, 33)
    found = composed(direction, torch.zeros_like(direction), smooth=0.0, focus=0.7)
    assert found[0, 0, 16, 16] > 2 * found[0, 0, 0, 0]


def test_calm_weakens_what_is_faint_and_smooths_it_more() -> None:
    direction = torch.full((1, 3, 64, 64), 0.1)
    direction[:, :, 20:40, 20:40] = 1.0
    nothing = torch.zeros_like(direction)
    steps = composed(direction.clone(), nothing, smooth=0.0, calm=0.9)
    assert steps[0, 0, 30, 30] / steps[0, 0, 60, 60] > 20  # 10 before
    smoothing = composed(nothing + 1e-3 * direction, torch.ones_like(direction), smooth=5.0, calm=0.9)
    assert (smoothing - steps)[0, 0, 60, 60] > 1.5 * (smoothing - steps)[0, 0, 30, 30]


def test_saliency_is_the_amplitude_of_the_neighbourhood() -> None:
    energy = random((40, 56)).square().sum(dim=1, keepdim=True)
    for _ in range(2):  # an eighth of each side, in an odd number of pixels
        energy = F.avg_pool2d(energy, (5, 7), 1, (2, 3))
    expected = energy.sqrt() / energy.sqrt().amax(dim=(2, 3), keepdim=True)
    assert torch.allclose(saliency(random((40, 56))), expected, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_saliency_reaches_one_in_every_image(size: Size) -> None:
    found = saliency(random(size) * torch.tensor([1.0, 1e-3]).view(2, 1, 1, 1))
    assert torch.allclose(found.amax(dim=(1, 2, 3)), torch.ones(2), atol=1e-4)
    assert found.min() >= 0
