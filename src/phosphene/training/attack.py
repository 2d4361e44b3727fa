"""Attacks on pictures: the change of a given length (L2) that makes a network err most.

A network that has learnt to withstand them looks at what people look at, so its gradients draw things and not noise.

Sources: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018). Shafahi et al.,
"Adversarial Training for Free!" (NeurIPS 2019): each look at a batch gives the weights' gradient and the next attack's.
Engstrom et al., "Adversarial Robustness as a Prior for Learned Representations" (2019): what such networks draw.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.base import Net

STEP = 0.7
"""How far an attack moves with each look, as a share of its length."""

LOOKS = 5
"""Steps of the attack that held-out pictures are tested with."""


def moved(change: Tensor, gradient: Tensor, length: float) -> Tensor:
    """Return the attack moved along the gradient of the loss, and not longer than `length`; both `n c h w`."""
    change = change + STEP * length * gradient / (_length(gradient) + torch.finfo(gradient.dtype).tiny)
    return change * (length / _length(change).clamp(min=length))


def _length(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def attacked(net: Net, images: Tensor, labels: Tensor, length: float) -> Tensor:
    """Return images that the network, whose weights need no gradients, gets wrong most, within `length` of these."""
    change = torch.zeros_like(images)
    for _ in range(LOOKS):
        seen = (images + change).clamp(0, 1).requires_grad_()
        scores = net(seen, [str(net.card.classes)])[str(net.card.classes)]
        (gradient,) = torch.autograd.grad(F.cross_entropy(scores.float(), labels), seen)
        change = moved(change, gradient, length)
    return (images + change).clamp(0, 1)
