"""The unit of a response: its channel's usual deviation; channels that hardly ever respond are handled
safely."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.nets.card import Usual

QUIET = 1e-3
"""Of the median deviation: a channel below it hardly responds to natural pictures, and to divide by its
deviation would let it rule the sum."""


def inverse_variance(usual: Usual) -> Float[Tensor, " c"]:
    """1 / deviation^2 of each channel, and 0 for the quiet ones, which leaves them out."""
    quiet, _ = _quiet(usual)
    return torch.where(quiet, 0.0, usual.deviation.double().clamp_min(1e-30).square().reciprocal())


def channel_deviation(usual: Usual | None, index: int) -> float:
    """The deviation of one channel, the median one if it is quiet; 1 where usual levels are unknown."""
    if usual is None:
        return 1.0
    quiet, median = _quiet(usual)
    return median if quiet[index] else float(usual.deviation[index])


def _quiet(usual: Usual) -> tuple[Tensor, float]:
    heard = usual.deviation[usual.deviation > 0]
    if not heard.numel():  # nothing is known of such a layer: all its channels count alike
        return torch.zeros_like(usual.deviation, dtype=torch.bool), 1.0
    median = float(heard.median())
    return usual.deviation < QUIET * median, median
