"""Where steps change an image: one thing in the middle, and calm where there is nothing to see.

A network's gradient reaches every pixel, so that ascent fills an image with copies of the thing, and with ripples in
between. Two masks answer that. A window weakens steps towards the edges, so that the thing grows in the middle. And
steps are weakened where the network hardly asks for a change, compared with where it asks most; there the image is
smoothed instead.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.loops.scorer import unit_length
from phosphene.types import Image, Size

WINDOW = 0.8
"""Std of the window, where the distance from the middle to an edge is 1."""

SPREAD = 0.125
"""Side of the neighbourhood over which the energy of the gradient is averaged, twice, as a share of the image's."""


def composed(direction: Image, smoothing: Image, *, smooth: float, focus: float = 0.0, calm: float = 0.0) -> Image:
    """Return a direction of ascent, plus `smooth` times a smoothing direction, each where it belongs.

    >>> composed(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), smooth=1.0).unique()
    tensor([1.])

    Args:
        direction: n c h w, with a root mean square of 1.
        smoothing: n c h w, the direction in which the image becomes smoother.
        smooth: weight of the smoothing.
        focus: 0 to 1, how much steps are weakened far from the middle.
        calm: 0 to 1, how much steps are weakened, and smoothing is strengthened, where the direction is faint.
    """
    if not (focus or calm):
        return direction.add_(smooth * smoothing)
    size = (direction.shape[-2], direction.shape[-1])
    if focus:
        direction = direction * window(size, focus).to(direction)
    kept = 1 - calm * (1 - saliency(direction))
    return unit_length(direction * kept).add_(smooth * (2 - kept) * smoothing)


def window(size: Size, focus: float) -> Float[Tensor, "h w"]:
    """Return a mask that is 1 in the middle and falls towards 1 - focus."""
    rows, columns = (torch.linspace(-1, 1, side) if side > 1 else torch.zeros(1) for side in size)
    return 1 - focus + focus * torch.exp(-(rows[:, None] ** 2 + columns**2) / (2 * WINDOW**2))


def saliency(direction: Image) -> Float[Tensor, "n 1 h w"]:
    """Return how strongly each neighbourhood is asked to change, from 0 to 1, where 1 is the most in an image."""
    energy = direction.square().sum(dim=1, keepdim=True)
    rows, columns = (max(1, int(side * SPREAD)) // 2 * 2 + 1 for side in energy.shape[-2:])
    for kernel in (rows, columns) * 2:
        energy = _averaged(energy, kernel).transpose(2, 3)
    amplitude = energy.contiguous().sqrt()
    return amplitude / (amplitude.amax(dim=(2, 3), keepdim=True) + torch.finfo(amplitude.dtype).tiny)


def _averaged(energy: Float[Tensor, "n 1 h w"], kernel: int) -> Float[Tensor, "n 1 h w"]:
    """Return the mean of `kernel` rows around each row.

    Columns are passed as channels that lie side by side, of which PyTorch adds up several at once: with the same sums
    it takes a tenth of the time.
    """
    n, _, height, width = energy.shape
    columns = energy.contiguous().view(n, height, 1, width).permute(0, 3, 1, 2)  # channels last
    return F.avg_pool2d(columns, (kernel, 1), 1, (kernel // 2, 0)).permute(0, 3, 2, 1)
