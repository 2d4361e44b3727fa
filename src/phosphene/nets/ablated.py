"""A network with some channels left out: they are 0 wherever it runs, and everything after them sees that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.nets.base import Net
from phosphene.nets.intervention import changed, check_open
from phosphene.types import Image


class Ablated(Net):
    """A network without some channels, as a network like any other; the given one is not changed.

        Ablated(net, {"mixed4c": (13,)})(image, ["mixed5a"])

    Args:
        net: the network; it is shared, not copied.
        channels: for each layer by name, the channels that are set to 0, from 0.

    Raises:
        UnknownNameError: for a layer that the network does not have.
        SettingError: for a channel that the layer does not have, or a network whose inside is closed.
    """

    def __init__(self, net: Net, channels: Mapping[str, Collection[int]]) -> None:
        super().__init__(net.card)
        self.inner = net
        self._channels: dict[str, list[int]] = {}
        for name, indices in channels.items():
            layer = net.card.layer(name)
            check_open(net, layer.name)
            for index in indices:
                if not 0 <= index < layer.channels:
                    raise SettingError(
                        f"{layer.name} of net {net.card.name!r} has channels 0 to {layer.channels - 1}, but {index} "
                        "was to be left out",
                        setting="without",
                        value=index,
                    )
            self._channels.setdefault(layer.name, []).extend(indices)
        self._order = {name: place for place, name in enumerate(net.card.layers)}

    def converted(self, dtype: torch.dtype) -> Ablated:
        """Return a copy of this network in another number format."""
        return Ablated(self.inner.converted(dtype), self._channels)

    def modules_of(self, layer: str) -> list[nn.Module]:
        return self.inner.modules_of(layer)

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        deepest = max(self._order[name] for name in layers)
        within = [name for name in self._channels if self._order[name] <= deepest]
        with ExitStack() as hooks:
            for name in within:
                hooks.enter_context(changed(self.inner, name, Silenced(self._channels[name])))
            # The layers themselves are asked for too, so that no fused operation steps over them.
            found = self.inner(image, {*layers, *within})
        return {name: found[name] for name in layers}

    def head(self, pooled: Tensor) -> Tensor:
        return self.inner.head(pooled)


class Silenced:
    """Sets channels of an activation to 0."""

    def __init__(self, indices: Collection[int]) -> None:
        self._indices = list(indices)

    def __call__(self, activation: Tensor) -> Tensor:
        kept = activation.new_ones(activation.shape[1])
        kept[self._indices] = 0
        return activation * kept.view(1, -1, *[1] * (activation.dim() - 2))
