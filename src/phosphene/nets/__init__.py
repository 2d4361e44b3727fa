"""Networks that can be run to any of their layers, each with a card of what is true of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from phosphene.errors import UnknownNameError

if TYPE_CHECKING:
    from phosphene.nets.tap import Net

_EMBEDDED = "pocket"


def names() -> Iterator[str]:
    """The names that `load` knows."""
    yield _EMBEDDED


def load(name: str) -> Net:
    """The network of this name, ready to run; an unknown name is answered with the nearest ones."""
    if name != _EMBEDDED:
        raise UnknownNameError("net", name, names())
    from phosphene.nets import pocket  # imports torch, which `phosphene nets` does not need

    return pocket.load()
