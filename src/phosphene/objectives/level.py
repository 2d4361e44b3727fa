"""The unit of a response: its channel's std on photographs; channels that hardly ever respond are handled safely."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.nets.card import ActivationStatistics

QUIET = 1e-3
"""Share of the median std below which a channel hardly responds to photographs: dividing by such an std would let the
channel dominate the sum."""


def inverse_variance(statistics: ActivationStatistics) -> Float[Tensor, " c"]:
    """Return 1 / std^2 of each channel, and 0 for quiet ones, which leaves them out."""
    std, quiet, _ = _heard(statistics)
    return torch.where(quiet, 0.0, std.square().reciprocal())


def channel_std(statistics: ActivationStatistics | None, index: int) -> float:
    """Return the std of one channel, the median one if it is quiet; 1 without statistics."""
    if statistics is None:
        return 1.0
    std, quiet, median = _heard(statistics)
    return median if quiet[index] else float(std[index])


def _heard(statistics: ActivationStatistics) -> tuple[Tensor, Tensor, float]:
    """Return the channels' stds, which of them are quiet, and the median of those that are not silent."""
    std = statistics.std
    heard = std[std > 0]
    if not heard.numel():  # nothing is known of such a layer: all its channels count alike
        return torch.ones_like(std), torch.zeros_like(std, dtype=torch.bool), 1.0
    median = float(heard.median())
    return std, std < QUIET * median, median
