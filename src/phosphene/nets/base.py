"""Networks that can be run to any of their layers, and no further."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nets.card import Card
from phosphene.types import Image


class Net(nn.Module, ABC):
    """A network with a card, whose weights never need gradients."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card

    @abstractmethod
    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        """Activations of `layers`, each `n c h w`, or `n c` for one without positions, in the weights' dtype.

        Runs to the deepest of them and stops. Raises `UnknownNameError` for a layer that the card does not have.
        """

    @abstractmethod
    def head(self, pooled: Tensor) -> Tensor:
        """Class scores `n k` from the mean `n c` of the card's `pooled` layer over all positions."""


class ChainNet(Net):
    """A network whose named layers follow one another, each taking what the one before gives."""

    def __init__(self, card: Card, stages: Mapping[str, nn.Module], classifier: nn.Linear) -> None:
        super().__init__(card)
        self._names = tuple(stages)
        self._stages = nn.ModuleList(stages.values())
        self._classifier = classifier
        self.requires_grad_(False)
        self.eval()

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        missing = {self.card.layer(name).name for name in layers}
        found: dict[str, Tensor] = {}
        x = self.card.normalise(image).to(self._classifier.weight.dtype, memory_format=torch.channels_last)
        for name, stage in zip(self._names, self._stages, strict=True):
            x = stage(x)
            if name in missing:
                found[name] = x
                missing.remove(name)
            if not missing:
                return found
        exact = torch.promote_types(x.dtype, torch.float32)
        found[str(self.card.classes)] = self.head(x.mean(dim=(2, 3), dtype=exact))
        return found

    def head(self, pooled: Tensor) -> Tensor:
        # One small product: never worth less than float32.
        weight, bias = self._classifier.weight, self._classifier.bias
        return F.linear(pooled, weight.to(pooled.dtype), bias.to(pooled.dtype))
