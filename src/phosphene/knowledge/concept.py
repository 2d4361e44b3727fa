"""Concepts: the direction in a layer that tells two folders of pictures apart, and whether it means anything.

Source: Kim et al., "Interpretability Beyond Feature Attribution: Quantitative Testing with Concept Activation Vectors
(TCAV)" (ICML 2018). The linear classifier is ridge regression, whose solution is exact; the test compares it with the
same classifier for pictures that were shuffled between the folders, in place of a t-test against random folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.knowledge.sampling import read_batches
from phosphene.media.dataset.collection import Collection, Skipped
from phosphene.nets.base import Net
from phosphene.objectives.features import Class
from phosphene.rng import fold_in

FEWEST = 4
"""The fewest pictures of each folder: half of them are held out to test the direction."""

RIDGE = 0.1
"""Weight of the ridge, in mean squares of the activations."""

SPLITS, SHUFFLES = 8, 99
"""Random halves over which accuracy is averaged, and shuffles that it is compared with."""


@dataclass(frozen=True)
class Sensitivity:
    """How a label depends on a concept: the share of its pictures in which more of the concept raises the logit.

    `p` is the probability of a share as far from a half if the concept's pictures were shuffled.
    """

    label: str
    share: float
    p: float


@dataclass(frozen=True)
class Concept:
    """A direction that tells pictures with a concept from others.

    Attributes:
        layer: its name.
        vector: `c`, of unit length, which points to the concept.
        accuracy: share of the held-out pictures that it tells apart, where both folders count alike; 0.5 is chance.
        shuffled: the same, as a mean over pictures that were shuffled between the folders.
        p: the probability of as good an accuracy if the folders did not differ, no less than 1 / (SHUFFLES + 1).
        sensitivities: of the labels that were asked for.
        counts: pictures of each folder that were read.
        unreadable: those that could not be, and why.
    """

    layer: str
    vector: Tensor
    accuracy: float
    shuffled: float
    p: float
    sensitivities: tuple[Sensitivity, ...]
    counts: tuple[int, int]
    unreadable: tuple[Skipped, ...]


def learn_concept(
    net: Net,
    layer: str,
    shown: Collection,
    others: Collection,
    *,
    labels: Sequence[Class] = (),
    pictures: Collection | None = None,
    seed: int = 0,
) -> Concept:
    """Return the direction in `layer` from the pictures of `others` to those of `shown`, and whether to trust it.

    Args:
        net: any network whose activations can be differentiated.
        layer: its name; of a layer with positions, the mean over positions is what is compared.
        shown: pictures that show the concept, from 4.
        others: pictures that do not, from 4.
        labels: labels, resolved on the network's card, whose dependence on the concept is measured.
        pictures: pictures of the labels, on which that is measured.
        seed: of the halves and shuffles.

    Raises:
        SettingError: for fewer pictures.
    """
    layer = net.card.layer(layer).name
    (a, bad), (b, worse) = (_activations(net, layer, each) for each in (shown, others))
    for each, name in ((a, "with the concept"), (b, "without it")):
        if len(each) < FEWEST:
            raise SettingError(
                f"a concept takes {FEWEST} or more pictures in each folder, but of those {name} {len(each)} could be "
                "read",
                setting="source",
                value=len(each),
            )
    both, is_shown = torch.cat((a, b)), torch.arange(len(a) + len(b)) < len(a)
    rng = torch.Generator().manual_seed(fold_in(seed, "concept"))
    accuracy = sum(_held_out(both, is_shown, rng) for _ in range(SPLITS)) / SPLITS
    vector, chance, shuffled = _direction(both, is_shown), [], []
    for _ in range(SHUFFLES):
        other = is_shown[torch.randperm(len(both), generator=rng)]
        chance.append(sum(_held_out(both, other, rng) for _ in range(SPLITS)) / SPLITS)
        shuffled.append(_direction(both, other))
    found = [] if pictures is None else [_sensitivity(net, layer, each, vector, shuffled, pictures) for each in labels]
    return Concept(
        layer=layer,
        vector=vector.float(),
        accuracy=accuracy,
        shuffled=sum(chance) / SHUFFLES,
        p=_rank(accuracy, chance),
        sensitivities=tuple(found),
        counts=(len(a), len(b)),
        unreadable=(*bad, *worse),
    )


def _activations(net: Net, layer: str, collection: Collection) -> tuple[Float[Tensor, "n c"], list[Skipped]]:
    """Return each picture's activation, as a mean over positions, in float64, and the pictures that were not read."""
    found, unreadable = [torch.zeros(0, net.card.layer(layer).channels, dtype=torch.float64)], list(collection.skipped)
    for indices, image, bad, _ in read_batches(collection, net.card.input.size, 0):
        unreadable += bad
        if indices:
            with torch.no_grad():
                features = net(image.to(next(net.parameters()).device), [layer])[layer]
            found.append(
                features.flatten(2).mean(dim=2).double().cpu() if features.ndim == 4 else features.double().cpu()
            )
    return torch.cat(found), unreadable


