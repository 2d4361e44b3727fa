"""What leaving channels out of a network does to the labels that it gives a picture."""

from __future__ import annotations

from typing import NamedTuple

import torch

from phosphene.attribution.sight import class_target, probabilities
from phosphene.attribution.view import picture, within_reach
from phosphene.nets.base import Net


class ChangedLabel(NamedTuple):
    """A label, the target that asks for it, and its probability in the whole network and without the channels."""

    label: str
    target: str
    probability: float
    without: float


@torch.no_grad()
def label_changes(source: object, net: Net, without: Net, *, count: int = 5) -> tuple[ChangedLabel, ...]:
    """Tell the labels whose probability differs most between a network and one without some of its channels.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w), of any size.
        net: the whole network.
        without: the same one with channels left out, as `nets.ablated.Ablated`.
        count: the largest number of labels to tell.

    Raises:
        ImageError: for a file that is not a picture.
        SettingError: for something that cannot be a source.
    """
    image = within_reach(picture(source), net)
    before, after = probabilities(image, net), probabilities(image, without)
    most = (after - before).abs().argsort(descending=True, stable=True)[:count].tolist()
    card = net.card
    return tuple(
        ChangedLabel(card.labels[index][0], class_target(card, index), float(before[index]), float(after[index]))
        for index in most
    )
