"""Exact t-SNE: points of many dimensions laid out in two, so that near ones stay near.

Source: van der Maaten and Hinton, "Visualizing Data using t-SNE" (JMLR 2008); the learning rate after Belkina et al.
(Nature Communications 2019); points beyond the landmarks are placed as Poličar, Stražar and Zupan place new ones
("Embedding to Reference t-SNE Space", 2021), without moving them further.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EXAGGERATION, EXAGGERATED = 12.0, 250
"""How strongly points attract one another in the beginning, and for how many steps, so that clusters can form."""

MOMENTUM = (0.5, 0.8)
"""While exaggerated, and afterwards."""

LEAST_GAIN = 0.01

SEARCHES = 50
"""Halvings in the search for each point's width."""

NEIGHBOURS, BLOCK = 10, 1024
"""Landmarks that a further point is placed between, and points that are compared with all landmarks at once."""

Points = Float[Tensor, "n d"]


def perplexity_for(count: int) -> float:
    """Return the perplexity, the number of neighbours that a point has, for this many points: 30 if they are many.

    >>> perplexity_for(10_000), perplexity_for(31)
    (30.0, 10.0)
    """
    return min(30.0, (count - 1) / 3)


def joint_probabilities(points: Points, perplexity: float) -> Float[Tensor, "n n"]:
    """Return how much each pair of points belongs together; symmetric, with a sum of 1 and a diagonal of 0."""
    squares = _squared_distances(points)
    squares /= squares.mean()  # so that widths are near 1
    squares.fill_diagonal_(torch.inf)
    n, wanted = len(points), math.log(perplexity)
    low, high = torch.zeros(n), torch.full((n,), torch.inf)
    beta = torch.ones(n)
    for _ in range(SEARCHES):
        conditional = torch.softmax(-squares * beta[:, None], dim=1)
        entropy = torch.special.entr(conditional).sum(dim=1)
        wide = entropy > wanted
        low, high = torch.where(wide, beta, low), torch.where(wide, high, beta)
        beta = torch.where(high.isinf(), 2 * beta, (low + high) / 2)
    conditional = torch.softmax(-squares * beta[:, None], dim=1)
    return (conditional + conditional.T).div_(2 * n)


def divergence(joint: Float[Tensor, "n n"], layout: Float[Tensor, "n 2"]) -> float:
    """Return the Kullback-Leibler divergence of the layout's pairs from `joint`, which t-SNE minimises, in nats."""
    closeness = _closeness(layout)
    share = (closeness / closeness.sum()).double()
    tiny = torch.finfo(torch.float64).eps
    joint = joint.double()
    return float((joint * (joint.clamp(min=tiny) / share.clamp(min=tiny)).log()).sum())


@dataclass
class TsneState:
    """A layout while it is made: places, velocities and gains, each `n 2`, and the steps that are done."""

    places: Tensor
    velocity: Tensor
    gains: Tensor
    steps: int = 0

    @classmethod
    def of(cls, places: Float[Tensor, "n 2"]) -> TsneState:
        """Return the layout that begins with these places, brought to the usual small scale."""
        places = places / places[:, 0].std().clamp(min=1e-12) * 1e-4
        return cls(places, torch.zeros_like(places), torch.ones_like(places))

    def step(self, joint: Float[Tensor, "n n"]) -> None:
        """Take one step of gradient descent, in new tensors."""
        exaggerated = self.steps < EXAGGERATED
        closeness = _closeness(self.places)
        share = closeness / closeness.sum()
        pull = (joint * (EXAGGERATION if exaggerated else 1.0) - share).mul_(closeness)
        gradient = 4 * (pull.sum(dim=1, keepdim=True) * self.places - pull @ self.places)
        against = (gradient > 0) != (self.velocity > 0)
        self.gains = torch.where(against, self.gains + 0.2, self.gains * 0.8).clamp(min=LEAST_GAIN)
        rate = max(len(self.places) / EXAGGERATION / 4, 50.0)
        self.velocity = MOMENTUM[not exaggerated] * self.velocity - rate * self.gains * gradient
        places = self.places + self.velocity
        self.places = places - places.mean(dim=0)
        self.steps += 1


def principal_components(points: Points, count: int) -> Float[Tensor, "n count"]:
    """Return the coordinates of points along the `count` directions of largest variance; signs are fixed."""
    centred = points.double() - points.double().mean(dim=0)
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    vectors = vectors.flip(1)[:, :count]
    largest = vectors.abs().argmax(dim=0)
    signs = vectors[largest, torch.arange(vectors.shape[1])].sign()
    return (centred @ (vectors * signs)).float()


def placed_between(points: Points, landmarks: Points, places: Float[Tensor, "landmarks 2"]) -> Float[Tensor, "n 2"]:
    """Return a place for each point: the mean of those of its nearest landmarks, the nearer the heavier."""
    return torch.cat(list(_placed(points, landmarks, places)))


def _placed(points: Points, landmarks: Points, places: Tensor) -> Iterator[Tensor]:
    for block in points.split(BLOCK):
        near = torch.cdist(block, landmarks).topk(min(NEIGHBOURS, len(landmarks)), largest=False)
        weight = near.values.square().clamp(min=1e-12).reciprocal()
        yield (places[near.indices] * (weight / weight.sum(dim=1, keepdim=True))[..., None]).sum(dim=1)


def _squared_distances(points: Points) -> Float[Tensor, "n n"]:
    lengths = points.square().sum(dim=1)
    return (lengths[:, None] + lengths - 2 * points @ points.T).clamp_(min=0)


def _closeness(layout: Float[Tensor, "n 2"]) -> Float[Tensor, "n n"]:
    return _squared_distances(layout).add_(1).reciprocal_().fill_diagonal_(0)
