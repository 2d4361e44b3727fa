"""`phosphene nets`, `layers` and `labels`: what can be asked for."""

from __future__ import annotations

import click

from phosphene.cli.root import Command
from phosphene.cli.table import json_option, show
from phosphene.errors import UnknownNameError


@click.command(cls=Command)
@json_option
def nets(as_json: bool) -> None:
    """List the networks.

    Each by the name that --net takes; with its layers, its labels, and the target that suits it.
    """
    from phosphene import nets as known

    rows = []
    for name in known.names():
        card = known.load(name).card
        rows.append(
            {
                "net": name,
                "layers": len(card.layers),
                "labels": len(card.labels),
                "target": card.default_target,
                "licence": card.licence,
                "about": card.title,
            }
        )
    show(rows, as_json)


@click.command(cls=Command)
@click.argument("net")
@json_option
def layers(net: str, as_json: bool) -> None:
    """List the layers of NET, from the first to the deepest.

    A layer's name is a target; so is one of its channels, counted from 0, as in mixed4c:13. `sees` is the
    side in pixels of what one position sees, `stride` the distance between positions.
    """
    from phosphene import nets as known

    rows = [
        {
            "layer": layer.name,
            "channels": layer.channels,
            "sees": layer.receptive.size if layer.receptive else None,
            "stride": layer.receptive.stride if layer.receptive else None,
        }
        for layer in known.load(net).card.layers.values()
    ]
    show(rows, as_json)


@click.command(cls=Command)
@click.argument("net")
@click.argument("word", required=False)
@json_option
def labels(net: str, word: str | None, as_json: bool) -> None:
    """List the labels that NET knows, or those with WORD in them.

    Any of a label's names is a target, as is its index: class:banana, class:12.
    """
    from phosphene import nets as known

    card = known.load(net).card
    wanted = (word or "").casefold()
    rows = [
        {"index": index, "names": list(names)}
        for index, names in enumerate(card.labels)
        if any(wanted in name.casefold() for name in names)
    ]
    if not rows:
        every = [name for names in card.labels for name in names]
        raise UnknownNameError("label", str(word), every, where=f"net {card.name!r}")
    show(rows, as_json)
