"""The plainest canvas: a number for each colour of each pixel."""

from __future__ import annotations

import torch
from torch import nn

from phosphene.canvas.base import Canvas, squash, unsquash
from phosphene.types import Image, Size

CONTRAST = 0.05
"""Deviation of the noise that it starts from, before the sigmoid: about one hundredth of black to white."""


class PixelCanvas(Canvas):
    """A picture written as its pixels, kept within [0, 1] by a sigmoid.

    >>> PixelCanvas((48, 64), generator=torch.Generator().manual_seed(0))().shape
    torch.Size([1, 3, 48, 64])

    Ascent on it favours fine noise, since every pixel is as easily reached as every other; it is here to compare with.

    Args:
        size: (height, width) in pixels, each from 1.
        count: how many pictures.
        generator: what the faint noise that it starts from is drawn from.
    """

    def __init__(self, size: Size, count: int = 1, *, generator: torch.Generator) -> None:
        super().__init__()
        self.size = size
        noise = torch.randn(count, 3, *size, generator=generator)
        self.pixels = nn.Parameter(CONTRAST * noise)

    def forward(self) -> Image:
        return squash(self.pixels)

    @classmethod
    def from_image(cls, image: Image) -> PixelCanvas:
        canvas = cls((image.shape[-2], image.shape[-1]), len(image), generator=torch.Generator())
        canvas.pixels = nn.Parameter(unsquash(image))
        return canvas
