"""Words for what a camera was shown: the nearest of the means of a network's features.

After Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning" (NeurIPS 2017): a class is the mean of the
features of a few views of it. Features are centred on the layer's mean over photographs, divided by its deviations
and scaled to length 1; their cosine is compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.attribution.view import view
from phosphene.errors import SettingError
from phosphene.nets.base import Net
from phosphene.objectives.level import inverse_variance
from phosphene.types import Image

MOST_WORDS = 1000

LIKE = 0.55
"""The cosine from which a view is taken for a thing that it knows; views of one thing are above it in most cases."""


class Recognised(NamedTuple):
    """A word, and the cosine of what is seen with the mean of its views, -1 to 1."""

    word: str
    likeness: float


class Things:
    """What it was told: for each word the sum of its views' features, and their number.

    >>> things = Things()
    >>> things.learn("cup", [torch.tensor([1.0, 0.0]), torch.tensor([0.9, 0.1])])
    >>> things.recognise(torch.tensor([1.0, 0.05])).word
    'cup'
    """

    def __init__(self, sums: dict[str, Tensor] | None = None) -> None:
        self.sums: dict[str, Float[Tensor, " c"]] = sums or {}

    def learn(self, word: str, features: Iterable[Float[Tensor, " c"]]) -> None:
        """Add views of a thing; raise `SettingError` for a word that is empty or too long, or too many words."""
        word = " ".join(word.split())
        if not 0 < len(word) <= 80 or not word.isprintable():
            raise SettingError("a word must have 1 to 80 printable characters", setting="word", value=word)
        if word not in self.sums and len(self.sums) >= MOST_WORDS:
            raise SettingError(f"{MOST_WORDS} words are known: forget one first", setting="word", value=word)
        for each in features:
            unit = F.normalize(each, dim=0)
            if other := next((name for name, known in self.sums.items() if len(known) != len(unit)), None):
                raise SettingError(
                    f"{other!r} was learnt with another network: forget it first, or use that network",
                    setting="word",
                    value=word,
                )
            self.sums[word] = unit + self.sums[word] if word in self.sums else unit

    def forget(self, word: str) -> None:
        """Forget a word; nothing happens if it is not known."""
        self.sums.pop(word, None)

    def recognise(self, features: Float[Tensor, " c"]) -> Recognised | None:
        """Return the word whose views are most like this one; None if no word is known with this network."""
        words = [word for word, each in self.sums.items() if len(each) == len(features)]
        if not words:
            return None
        means = F.normalize(torch.stack([self.sums[word] for word in words]), dim=1)
        likeness = means @ F.normalize(features, dim=0)
        best = int(likeness.argmax())
        return Recognised(words[best], float(likeness[best]))


def layer_of(net: Net) -> str:
    """Return the layer by whose features things are told apart: the deepest that has positions."""
    return [name for name, each in net.card.layers.items() if each.receptive and each.name == name][-1]


def direction_of(things: Things, word: str, net: Net) -> tuple[Float[Tensor, " c"], str]:
    """Return the direction along which a thing that was taught is more like itself, and the layer that it is in.

    The target `direction(FILE, LAYER)` dreams it. Raise `SettingError` for an unknown word or another network.
    """
    known = things.sums.get(word)
    if known is None:
        raise SettingError(f"it was not taught {word!r}", setting="word", value=word)
    layer = layer_of(net)
    if len(known) != net.card.layer(layer).channels:
        raise SettingError(
            f"{word!r} was learnt with another network than {net.card.name}", setting="net", value=net.card.name
        )
    unit = F.normalize(known, dim=0)
    statistics = net.card.layers[layer].statistics
    return unit if statistics is None else unit * inverse_variance(statistics).to(unit).sqrt(), layer


@torch.no_grad()
def features_of(image: Image, net: Net) -> Float[Tensor, " c"]:
    """Return the features of a picture by which things are told apart: the deepest layer's means over positions."""
    layer = layer_of(net)
    found = net(view(image, net.card), [layer])[layer].float().mean(dim=(2, 3))[0]
    statistics = net.card.layers[layer].statistics
    if statistics is None:
        return found - found.mean()
    return (found - statistics.mean.to(found)) * inverse_variance(statistics).to(found).sqrt()
