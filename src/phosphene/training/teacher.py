"""A network as its own teacher: under attack its answers must stay those that it gave before, so no labels are needed.

This is how `lite` became robust from `lite-clean`. Sources: Schlarmann et al., "Robust CLIP" (ICML 2024), which keeps
features so; Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015), which keeps answers.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.zoo.graph import GraphNet


@dataclass(frozen=True)
class Lesson:
    """What a network must say about some pictures, however they are attacked.

    `answers` are the probabilities of its classes, `n classes`; `features` the means of its last layer over all
    positions, `n channels`, None for a network whose classes depend on positions.
    """

    answers: Tensor
    features: Tensor | None

    @property
    def labels(self) -> Tensor:
        """The most probable class of each picture."""
        return self.answers.argmax(dim=1)

    def loss(self, scores: Tensor, features: Tensor | None) -> Tensor:
        """Return how far another network is from this: KL divergence of answers plus relative distance of features."""
        loss = F.kl_div(scores.log_softmax(dim=1), self.answers, reduction="batchmean")
        if self.features is None or features is None:
            return loss
        return loss + ((features - self.features).square().sum(1) / self.features.square().sum(1)).mean()


class Teacher:
    """A frozen copy of a network, which gives lessons."""

    def __init__(self, net: GraphNet, dtype: torch.dtype) -> None:
        self._net = copy.deepcopy(net).eval().requires_grad_(False).to(dtype)

    def __call__(self, images: Tensor) -> Lesson:
        """Return what the network says about images, `n c h w` in [0, 1], as they are."""
        with torch.no_grad():
            scores, features = observed(self._net, images)
        return Lesson(scores.softmax(dim=1), features)


def observed(net: GraphNet, images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return a network's class scores for images, and the means of its last layer, if they decide the classes."""
    classes, pooled = str(net.card.classes), net.card.pooled
    found = net(images, [classes] if pooled is None else [classes, pooled])
    return found[classes].float(), None if pooled is None else found[pooled].float().mean(dim=(2, 3))
