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
    deviation, quiet, _ = _heard(usual)
    return torch.where(quiet, 0.0, deviation.square().reciprocal())


def channel_deviation(usual: Usual | None, index: int) -> float:
    """The deviation of one channel, the median one if it is quiet; 1 where usual levels are unknown."""
    if usual is None:
        return 1.0
    deviation, quiet, median = _heard(usual)
    return median if quiet[index] else float(deviation[index])


def _heard(usual: Usual) -> tuple[Tensor, Tensor, float]:
    """The channels' deviations, which of them are quiet, and the median of those that are not silent."""
    deviation = usual.deviation
    heard = deviation[deviation > 0]
    if not heard.numel():  # nothing is known of such a layer: all its channels count alike
        return torch.ones_like(deviation), torch.zeros_like(deviation, dtype=torch.bool), 1.0
    median = float(heard.median())
    return deviation, deviation < QUIET * median, median
