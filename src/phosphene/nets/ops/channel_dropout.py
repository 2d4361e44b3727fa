"""Networks of which a part is missing: what holds for most of them holds for networks that nobody has seen.

Source: Srivastava et al., "Dropout: A simple way to prevent neural networks from overfitting" (JMLR 2014), turned
around: there a network must do without some of its units, here a picture must do without some of a network's.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from phosphene.nets.base import Net
from phosphene.types import Image

COLOURS = 4
"""Up to so many inputs are taken to be a picture's colours, which are never left out."""


def apply_channel_dropout(
    net: Net, image: Image, layers: Collection[str], share: float, *, generator: torch.Generator
) -> dict[str, Tensor]:
    """`net(image, layers)` where each convolution is deaf to a random `share` of its input channels.

    What is heard is that much louder. `share` is from 0 (the net as it is) to below 1. The net is not changed, and
    needs no hooks: the masks are multiplied into copies of its weights, which costs little next to a convolution.

    >>> from phosphene.nets.zoo import pocket
    >>> rng = torch.Generator().manual_seed(0)
    >>> apply_channel_dropout(pocket.load(), torch.rand(1, 3, 64, 64), ["mixed3a"], 0.1, generator=rng)["mixed3a"].shape
    torch.Size([1, 288, 16, 16])
    """
    assert 0 <= share < 1, "a share of the channels must be left"
    if not share:
        return net(image, layers)
    weights = {}
    for name, weight in net.named_parameters():
        if weight.dim() > 1 and weight.shape[1] > COLOURS:
            heard = torch.rand(weight.shape[1], generator=generator) >= share
            mask = (heard / (1 - share)).to(weight).view(1, -1, *[1] * (weight.dim() - 2))
            weights[name] = weight * mask
    return torch.func.functional_call(net, weights, (image, layers))
