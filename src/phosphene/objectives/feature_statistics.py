"""How unlike a photograph a picture's responses are, whatever it shows: the prior that keeps unnatural texture out.

Source: Yin et al., "Dreaming to Distill: Data-free Knowledge Transfer via DeepInversion" (CVPR 2020), section 3.2,
where the statistics are those that batch norm keeps.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from phosphene.nets.card import ActivationStatistics
from phosphene.types import Features

FLOOR = 0.05
"""Share of the mean std that is added to each channel's own, so that silent channels do not dominate the sum."""


def feature_statistics_loss(
    activation: Features, statistics: ActivationStatistics, views: int = 1
) -> Float[Tensor, " pictures"]:
    """Return the mean squared distance of each channel's mean and std from those on photographs, in stds.

    From 0, responses distributed as those to photographs, up. Each `views` neighbours in the batch are views of one
    picture, and are compared together.

    >>> import torch
    >>> statistics = ActivationStatistics(torch.zeros(3), torch.zeros(3) + 1e-3, torch.zeros(3))
    >>> feature_statistics_loss(torch.zeros(4, 3, 5, 5), statistics, views=2).shape
    torch.Size([2])
    """
    n, channels = activation.shape[0] // views, activation.shape[1]
    # In channels-last format, as convolutions leave it, this is not a copy.
    responses = activation.permute(0, 2, 3, 1).reshape(n, -1, channels)
    each = responses.new_full((1, responses.shape[1]), 1 / responses.shape[1]).expand(n, 1, -1)
    # As products: the squares' sums are accumulated in float32 and nothing the size of the layer is converted.
    mean = (each @ responses).float().squeeze(1)
    square = (each @ responses.square()).float().squeeze(1)
    std = (square - mean.square()).clamp(min=1e-6).sqrt()
    unit = (statistics.std + FLOOR * statistics.std.mean()).to(mean)
    shift = (mean - statistics.mean.to(mean)) / unit
    spread = (std - statistics.std.to(mean)) / unit
    return (shift.square() + spread.square()).mean(dim=1)
