"""Random changes that a network hears a sound through: another moment, speed, level, room, and some noise."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

LEVEL = 8.0
"""Largest change of level in dB, up or down."""

NOISE = (-32.0, -62.0)
"""Loudest and softest noise that is added, in dB relative to the sound."""

TILT = 2.5
"""Std in dB of the random equaliser, at 6 points over the bands."""


def excerpts(
    wave: Float[Tensor, "n samples"], count: int, samples: int, speed: float, *, generator: torch.Generator
) -> Float[Tensor, "views heard"]:
    """Return `count` excerpts of each sound from random moments, at random speeds and levels, with noise.

    A sound that is too short is repeated. Speed and pitch change together, by up to a share `speed` either way.
    """
    views = []
    for each in wave:
        for _ in range(count):
            length = round(samples * math.exp(_either(speed, generator)))
            whole = each if len(each) >= length else each.repeat(-(-length // len(each)))
            begin = int(torch.randint(0, len(whole) - length + 1, (), generator=generator))
            part = whole[begin : begin + length]
            views.append(F.interpolate(part[None, None], size=samples, mode="linear", align_corners=True)[0, 0])
    heard = torch.stack(views)
    levels = torch.tensor([[_either(LEVEL, generator)] for _ in views])
    heard = heard * 10 ** (levels / 20)
    strength = heard.detach().square().mean(dim=1, keepdim=True).sqrt()
    softness = NOISE[0] + (NOISE[1] - NOISE[0]) * torch.rand(len(views), 1, generator=generator)
    return heard + torch.randn(heard.shape, generator=generator) * strength * 10 ** (softness / 20)


def equalised(
    log_mel: Float[Tensor, "n 1 frames bands"], gain: float, *, generator: torch.Generator
) -> Float[Tensor, "n 1 frames bands"]:
    """Return spectrograms, log10(gain * power + 1), as a random smooth equaliser would leave them."""
    points = torch.randn(len(log_mel), 1, 6, generator=generator) * TILT / 10
    curve = F.interpolate(points, size=log_mel.shape[3], mode="linear", align_corners=True)[:, :, None]
    return torch.log10((10**log_mel - 1).clamp(min=0) * 10**curve + 1)


def _either(largest: float, generator: torch.Generator) -> float:
    return largest * (2 * float(torch.rand((), generator=generator)) - 1)
