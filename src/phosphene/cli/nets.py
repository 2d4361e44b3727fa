"""`phosphene nets`, `layers` and `labels`: what can be asked for, and what of it is here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene.cli.fetch import fetch
from phosphene.cli.root import Command
from phosphene.cli.table import json_option, show
from phosphene.errors import UnknownNameError

if TYPE_CHECKING:
    from phosphene.nets.zoo.catalogue import Listing


class Group(Command, click.Group):
    """A command with commands of its own."""


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def nets(context: click.Context, as_json: bool) -> None:
    """List the networks, and fetch, add or remove weights.

    Without a command, the list. A network that is neither bundled nor here is fetched when it is first used by name.
    """
    if context.invoked_subcommand is None:
        _list(as_json)


@nets.command("list", cls=Command)
@json_option
def list_nets(as_json: bool) -> None:
    """List the networks.

    Each by the name that --net takes: whether it is here (own: with weights added by hand), its size in
    megabytes, its layers, its labels, the target that suits it, and the licence of its weights.
    """
    _list(as_json)


def _list(as_json: bool) -> None:
    from phosphene import nets as known
    from phosphene.nets.zoo import catalogue

    kept = {each.entry.name: each for each in catalogue.listing()}
    rows = []
    for name in known.names():
        card = known.describe(name)
        rows.append(
            {
                "net": name,
                **_kept(kept[name]),
                "layers": len({layer.name for layer in card.layers.values()}),
                "labels": len(card.labels),
                "target": card.default_target,
                "licence": card.licence,
                "about": card.title,
            }
        )
    show(rows, as_json)


def _kept(listing: Listing) -> dict[str, object]:
    """Return whether a network is installed and how large its file is."""
    if listing.kept is None:
        return {"here": "yes" if listing.entry.bundled else "no", "MB": listing.entry.megabytes}
    known = listing.kept.verified or not listing.entry.digest.value
    return {"here": "yes" if known else "own", "MB": round(listing.kept.size / 1e6)}


@nets.command("fetch", cls=Command)
@click.argument("names", metavar="NET...", nargs=-1, required=True)
@click.option("--unverified", is_flag=True, help="Accept a network whose hash nobody has published.")
def fetch_nets(names: tuple[str, ...], unverified: bool) -> None:
    """Fetch each NET from its official host, verify it, and say where it is kept.

    That is the user's cache folder, or PHOSPHENE_CACHE if it is set. What is here already is not fetched
    again.
    """
    from phosphene.nets.zoo import catalogue

    for name in names:
        catalogue.find(name)
    for name in names:
        click.echo(fetch(name, unverified=unverified))


@nets.command("add", cls=Command)
@click.argument("net")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--own", is_flag=True, help="Take other weights than the official ones, if they fit NET.")
def add_net(net: str, file: Path, own: bool) -> None:
    """Install FILE as the weights of NET, and say where it is kept: for machines without a network.

    FILE is what `nets fetch` would have fetched, or what is in it; its hash is verified.
    """
    from phosphene.nets.zoo import catalogue

    click.echo(catalogue.add(net, file, own=own))


@nets.command("remove", cls=Command)
@click.argument("net")
def remove_net(net: str) -> None:
    """Remove what was fetched or added of NET; a bundled network then has its own weights again."""
    from phosphene.nets.zoo import catalogue

    freed = catalogue.remove(net)
    if freed:
        click.echo(f"{net}: {freed / 1e6:.1f} MB freed")
    else:
        bundled = catalogue.find(net).bundled
        click.echo(f"{net} is bundled, and no other weights were added" if bundled else f"{net} is not here")


@click.command(cls=Command)
@click.argument("net")
@json_option
def layers(net: str, as_json: bool) -> None:
    """List the layers of NET, from the first to the deepest.

    A layer's name is a target; so is one of its channels, counted from 0, as in mixed4c:13. `sees` is the
    side in pixels of what one position sees, `stride` the distance between positions, `cost` the millions of
    multiply-adds for each million pixels to run as far as this layer.
    """
    from phosphene import nets as known

    rows = [
        {
            "layer": layer.name,
            "channels": layer.channels,
            "sees": layer.receptive.size if layer.receptive else None,
            "stride": layer.receptive.stride if layer.receptive else None,
            "cost": None if layer.cost is None else round(layer.cost),
        }
        for name, layer in known.describe(net).layers.items()
        if name == layer.name  # not under its other names
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

    card = known.describe(net)
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