def _direction(vectors: Float[Tensor, "n c"], is_shown: Tensor) -> Float[Tensor, " c"]:
    """Return the normal of the plane that ridge regression puts between the two kinds, of unit length."""
    weight, _ = _regression(vectors, is_shown)
    return weight / weight.norm().clamp(min=1e-12)


def _regression(vectors: Float[Tensor, "n c"], is_shown: Tensor) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Return the weights, and the point halfway between the two kinds' means."""
    middle = (vectors[is_shown].mean(dim=0) + vectors[~is_shown].mean(dim=0)) / 2
    centred = vectors - middle
    std = vectors.std(dim=0)
    scale = torch.where(std > 1e-6 * std.max().clamp(min=1e-12), std, torch.inf)
    unit = centred / scale
    # Solved among pictures, of which there are fewer than channels more often than not.
    product = unit @ unit.T
    product.diagonal().add_(RIDGE * product.diagonal().mean().clamp(min=1e-12))
    return (unit.T @ torch.linalg.solve(product, torch.where(is_shown, 1.0, -1.0).double())) / scale, middle


def _held_out(vectors: Float[Tensor, "n c"], is_shown: Tensor, rng: torch.Generator) -> float:
    """Return the accuracy on half of each kind of a direction that was learnt from the other half."""
    learnt = torch.zeros(len(vectors), dtype=torch.bool)
    for kind in (is_shown, ~is_shown):
        places = kind.nonzero()[:, 0]
        learnt[places[torch.randperm(len(places), generator=rng)[: len(places) // 2]]] = True
    weight, middle = _regression(vectors[learnt], is_shown[learnt])
    told = (vectors[~learnt] - middle) @ weight > 0
    truth = is_shown[~learnt]
    return float((told[truth].double().mean() + (~told[~truth]).double().mean()) / 2)


def _sensitivity(
    net: Net, layer: str, label: Class, vector: Tensor, shuffled: Sequence[Tensor], pictures: Collection
) -> Sensitivity:
    """Return the share of the pictures in which the label's logit rises along the vector, tested against shuffles."""
    directions = torch.stack((vector, *shuffled), dim=1)
    rises = []
    for indices, image, _, _ in read_batches(pictures, net.card.input.size, 0):
        if indices:
            image = image.to(next(net.parameters()).device).requires_grad_()
            found = net(image, [layer, label.layer])
            logit = found[label.layer][:, list(label.indices)].sum()
            (gradient,) = torch.autograd.grad(logit, found[layer])
            rises.append(gradient.flatten(2).sum(dim=2).double().cpu() @ directions > 0)
    if not rises:
        raise SettingError("none of the label's pictures could be read", setting="source")
    shares = torch.cat(rises).double().mean(dim=0)
    far = (shares - 0.5).abs().tolist()
    return Sensitivity(label.label, float(shares[0]), _rank(far[0], far[1:]))


def _rank(found: float, by_chance: Sequence[float]) -> float:
    """Return the share of values by chance, and the value itself, that are no smaller: a p value."""
    return (1 + sum(each >= found for each in by_chance)) / (1 + len(by_chance))
