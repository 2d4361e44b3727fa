"""A canvas whose waves have the magnitudes of photographs, for good: only their phases are free."""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.canvas.base import Canvas, squash, unsquash
from phosphene.canvas.colour import from_rgb, to_rgb
from phosphene.canvas.fourier import CONTRAST, grey, times_counted
from phosphene.types import Image, Size


class PhaseCanvas(Canvas):
    """An image of which only the phases of the waves can change, so that no step can draw noise that shows as grain.

    >>> natural = torch.ones(3, 5, 5)
    >>> PhaseCanvas(natural, (48, 65), count=2, generator=torch.Generator().manual_seed(0))().shape
    torch.Size([2, 3, 48, 65])

    The magnitudes are those of decorrelated colours before the sigmoid. The mean colour is that of photographs. Waves
    that are their own mirror image, of the highest frequency of a side, have no phase.

    Args:
        natural: the magnitudes in photographs, as `natural_magnitudes` takes them.
        size: (height, width) in pixels, each from 1.
        count: number of images.
        generator: the RNG of the phases that the canvas begins with.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
    (NeurIPS 2023).
    """

    def __init__(
        self, natural: Float[Tensor, "3 rows columns"], size: Size, count: int = 1, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.size = size
        self.natural = natural
        self.register_buffer("magnitudes", natural_magnitudes(natural, size), persistent=False)
        shape = (count, 3, size[0], size[1] // 2 + 1)
        self.phases = nn.Parameter(math.tau * torch.rand(shape, generator=generator) - math.pi)

    def forward(self) -> Image:
        waves = torch.polar(self.get_buffer("magnitudes").expand_as(self.phases), mirrored(self.phases, self.size[1]))
        colours = CONTRAST * to_rgb(torch.fft.irfft2(waves, s=self.size, norm="ortho"))
        return squash(colours + grey(colours))

    def showing(self, image: Image) -> PhaseCanvas:
        """Return a canvas of the phases of `image`; its magnitudes, and so its contrasts, are those of photographs."""
        size = (image.shape[-2], image.shape[-1])
        canvas = PhaseCanvas(self.natural, size, 0, generator=torch.Generator())
        canvas.phases = nn.Parameter(waves_of(image).angle())
        return canvas


def waves_of(image: Image) -> Complex[Tensor, "n 3 h half_w"]:
    """Return the waves of an image, of its decorrelated colours before the sigmoid, by an orthonormal `rfft2`."""
    return torch.fft.rfft2(from_rgb((unsquash(image) - grey(image)) / CONTRAST), norm="ortho")


def mirrored(phases: Float[Tensor, "n 3 h half_w"], width: int) -> Float[Tensor, "n 3 h half_w"]:
    """Return phases of which those of each wave and its mirror image are opposite, as in the waves of any image.

    Only the first column of `rfft2`, and the last one of an even width, have both; the inverse transform would add
    other phases up, and change the magnitudes.
    """
    both = [0, width // 2] if width % 2 == 0 and width > 1 else [0]
    columns = phases[..., both]
    opposite = torch.cat((columns[..., :1, :], columns[..., 1:, :].flip(-2)), dim=-2)
    half = (columns - opposite) / 2
    inner = phases[..., 1 : width // 2] if len(both) == 2 else phases[..., 1:]
    return torch.cat((half[..., :1], inner, half[..., 1:]), dim=-1)


def natural_magnitudes(natural: Float[Tensor, "3 rows columns"], size: Size) -> Float[Tensor, "3 h half_w"]:
    """Return the magnitudes of photographs for each wave of `rfft2` of an image of this size.

    Between the given frequencies their logarithm is interpolated; below the lowest of them magnitudes grow as
    1 / frequency. Contrasts are those of photographs of any size.

    Args:
        natural: mean magnitudes for 0 to 1/2 wave a pixel, down and across.
        size: (height, width) in pixels.
    """
    rows, columns = torch.fft.fftfreq(size[0]).abs(), torch.fft.rfftfreq(size[1]).abs()
    places = torch.stack(torch.broadcast_tensors(columns, rows[:, None]), dim=-1)  # x and y
    last = torch.tensor([natural.shape[2] - 1, natural.shape[1] - 1])
    radius = (places * 2 * last).norm(dim=-1, keepdim=True)
    below = radius.clamp(max=1).clamp(min=1e-9)
    known = natural.clone()
    known[:, 0, 0] = (natural[:, 0, 1] * natural[:, 1, 0]).sqrt()
    grid = (places / below * 4 - 1).clamp(-1, 1)
    found = F.grid_sample(known.log()[None], grid[None].to(known), align_corners=True)[0].exp() / below[..., 0]
    found[:, 0, 0] = 0
    return found * (_contrast(natural) / _std(found, size)).view(3, 1, 1)


def _std(magnitudes: Float[Tensor, "3 h half_w"], size: Size) -> Float[Tensor, 3]:
    """Return the std of the planes of an image with these magnitudes."""
    return ((magnitudes.square() * times_counted(size[1])).sum(dim=(1, 2)) / math.prod(size)).sqrt().clamp(min=1e-12)


def _contrast(natural: Float[Tensor, "3 rows columns"]) -> Float[Tensor, 3]:
    """Return the std of the planes of photographs: `natural` has a quarter of the waves of a square image."""
    weight = torch.full(natural.shape[1:], 4.0)
    weight[0] = weight[:, 0] = weight[-1] = weight[:, -1] = 2.0
    weight[0, 0] = weight[0, -1] = weight[-1, 0] = weight[-1, -1] = 1.0
    pixels = 4 * (natural.shape[1] - 1) * (natural.shape[2] - 1)
    return ((natural.square() * weight).sum(dim=(1, 2)) / pixels).sqrt()
