"""A canvas of pixels, which dreams are made on."""

from __future__ import annotations

import torch
from torch import nn

from phosphene.canvas.base import Canvas
from phosphene.canvas.colour import MEAN, mix, step_matrix
from phosphene.types import Image


class PixelCanvas(Canvas):
    """An image written as its pixels, which moves in natural colours and slows down near black and white.

    >>> PixelCanvas(torch.rand(1, 3, 48, 64), natural_colour=1.2, headroom=0.1)().shape
    torch.Size([1, 3, 48, 64])

    Args:
        image: the pixels to begin with; the canvas holds them and never changes them, unless an optimizer does.
        natural_colour: how closely steps follow the colours of natural images, 0 (not at all) to 4.
        headroom: distance to black or white, as a share of the range, at which a step is halved; 0 clips steps
            instead (the 2015 behaviour).
    """

    def __init__(self, image: Image, *, natural_colour: float = 0.0, headroom: float = 0.0) -> None:
        super().__init__()
        self.size = (image.shape[-2], image.shape[-1])
        self.natural_colour = natural_colour
        self.headroom = headroom
        self.pixels = nn.Parameter(image)

    def forward(self) -> Image:
        return self.pixels

    def showing(self, image: Image) -> PixelCanvas:
        return PixelCanvas(image, natural_colour=self.natural_colour, headroom=self.headroom)

    def settle(self) -> None:
        with torch.no_grad():
            self.pixels.clamp_(0, 1)

    def uphill(self, gradient: Image) -> Image:
        """Return the direction of a step in decorrelated colours; channels other than RGB are left as they are."""
        if gradient.shape[1] != len(MEAN):
            return gradient
        return mix(gradient, step_matrix(self.natural_colour))

    def moved(self, direction: Image, step_size: float) -> PixelCanvas:
        return self.showing(ascend(self.pixels.detach(), direction, step_size, self.headroom))


def ascend(image: Image, direction: Image, step_size: float, headroom: float) -> Image:
    """Return `image + step_size * direction`, within [0, 1], as a new tensor.

    With `headroom` h > 0, a step at distance d from the end of the range that it approaches is scaled by
    d (1 + h) / (d + h): whole at the other end, about half at a distance of h, zero at the end itself.
    """
    if headroom == 0:
        return torch.add(image, direction, alpha=step_size).clamp_(0, 1)
    # Plane by plane, so that the temporaries of a large canvas stay a fraction of it.
    moved = torch.empty_like(image)
    planes = zip(image.flatten(0, 1), direction.flatten(0, 1), moved.flatten(0, 1), strict=True)
    for pixels, step, out in planes:
        scaled = torch.where(step > 0, 1 - pixels, pixels)
        scaled.div_(scaled + headroom).mul_(step)
        torch.add(pixels, scaled, alpha=step_size * (1 + headroom), out=out).clamp_(0, 1)
    return moved
