"""Networks that can be run to any of their layers, and no further."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nets.card import Card
from phosphene.types import Image

N = TypeVar("N", bound="Net")  # `Self` is not checked at run time

_sparing: ContextVar[bool] = ContextVar("sparing", default=False)


@contextmanager
def sparing() -> Iterator[None]:
    """While entered, operations keep as little for the backward pass as they can, even if that takes longer."""
    token = _sparing.set(True)
    try:
        yield
    finally:
        _sparing.reset(token)


def is_sparing() -> bool:
    """Return whether `sparing` is entered."""
    return _sparing.get()


class Net(nn.Module, ABC):
    """A network with a card.

    Networks that `phosphene.nets.load` returns are ready for dreaming (`for_dreaming`).
    """

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card

    def for_dreaming(self: N) -> N:
        """Prepare this network for dreaming, and return it.

        It is put in evaluation mode, its weights no longer need gradients and are stored channels-last.
        """
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self.eval().requires_grad_(False)

    def converted(self: N, dtype: torch.dtype) -> N:
        """Return a copy of this network in another number format."""
        return copy.deepcopy(self).to(dtype)

    def modules_of(self, layer: str) -> list[nn.Module]:
        """Return the modules one of which gives `layer`, under its own name; none where it is not a module's output."""
        return []

    def split(self, layers: Collection[str], stride: int) -> tuple[str, Net] | None:
        """Return a layer halfway, and the network from it to `layers`; None where the network cannot be split.

        The layer is the first of at least `stride` that all of `layers` depend on the image through. The second network
        takes that layer's activation as its image, and shares the weights.
        """
        return None

    @abstractmethod
    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the activations of `layers`, each `n c h w`, or `n c` without positions, in the weights' dtype.

        Runs to the deepest of them and stops. Raises `UnknownNameError` for a layer that the card does not have.
        """

    @abstractmethod
    def head(self, pooled: Tensor) -> Tensor:
        """Return the class scores `n k` for the mean `n c` of the card's `pooled` layer over all positions."""


class ChainNet(Net):
    """A network whose named layers follow one another, each taking the output of the one before."""

    def __init__(self, card: Card, stages: Mapping[str, nn.Module], classifier: nn.Linear) -> None:
        super().__init__(card)
        self._names = tuple(stages)
        self._stages = nn.ModuleList(stages.values())
        self._classifier = classifier

    def by_layer(self) -> nn.ModuleDict:
        """Return the layers' modules by name, the classifier's under that of the class scores.

        Its state dict has the names of the network's weight file.
        """
        stages = dict(zip(self._names, self._stages, strict=True))
        return nn.ModuleDict({**stages, str(self.card.classes): self._classifier})

    def modules_of(self, layer: str) -> list[nn.Module]:
        return [self._stages[self._names.index(layer)]] if layer in self._names else []

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
        # One small product: not worth computing in less than float32.
        weight, bias = self._classifier.weight, self._classifier.bias
        return F.linear(pooled, weight.to(pooled.dtype), bias.to(pooled.dtype))
