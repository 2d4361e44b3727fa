"""Interventions: a layer's activations changed while the rest of a network runs on what they were changed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.nets.base import Net
from phosphene.types import Image


def can_intervene(net: Net, layer: str) -> bool:
    """Return whether `logits_with` works for this layer of the network: not in programs, whose inside is closed."""
    return net.card.classes is not None and bool(net.modules_of(net.card.layer(layer).name))


def logits_with(net: Net, image: Image, layer: str, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the class scores, `n k`, of a network in which `layer` gives `change(activation)` instead.

        logits_with(net, image, "mixed4c", lambda activation: activation * 0)

    Raises `SettingError` for a network without classes, or one whose inside is closed, and `UnknownNameError` for a
    layer that it does not have.
    """
    name, classes = net.card.layer(layer).name, net.card.classes
    if classes is None:
        raise SettingError(f"net {net.card.name!r} has no classes", setting="net", value=net.card.name)
    with changed(net, name, change):
        # The layer itself is asked for too, so that no fused operation steps over it.
        return net(image, [name, classes])[classes]


def check_open(net: Net, layer: str) -> list[nn.Module]:
    """Return the modules one of which gives a layer; raise `SettingError` for a network whose inside is closed."""
    modules = net.modules_of(layer)
    if not modules:
        raise SettingError(
            f"the activations of net {net.card.name!r} cannot be changed inside: it is a program", setting="net"
        )
    return modules


@contextmanager
def changed(net: Net, name: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While entered, let a layer give `change(activation)`; it must be asked for, so that none steps over it."""

    def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        return change(output)

    handles = [module.register_forward_hook(hook) for module in check_open(net, name)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
