"""`phosphene nets`, `layers` and `labels`: what can be asked for, and what of it is here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phosphene.cli.fetch import counting, fetch
from phosphene.cli.root import Command, is_quiet, keep_on_interrupt, printable
from phosphene.cli.table import json_option, show
from phosphene.errors import UnknownNameError

if TYPE_CHECKING:
    from phosphene.nets.card import Card
    from phosphene.nets.zoo.catalogue import Listing

MOST_OTHERS = 5
"""Labels that are told of when they have a word in their names but are not of its kind."""


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


@nets.command("measure", cls=Command)
@click.argument("net")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Measure again what was measured before.")
@click.option("--remove", is_flag=True, help="Remove what was measured instead.")
def measure_net(net: str, folder: Path | None, force: bool, remove: bool) -> None:
    """Measure how NET responds to the photographs in FOLDER, and say where that is kept.

    The mean, std and maximum of each channel of each layer. They are used from then on, whenever a network with these
    weights is loaded: targets are weighed by them, `see` compares with them, and `imagine --natural 1` keeps to them.
    A few hundred photographs are enough.
    """
    from phosphene import nets as known
    from phosphene.nets import measured

    if (folder is None) != remove:
        raise click.UsageError("Give either FOLDER or --remove.")
    fetch(net)
    loaded = known.load(net, measured=False)
    if folder is None:
        click.echo(f"{net}: removed" if measured.remove(loaded.card) else f"{net} has not been measured")
        return
    from phosphene.render.measuring import measure_folder

    keep_on_interrupt()
    with counting(f"measuring {net}") as progress:
        found = measure_folder(loaded, folder, force=force, progress=progress)
    for file in found.unreadable:
        click.echo(printable(f"not a picture: {file}"), err=True)
    left_out = f", {len(found.unreadable)} left out" if found.unreadable else ""
    click.echo(f"{net}: measured on {found.pictures} photographs{left_out}; kept in {found.path}")


@click.command(cls=Command)
@click.argument("net")
@json_option
def layers(net: str, as_json: bool) -> None:
    """List the layers of NET, from the first to the deepest.

    A layer's name is a target; so is one of its channels, counted from 0, as in block11:13. `sees` is the
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
@click.option("--words", is_flag=True, help="List the words above labels instead.")
@json_option
def labels(net: str, word: str | None, words: bool, as_json: bool) -> None:
    """List the labels that NET knows, those under WORD, or those with WORD in them.

    \b
      phosphene labels lite dog         118 breeds
      phosphene labels lite sna         snail, snake fence ...
      phosphene labels lite --words     animal, dog, vehicle ...

    Any of a label's names is a target, as is its index: class:banana, class:12. So is a word above labels: dog is a dog
    of no breed, dog:any the breed that comes easiest. These words are WordNet's.
    """
    from phosphene import nets as known

    card = known.describe(net)
    show(_words(card, word or "") if words else _labels(card, word or ""), as_json)


def _labels(card: Card, word: str) -> list[dict[str, object]]:
    from phosphene.nets.wordnet import fold

    wanted = fold(word)
    named = [i for i, names in enumerate(card.labels) if any(wanted in fold(name) for name in names)]
    above = card.hypernyms.get(wanted)
    if above is not None and not any(wanted == fold(name) for names in card.labels for name in names):
        others = [card.labels[i][0] for i in named if i not in above.members]
        if others and not is_quiet():
            shown = ", ".join(others[:MOST_OTHERS]) + (", ..." if len(others) > MOST_OTHERS else "")
            click.echo(printable(f"also named so, but not of this kind: {shown}"), err=True)
        named = list(above.members)
    if not named:
        raise UnknownNameError("label", word, card.words(), where=card.place_of(word))
    return [{"index": index, "names": list(card.labels[index])} for index in named]


def _words(card: Card, word: str) -> list[dict[str, object]]:
    from phosphene.nets.wordnet import fold

    found: dict[str, dict[str, Any]] = {}
    for each in card.hypernyms.values():
        row = found.setdefault(each.synset, {"labels": len(each.members), "words": []})
        row["words"].append(each.word)
    rows = [row for row in found.values() if any(fold(word) in fold(each) for each in row["words"])]
    if not rows:
        every = [each.word for each in card.hypernyms.values()]
        raise UnknownNameError("word", word, every, where=f"net {card.name!r}")
    return rows
