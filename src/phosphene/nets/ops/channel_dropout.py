"""Channel dropout: run a network with a random share of its channels left out.

An image that most such networks respond to also works for networks it was not made with.

Source: Srivastava et al., "Dropout: A simple way to prevent neural networks from overfitting" (JMLR 2014), applied
to an image: there a network learns to work without some of its units, here the image must.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from phosphene.nets.base import Net
from phosphene.types import Image

MOST_IMAGE_CHANNELS = 4
"""The most input channels of a convolution that are taken to be the image's own, which are never left out."""


def apply_channel_dropout(
    net: Net, image: Image, layers: Collection[str], share: float, *, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return `net(image, layers)` with a random `share` of the input channels of each layer set to zero.

    The other channels are scaled up by 1 / (1 - share), so that the expected activations stay the same. The masks are
    multiplied into copies of the weights, which costs little compared with a convolution; the net is not changed.

    >>> from phosphene.nets.zoo import pocket
    >>> rng = torch.Generator().manual_seed(0)
    >>> apply_channel_dropout(pocket.load(), torch.rand(1, 3, 64, 64), ["mixed3a"], 0.1, generator=rng)["mixed3a"].shape
    torch.Size([1, 288, 16, 16])

    Args:
        net: the network.
        image: a batch of images in [0, 1].
        layers: the layers to return.
        share: of the channels, from 0 (none) to below 1.
        generator: the masks are drawn from it, on the CPU.
    """
    assert 0 <= share < 1, "a share of the channels must be left"
    if not share:
        return net(image, layers)
    weights = {}
    for name, weight in net.named_parameters():
        if weight.dim() > 1 and weight.shape[1] > MOST_IMAGE_CHANNELS:
            kept = torch.rand(weight.shape[1], generator=generator) >= share
            mask = (kept / (1 - share)).to(weight).view(1, -1, *[1] * (weight.dim() - 2))
            weights[name] = weight * mask
    return torch.func.functional_call(net, weights, (image, layers))
