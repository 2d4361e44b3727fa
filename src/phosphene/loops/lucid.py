"""Feature visualisation as it was published: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017).

A picture in decorrelated colour and Fourier space, moved by Adam up the gradient of what the network makes of it behind
a few random transformations. All numbers are those of the authors' library, lucid 0.3 (`optvis/render.py`,
`optvis/transform.py`, `optvis/param`). `loops.imagine` is what grew out of it here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.gradients.engine import Engine
from phosphene.loops.imagine import ImagineState, adam
from phosphene.loops.stages import check
from phosphene.loops.step import StillStep as Step
from phosphene.types import Image, Size

START = 0.01
"""Deviation of the first spectrum."""

PAD, GREY = 12, 0.5
FIRST_JITTER, LAST_JITTER = 8, 4
SCALES = [1 + (i - 5) / 50 for i in range(11)]
ANGLES = [*range(-10, 11), 0, 0, 0, 0, 0]
"""Degrees."""

MOMENTS = (0.9, 0.999)
COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the colour covariance of ImageNet's pictures."""


def lucid_steps(
    engine: Engine,
    *,
    steps: int,
    rate: float,
    decay: float,
    count: int = 1,
    seed: int = 0,
    size: Size = (128, 128),
    state: ImagineState | None = None,
) -> Iterator[Step]:
    """Visualise what raises the engine's objective, step by step; lucid's own are 512 steps at 0.05, and decay 1.

    Args:
        engine: its network and objective are looked at from 512 random places, one a step.
        steps: from 1.
        rate: Adam's, above 0.
        decay: amplitudes fall as frequency to this power, from 0.
        count: how many pictures, each from other noise.
        seed: what all chance is drawn from.
        size: (height, width) of the canvas, from 16: what the transformations cut off is less.
        state: a step's `state`, to go on from there to the same bytes as without a break.

    Raises:
        SettingError: for a number out of its range.
    """
    check("steps", steps, steps >= 1, "1 or more")
    check("size", size, min(size) >= 16, "16 pixels or more on each side")
    if state is None:
        shape = (count, 3, size[0], size[1] // 2 + 1, 2)
        spectrum = START * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        state = ImagineState(0, 0, spectrum, torch.zeros_like(spectrum), torch.zeros_like(spectrum))
    for step in range(state.step, steps):
        spectrum = state.spectrum.detach().requires_grad_()
        seen = transformed(picture(spectrum, size, decay), random.Random(f"{seed}/{step}"))
        scores, direction = engine(seen.detach())
        (gradient,) = torch.autograd.grad(seen, spectrum, direction)
        state = adam(state, gradient, rate, MOMENTS)
        yield Step(
            image=picture(state.spectrum.detach(), size, decay),
            scores=scores,
            octave=0,
            octaves=1,
            step=step + 1,
            steps=steps,
            progress=(step + 1) / steps,
            state=state,
        )


def picture(spectrum: Float[Tensor, "n 3 h half 2"], size: Size, decay: float) -> Float[Tensor, "n 3 height width"]:
    """The picture of a spectrum: waves, decorrelated colours, a sigmoid."""
    frequency = torch.hypot(torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None, :])
    weights = frequency.clamp(min=1 / max(size)) ** -decay
    planes = torch.fft.irfft2(torch.view_as_complex(spectrum) * weights, s=size, norm="ortho") / 4
    colours = torch.tensor(COLOURS)
    colours = colours / colours.norm(dim=0).max()
    return torch.sigmoid(torch.einsum("ij,njhw->nihw", colours, planes))


def transformed(image: Image, rng: random.Random) -> Float[Tensor, "n 3 height width"]:
    """Padded with grey, jittered, scaled, turned and jittered again, all pictures alike."""
    image = _jitter(F.pad(image, (PAD,) * 4, value=GREY), FIRST_JITTER, rng)
    scale = rng.choice(SCALES)
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    image = F.interpolate(image, size, mode="bilinear", align_corners=False)
    angle = math.radians(rng.choice(ANGLES))
    aspect = image.shape[-1] / image.shape[-2]
    turn = [[math.cos(angle), -math.sin(angle) / aspect, 0], [math.sin(angle) * aspect, math.cos(angle), 0]]
    grid = F.affine_grid(torch.tensor(turn).expand(len(image), 2, 3), list(image.shape), align_corners=False)
    return _jitter(F.grid_sample(image, grid, align_corners=False), LAST_JITTER, rng)


def _jitter(image: Tensor, pixels: int, rng: random.Random) -> Tensor:
    """A random crop that is smaller by `pixels`."""
    top, left = rng.randint(0, pixels), rng.randint(0, pixels)
    height, width = image.shape[-2] - pixels, image.shape[-1] - pixels
    return image[:, :, top : top + height, left : left + width]
