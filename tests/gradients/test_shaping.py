from __future__ import annotations

import pytest
import torch

from phosphene.gradients.shaping import shapings


@pytest.mark.parametrize("name", shapings)
@pytest.mark.parametrize("size", [(64, 80), (17, 33), (1, 1), (1, 50)])
def test_steps_have_mean_magnitude_one(name: str, size: tuple[int, int]) -> None:
    gradient = 1e-6 * torch.randn(2, 3, *size)
    shaped = shapings[name](gradient)
    assert shaped.shape == (2, 3, *size)
    torch.testing.assert_close(shaped.abs().mean(dim=(1, 2, 3)), torch.ones(2))


@pytest.mark.parametrize("name", shapings)
def test_no_gradient_is_no_step(name: str) -> None:
    assert not shapings[name](torch.zeros(1, 3, 40, 40)).any()


@pytest.mark.parametrize("name", shapings)
def test_the_unit_of_the_gradient_does_not_matter(name: str) -> None:
    gradient = torch.randn(1, 3, 40, 56)
    torch.testing.assert_close(shapings[name](1e4 * gradient), shapings[name](gradient.clone()))


def test_the_laplacian_lifts_what_is_large_and_faint() -> None:
    fine = torch.randn(1, 3, 128, 128)
    coarse = 0.05 * torch.sin(torch.arange(128) / 10).expand(1, 3, 128, 128)
    column = torch.sin(torch.arange(128) / 10)

    def share(gradient: torch.Tensor) -> float:
        """How much of the gradient goes along the coarse wave."""
        return float((gradient.mean(dim=(0, 1, 2)) * column).mean().abs())

    assert share(shapings["laplacian"](fine + coarse)) > 3 * share(shapings["normalise"](fine + coarse))


def test_the_blur_takes_the_checkerboard() -> None:
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 2.0 - 1
    smooth = torch.linspace(-1, 1, 64).expand(64, 64)
    shaped = shapings["blur"]((10 * board + smooth).expand(1, 3, 64, 64).clone())[0, 0]
    assert (shaped * board).mean().abs() < 0.05 * (shaped * smooth).mean()
