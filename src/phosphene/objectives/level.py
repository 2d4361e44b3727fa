"""The unit of a response: its channel's usual deviation; channels that hardly ever respond are handled
safely."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.nets.card import ActivationStatistics

QUIET = 1e-3
"""Of the median deviation: a channel below it hardly responds to natural pictures, and to divide by its
deviation would let it rule the sum."""


def inverse_variance(statistics: ActivationStatistics) -> Float[Tensor, " c"]:
    """1 / deviation^2 of each channel, and 0 for the quiet ones, which leaves them out."""
    std, quiet, _ = _heard(statistics)
    return torch.where(quiet, 0.0, std.square().reciprocal())


def channel_std(statistics: ActivationStatistics | None, index: int) -> float:
    """The deviation of one channel, the median one if it is quiet; 1 where usual levels are unknown."""
    if statistics is None:
        return 1.0
    std, quiet, median = _heard(statistics)
    return median if quiet[index] else float(std[index])


def _heard(statistics: ActivationStatistics) -> tuple[Tensor, Tensor, float]:
    """The channels' deviations, which of them are quiet, and the median of those that are not silent."""
    std = statistics.std
    heard = std[std > 0]
    if not heard.numel():  # nothing is known of such a layer: all its channels count alike
        return torch.ones_like(std), torch.zeros_like(std, dtype=torch.bool), 1.0
    median = float(heard.median())
    return std, std < QUIET * median, median
