"""Shaping a gradient into a step, always the gradient of the whole canvas and never that of a tile.

A raw gradient is dominated by its strongest places and its finest scale. Dividing by the mean magnitude (the 2015
notebook) makes all steps equally long; equalising a Laplacian pyramid (TensorFlow's DeepDream notebook, Mordvintsev
2016) makes all scales equally strong, so that shapes grow together with texture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.pyramid import merge, split
from phosphene.registry import Registry
from phosphene.types import Image

LEVELS = 4
"""Levels of the Laplacian pyramid: bands of detail around 2, 4 and 8 pixels, and the rest."""

SMALLEST_LEVEL = 8
"""Shortest side in pixels of a level: the std of a smaller one would be that of a handful of values."""

BLUR_STD = 1.0
"""Of the Gaussian of "blur", in pixels: removes the checkerboard of stride 2 and leaves lines alone."""

TINY = 1e-20

Shaping = Callable[[Image], Image]
"""Gradient -> step direction with mean magnitude 1 (zeros stay zeros). May use its argument's memory."""

shapings: Registry[Shaping] = Registry("gradient shaping")


@shapings.register("normalise")
def normalise(gradient: Image) -> Image:
    """Divide each picture's gradient by its mean magnitude.

    >>> normalise(torch.full((1, 3, 4, 4), -7.0)).unique()
    tensor([-1.])
    """
    return gradient.div_(gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min_(TINY))


@shapings.register("laplacian")
def laplacian(gradient: Image) -> Image:
    """Divide each level of the gradient's Laplacian pyramid by its std, then `normalise` their sum."""
    bands = split(gradient, LEVELS, SMALLEST_LEVEL, overwrite=True)
    total = merge([band.div_(_std(band)) for band in bands])
    return normalise(total)


@shapings.register("blur")
def blur(gradient: Image) -> Image:
    """Blur the gradient a little, then `normalise` it."""
    kernel = gaussian(BLUR_STD).to(gradient)
    radius = len(kernel) // 2
    n, channels, height, width = gradient.shape
    planes = gradient.view(n * channels, 1, height, width)
    planes = F.conv2d(F.pad(planes, (0, 0, radius, radius), mode="replicate"), kernel.view(1, 1, -1, 1))
    planes = F.conv2d(F.pad(planes, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    return normalise(planes.view(gradient.shape))


def gaussian(std: float) -> Float[Tensor, " taps"]:
    """Return a Gaussian of this std in pixels, cut off at three of them, that adds up to 1."""
    radius = round(3 * std)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / std) ** 2)
    return kernel / kernel.sum()


def _std(band: Tensor) -> Tensor:
    return band.std(dim=(1, 2, 3), keepdim=True, correction=0).clamp_min_(TINY)
