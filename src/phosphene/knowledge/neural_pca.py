"""What tells the pictures of a class from one another, as far as it moves the class's logit: neural PCA.

The logit of a class before a linear head is a sum over channels: bias + sum of w_c * mean of f_c. The summands of each
picture are a vector; the principal components of these vectors are what varies among the pictures. How far a component
moves the logit of a picture is its coefficient times the sum of the component's entries, and over all components these
add up to the picture's logit less that of the mean picture.

Source: Neuhaus et al., "Spurious Features Everywhere" (ICCV 2023), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.nets.base import Net
from phosphene.types import Features


@dataclass(frozen=True)
class Component:
    """One principal component of class-weighted features.

    Attributes:
        vector: `c`, of length 1.
        share: of the variance of the class-weighted features, 0 to 1.
        moves: `n`, by how much the component moves the logit of each picture.
        maps: `n 1 rows columns`, each position's share in that, before the mean picture's is taken off.
    """

    vector: Tensor
    share: float
    moves: Tensor
    maps: Tensor


@torch.no_grad()
def class_weights(net: Net, indices: list[int]) -> Float[Tensor, " c"]:
    """Return the weight of each channel of the network's `pooled` layer in the mean logit of some classes."""
    assert net.card.pooled is not None, "the head is linear"
    channels = net.card.layer(net.card.pooled).channels
    weight = next(net.parameters())
    zero = torch.zeros(1, channels, device=weight.device)
    unit = torch.eye(channels, device=weight.device)
    return (net.head(unit) - net.head(zero))[:, indices].float().mean(dim=1).cpu()


def components(features: Features, weights: Float[Tensor, " c"], count: int) -> list[Component]:
    """Return the principal components of class-weighted features, the one with the largest variance first.

    Args:
        features: the activations of the pooled layer for pictures of the class, `n c rows columns`.
        weights: those of `class_weights`.
        count: the most components; there are never more than pictures less one.
    """
    weighted = features.double() * weights.double().view(1, -1, 1, 1)
    rows = weighted.mean(dim=(2, 3))
    centred = rows - rows.mean(dim=0)
    _, singular, vectors = torch.linalg.svd(centred, full_matrices=False)
    variance = singular.square()
    found = []
    for vector, share in list(zip(vectors, variance / variance.sum().clamp(min=1e-12), strict=True))[:count]:
        gain = vector.sum()
        maps = torch.einsum("nchw,c->nhw", weighted, vector)[:, None] * gain
        found.append(Component(vector.float(), float(share), (centred @ vector * gain).float(), maps.float()))
    return found[: len(features) - 1]
