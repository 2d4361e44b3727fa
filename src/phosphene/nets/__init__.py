"""Networks that can be run to any of their layers, each with a card that describes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from phosphene.errors import UnknownNameError

if TYPE_CHECKING:
    from phosphene.nets.base import Net
    from phosphene.nets.card import Card
    from phosphene.nets.weights.download import Progress

RECOGNISES = "lite-clean"
"""The bundled network that recognises best, which tells what is in a picture where no other is named."""

_HUB, _EXPORTED = "hf:", ".pt2"


def names() -> Iterator[str]:
    """Yield the names that `load` knows, besides `hf:NAME` and the path of an exported program (`.pt2`)."""
    from phosphene.nets.zoo import catalogue

    yield from catalogue.ENTRIES


def load(name: str, progress: Progress | None = None, *, measured: bool = True) -> Net:
    """Return the network of this name, ready for dreaming; a famous one is downloaded if it is not installed.

    >>> load("pocket").card.classes
    'logits'

    Args:
        name: one of `names()`, `hf:` and a name of the Hugging Face hub or a folder, or the path of an exported program
            that ends in `.pt2`.
        progress: called during a download with the bytes so far and their total, or None if that is not known.
        measured: use the activation statistics that the user has measured for these weights, if there are some.

    Raises:
        UnknownNameError: for any other name, with the nearest ones.
        WeightsError: for a file that cannot be downloaded, is damaged, or is of another network.
        MissingExtraError: if the packages that it needs are not installed.
    """
    net = _find(name, progress)
    if measured:
        from phosphene.nets.measured import attach

        net.card = attach(net.card)
    return net.for_dreaming()


def _find(name: str, progress: Progress | None) -> Net:
    # Imported here because `phosphene nets` must not wait for torch.
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
    if name.startswith(_HUB):
        from pathlib import Path

        return Path(name.removeprefix(_HUB)).is_dir()
    from phosphene.nets.zoo import catalogue

    return name not in catalogue.ENTRIES or catalogue.is_here(name)


def hears(name: str) -> bool:
    """Return whether the network of this name is a known one that takes sound."""
    from phosphene.nets.zoo import catalogue

    return name in catalogue.ENTRIES and catalogue.ENTRIES[name].structure == "ear"


def describe(name: str) -> Card:
    """Return the card of the network of this name; a famous one is not downloaded for it."""
    from phosphene.nets.zoo import catalogue

    return catalogue.card(name) if name in catalogue.ENTRIES else load(name).card
