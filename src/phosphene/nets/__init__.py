"""Networks that can be run to any of their layers, each with a card of what is true of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from phosphene.errors import UnknownNameError

if TYPE_CHECKING:
    from phosphene.nets.base import Net
    from phosphene.nets.card import Card
    from phosphene.nets.weights.download import Progress

_EMBEDDED = "pocket"
_HUB, _EXPORTED = "hf:", ".pt2"


def names() -> Iterator[str]:
    """The names that `load` knows; besides these, `hf:NAME` and the path of an exported program (`.pt2`)."""
    from phosphene.nets.zoo import catalogue

    yield _EMBEDDED
    yield from catalogue.ENTRIES


def load(name: str, progress: Progress | None = None) -> Net:
    """The network of this name, ready to run; one of the famous ones is fetched if it is not here.

    >>> load("pocket").card.classes
    'logits'

    Args:
        name: one of `names()`, `hf:` and a name of the Hugging Face hub or a folder, or the path of an
        exported
            program that ends in `.pt2`.
        progress: called while a file is fetched, with the bytes that are here and those there will be (or
        None).

    Raises:
        UnknownNameError: for any other name, with the nearest ones.
        WeightsError: for a file that cannot be fetched, is damaged, or is of another network.
        MissingExtraError: if the packages that it needs are not installed.
    """
    # What they import, torch above all, is of no use to `phosphene nets`.
    if name == _EMBEDDED:
        from phosphene.nets.zoo import pocket

        return pocket.load()
    if name.startswith(_HUB):
        from phosphene.nets.foreign import huggingface

        return huggingface.load(name.removeprefix(_HUB))
    if name.endswith(_EXPORTED):
        from pathlib import Path

        from phosphene.nets.foreign import exported

        return exported.load(Path(name))
    from phosphene.nets.zoo import catalogue

    if name not in catalogue.ENTRIES:
        raise UnknownNameError("net", name, names())
    return catalogue.load(name, progress)


def is_here(name: str) -> bool:
    """Return whether `load` finds the network of this name on this machine, without a download."""
    if name == _EMBEDDED:
        return True
    if name.startswith(_HUB):
        from pathlib import Path

        return Path(name.removeprefix(_HUB)).is_dir()
    from phosphene.nets.zoo import catalogue

    return name not in catalogue.ENTRIES or catalogue.is_here(name)


def describe(name: str) -> Card:
    """What is known of the network of this name; of a famous one without fetching it."""
    from phosphene.nets.zoo import catalogue

    return catalogue.card(name) if name in catalogue.ENTRIES else load(name).card
