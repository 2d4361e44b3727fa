"""Networks that can be run to any of their layers, and no further."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from phosphene.nets.card import Card
from phosphene.types import Image


class Net(nn.Module, ABC):
    """A network with a card, whose weights never need gradients."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card

    @abstractmethod
    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        """Activations of `layers`, each `n c h w`, or `n c` for one without positions.

        Runs to the deepest of them and stops. Raises `UnknownNameError` for a layer that the card does not have.
        """

    @abstractmethod
    def head(self, pooled: Tensor) -> Tensor:
        """Class scores `n k` from the mean `n c` of the card's `pooled` layer over all positions."""


class ChainNet(Net):
    """A network whose named layers follow one another, each taking what the one before gives."""

    def __init__(self, card: Card, stages: Mapping[str, nn.Module], classifier: nn.Module) -> None:
        super().__init__(card)
        self._names = tuple(stages)
        self._stages = nn.ModuleList(stages.values())
        self._classifier = classifier
        self.register_buffer("_mean", torch.tensor(card.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_deviation", torch.tensor(card.deviation).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        missing = {self.card.layer(name).name for name in layers}
        found: dict[str, Tensor] = {}
        mean, deviation = self.get_buffer("_mean"), self.get_buffer("_deviation")
        x = ((image - mean) / deviation).to(memory_format=torch.channels_last)
        for name, stage in zip(self._names, self._stages, strict=True):
            x = stage(x)
            if name in missing:
                found[name] = x
                missing.remove(name)
            if not missing:
                return found
        found[str(self.card.classes)] = self.head(x.mean(dim=(2, 3)))
        return found

    def head(self, pooled: Tensor) -> Tensor:
        return self._classifier(pooled)
