"""What is done to a gradient before it is a step: always to that of the whole canvas, never to a tile's.

A raw gradient is ruled by its loudest places, its finest scale, and colours that natural pictures do not have.
Dividing by the mean magnitude (the 2015 notebook) makes all steps equally long; equalising a Laplacian pyramid
(TensorFlow's DeepDream notebook, Mordvintsev 2016) makes all scales equally strong, so that shapes grow together
with texture; weighing the colours as natural pictures do keeps a dream from drowning in magenta and green.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.registry import Registry
from phosphene.types import Image

LEVELS = 4
"""Levels of the Laplacian pyramid: bands around 2, 4 and 8 pixels are equalised, what is coarser is the fourth."""

SMALLEST_LEVEL = 8
"""Sides in pixels under which a level is not split further: its deviation would be that of a handful of values."""

BLUR_STD = 1.0
"""Of the Gaussian that "blur" takes, in pixels: removes the checkerboard of stride 2 and leaves lines alone."""

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
    """Divide each level of the gradient's Laplacian pyramid by its deviation, then `normalise` their sum."""
    bands: list[Tensor] = []
    rest = gradient
    while len(bands) < LEVELS - 1 and min(rest.shape[-2:]) >= 2 * SMALLEST_LEVEL:
        # The triangle filter of an antialiased halving is the binomial (1 3 3 1) / 8.
        half = [(side + 1) // 2 for side in rest.shape[-2:]]
        low = F.interpolate(rest, half, mode="bilinear", antialias=True)
        bands.append(rest.sub_(_enlarge(low, rest)))
        rest = low
    total = rest.div_(_std(rest))
    for band in reversed(bands):
        total = band.div_(_std(band)).add_(_enlarge(total, band))
    return normalise(total)


@shapings.register("blur")
def blur(gradient: Image) -> Image:
    """Blur the gradient a little, then `normalise` it."""
    radius = round(3 * BLUR_STD)
    offsets = torch.arange(-radius, radius + 1, dtype=gradient.dtype, device=gradient.device)
    kernel = torch.exp(-0.5 * (offsets / BLUR_STD) ** 2)
    kernel /= kernel.sum()
    n, channels, height, width = gradient.shape
    planes = gradient.view(n * channels, 1, height, width)
    planes = F.conv2d(F.pad(planes, (0, 0, radius, radius), mode="replicate"), kernel.view(1, 1, -1, 1))
    planes = F.conv2d(F.pad(planes, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    return normalise(planes.view(gradient.shape))


def weigh_colours(gradient: Image, matrix: Float[Tensor, "3 3"]) -> Image:
    """Multiply each pixel's gradient by `matrix`: a step taken in another colour space, seen from RGB.

    With the space's parameters p and `rgb = A p`, an ascent step in p moves RGB along `A A^T gradient`. A gradient that
    has other than three channels has no colours, and is returned as it is.
    """
    if gradient.shape[1] != 3:
        return gradient
    return torch.einsum("ij,njhw->nihw", matrix.to(gradient), gradient)


def _enlarge(low: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(low, like.shape[-2:], mode="bilinear", align_corners=False)


def _std(band: Tensor) -> Tensor:
    return band.std(dim=(1, 2, 3), keepdim=True, correction=0).clamp_min_(TINY)
