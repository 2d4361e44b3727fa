"""A canvas of waves: an image's spectrum, weighted as the spectra of photographs are."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.canvas.base import Canvas, squash, unsquash
from phosphene.canvas.colour import MEAN, from_rgb, to_rgb
from phosphene.types import Image, Size

CONTRAST = 4.0
"""Undoes the slope of the sigmoid at grey, so that a spectrum of std 1 has natural contrast."""

START = 0.1
"""Std of the first spectrum, where 1 is a photograph's contrast: faint enough to leave the composition open."""


class FourierCanvas(Canvas):
    """An image written as the amplitudes of its waves, so that ascent draws large shapes before fine ones.

    >>> FourierCanvas((48, 65), count=2, generator=torch.Generator().manual_seed(0))().shape
    torch.Size([2, 3, 48, 65])

    The amplitudes of natural images fall as 1 / frequency. Each wave is scaled by frequency to the power `-decay`, so
    that a step of the same length in every parameter has natural proportions.

    Args:
        size: (height, width) in pixels, each from 1; odd ones too.
        count: number of images.
        channels: number of channels; natural colours are those of three, RGB.
        decay: 0 for white, 1 for natural proportions; with more, fine detail takes more steps to appear.
        decorrelate: whether the three planes are the decorrelated directions of natural colours, or red, green and
            blue.
        generator: the RNG of the faint noise that the canvas begins with.

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017); Mordvintsev et al., "Differentiable
    Image Parameterizations" (Distill 2018).
    """

    def __init__(
        self,
        size: Size,
        count: int = 1,
        *,
        channels: int = 3,
        decay: float = 1.0,
        decorrelate: bool = True,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.size = size
        self.decay = decay
        self.decorrelate = decorrelate and channels == len(MEAN)
        self.register_buffer("weights", spectrum_weights(size, decay), persistent=False)
        shape = (count, channels, size[0], size[1] // 2 + 1, 2)
        self.spectrum = nn.Parameter(START * torch.randn(shape, generator=generator))

    def forward(self) -> Image:
        waves = torch.view_as_complex(self.spectrum) * self.get_buffer("weights")
        planes = torch.fft.irfft2(waves, s=self.size, norm="ortho")
        colours = CONTRAST * (to_rgb(planes) if self.decorrelate else planes)
        return squash(colours + grey(colours))

    @classmethod
    def from_image(cls, image: Image, *, decay: float = 1.0, decorrelate: bool = True) -> FourierCanvas:
        """Return a canvas that gives `image`, to within a quarter of an 8-bit step."""
        size = (image.shape[-2], image.shape[-1])
        channels = image.shape[1]
        canvas = cls(size, 0, channels=channels, decay=decay, decorrelate=decorrelate, generator=torch.Generator())
        colours = (unsquash(image) - grey(image)) / CONTRAST
        planes = from_rgb(colours) if canvas.decorrelate else colours
        waves = torch.fft.rfft2(planes, norm="ortho") / canvas.get_buffer("weights")
        canvas.spectrum = nn.Parameter(torch.view_as_real(waves).contiguous())
        return canvas

    @classmethod
    def from_spectrum(cls, spectrum: Tensor, size: Size, *, decay: float = 1.0) -> FourierCanvas:
        """Return the canvas of this size whose parameters these are; it shares their memory."""
        canvas = cls(size, 0, channels=spectrum.shape[1], decay=decay, generator=torch.Generator())
        canvas.spectrum = nn.Parameter(spectrum)
        return canvas

    def around(self, image: Image) -> FourierCanvas:
        """Return a canvas that gives `image`, `1 c h w`, as it is changed by this canvas's own faint noise."""
        canvas = self.showing(image)
        canvas.spectrum = nn.Parameter(canvas.spectrum.detach() + self.spectrum.detach())
        return canvas

    def showing(self, image: Image) -> FourierCanvas:
        return FourierCanvas.from_image(image, decay=self.decay, decorrelate=self.decorrelate)


def grey(like: Tensor) -> Tensor:
    """Return the mean colour before the sigmoid, for images as `like`; mid-grey for channels other than RGB."""
    mean = MEAN if like.shape[1] == len(MEAN) else (0.5,) * like.shape[1]
    return torch.logit(torch.tensor(mean)).to(like).view(1, -1, 1, 1)


def times_counted(width: int) -> Float[Tensor, " half_w"]:
    """Return how often an image of this width has the waves of each column of `rfft2`: inner ones are mirrored too."""
    twice = torch.full((width // 2 + 1,), 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    return twice


@lru_cache(maxsize=8)
def spectrum_weights(size: Size, decay: float) -> Float[Tensor, "h half_w"]:
    """Return frequency (cycles per pixel) to the power `-decay` for each wave of `rfft2`.

    Scaled so that a spectrum of std 1 gives an image of std 1. Frequency 0, the mean colour, has the weight of the
    longest wave.
    """
    height, width = size
    rows, columns = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    frequency = torch.hypot(rows[:, None], columns[None, :]).clamp(min=1 / max(size))
    weights = frequency**-decay
    return weights / (2 * weights.square() * times_counted(width)).sum().div(height * width).sqrt()
