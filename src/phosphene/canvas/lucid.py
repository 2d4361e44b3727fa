"""The canvas of lucid, the library of Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017).

All numbers are those of lucid 0.3 (`optvis/param/spatial.py`, `optvis/param/color.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.canvas.base import Canvas, squash, unsquash
from phosphene.canvas.colour import mix
from phosphene.types import Image, Size

START = 0.01
"""Std of the first spectrum."""

CONTRAST = 4
"""The divisor of the planes."""

COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the colour covariance of ImageNet's images."""


class LucidCanvas(Canvas):
    """An image as lucid writes it: waves in decorrelated colours, through a sigmoid.

    >>> LucidCanvas((48, 65), count=2, generator=torch.Generator().manual_seed(0))().shape
    torch.Size([2, 3, 48, 65])

    Args:
        size: (height, width) in pixels.
        count: number of images.
        decay: amplitudes fall as frequency to this power, from 0; lucid's own is 1.
        generator: the RNG of the noise that the canvas begins with.
    """

    def __init__(self, size: Size, count: int = 1, *, decay: float = 1.0, generator: torch.Generator) -> None:
        super().__init__()
        self.size = size
        self.decay = decay
        frequency = torch.hypot(torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None, :])
        self.register_buffer("weights", frequency.clamp(min=1 / max(size)) ** -decay, persistent=False)
        shape = (count, 3, size[0], size[1] // 2 + 1, 2)
        self.spectrum = nn.Parameter(START * torch.randn(shape, generator=generator))

    def forward(self) -> Image:
        waves = torch.view_as_complex(self.spectrum) * self.get_buffer("weights")
        planes = torch.fft.irfft2(waves, s=self.size, norm="ortho") / CONTRAST
        return squash(mix(planes, _colours()))

    def showing(self, image: Image) -> LucidCanvas:
        size = (image.shape[-2], image.shape[-1])
        canvas = LucidCanvas(size, 0, decay=self.decay, generator=torch.Generator())
        planes = CONTRAST * mix(unsquash(image), torch.linalg.inv(_colours().double()))
        waves = torch.fft.rfft2(planes, norm="ortho") / canvas.get_buffer("weights")
        canvas.spectrum = nn.Parameter(torch.view_as_real(waves).contiguous())
        return canvas


def _colours() -> Tensor:
    colours = torch.tensor(COLOURS)
    return colours / colours.norm(dim=0).max()
