"""What is true of a network, and of each of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from phosphene.errors import UnknownNameError
from phosphene.nets.receptive import Field


@dataclass(frozen=True)
class ActivationStatistics:
    """How each channel of a layer responds to natural pictures: the level against which a response is unusual.

    Each a tensor of shape `c`; a channel that never responds has deviation 0.
    """

    mean: Tensor
    std: Tensor
    maximum: Tensor


@dataclass(frozen=True)
class LayerCard:
    """One layer; `receptive` is None for a layer that sees the whole picture, such as one without positions.

    `cost` is the multiply-adds for each pixel of the picture to run the network to this layer, None if not known.
    """

    name: str
    channels: int
    receptive: Field | None
    statistics: ActivationStatistics | None = field(default=None, repr=False, compare=False)
    cost: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Card:
    """A network's card.

    `mean` and `deviation` are what the network expects to be subtracted and divided, per colour, of pictures in
    [0, 1]. `labels[i]` are the names of class i, the best known first. `classes` is the layer of the class scores and
    `pooled` the layer whose mean over all positions it is computed from; None where the network has no classes.
    `native` is the side in pixels of the pictures that it was trained on.
    """

    name: str
    title: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: int
    layers: Mapping[str, LayerCard]
    labels: tuple[tuple[str, ...], ...]
    classes: str | None
    pooled: str | None
    default_target: str
    source: str
    sha256: str
    licence: str

    def layer(self, name: str) -> LayerCard:
        """The card of one layer; an unknown name is answered with the nearest ones."""
        try:
            return self.layers[name]
        except KeyError:
            raise UnknownNameError("layer", name, self.layers, where=f"net {self.name!r}") from None

    def normalise(self, image: Tensor) -> Tensor:
        """`image` as the network expects it: less the mean, divided by the deviation, in the image's precision.

        In bfloat16 the subtraction would lose what is near the mean.
        """
        mean = image.new_tensor(self.mean).view(1, 3, 1, 1)
        std = image.new_tensor(self.std).view(1, 3, 1, 1)
        return (image - mean) / std

    def find_label(self, name: str) -> int:
        """The index of the class called `name` (any of its names, in any case) or, for digits, of that index."""
        wanted = _fold(name)
        # A name may be shared ("wagon"): the class that it comes first in wins, as in the order of the labels.
        ranked = [
            (names.index(wanted), index)
            for index, names in enumerate([_fold(each) for each in names] for names in self.labels)
            if wanted in names
        ]
        if ranked:
            return min(ranked)[1]
        if name.isascii() and name.isdigit() and int(name) < len(self.labels):
            return int(name)
        every = [each for names in self.labels for each in names]
        raise UnknownNameError("label", name, every, where=f"net {self.name!r}")


def _fold(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())
