"""`phosphene concept`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene import nets
from phosphene.cli import options, output
from phosphene.cli.fetch import fetch
from phosphene.cli.root import Command, printable
from phosphene.cli.table import json_option
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from phosphene.knowledge.concept import Concept


@click.command(cls=Command)
@click.argument("shown", metavar="A", type=options.PATH)
@click.argument("others", metavar="B", type=options.PATH)
@click.option("-o", "--out", type=options.PATH, required=True, metavar="OUT", help="The direction: OUT.safetensors.")
@click.option("--net", default=nets.RECOGNISES, show_default=True, help="The network, by name.")
@click.option("--layer", metavar="TEXT", help="The layer; by default the one that dreams use.")
@click.option("--label", "labels", multiple=True, metavar="TEXT", help="A label to test on --of; may be repeated.")
@click.option("--of", "pictures", type=options.PATH, metavar="FOLDER", help="Pictures of the labels.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the test's shuffles.")
@click.option("--force", is_flag=True, help="Replace OUT.")
@json_option
def concept(
    shown: Path,
    others: Path,
    out: Path,
    net: str,
    layer: str | None,
    labels: tuple[str, ...],
    pictures: Path | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Learn a concept: the direction in a layer that tells the pictures of folder A from those of folder B.

    \b
      phosphene concept striped/ plain/ -o stripes.safetensors --layer block9
      phosphene imagine "direction(stripes.safetensors, block9)"
      phosphene concept striped/ plain/ -o stripes.safetensors --label zebra --of zebras/

    It tells how many held-out pictures the direction tells apart, and how likely that is if the folders do not differ.
    With --label and --of it tells in how many pictures of FOLDER more of the concept raises the label's logit (TCAV).
    """
    from phosphene.attribution.view import network
    from phosphene.knowledge.concept import learn_concept
    from phosphene.media.dataset.folder import open_dataset
    from phosphene.objectives.base import resolve
    from phosphene.objectives.features import Class

    if bool(labels) != (pictures is not None):
        raise click.UsageError("--label and --of go together: give labels, and a folder with pictures of them.")
    if out.suffix != ".safetensors":
        raise OutputError(f"{out} must be named .safetensors", path=out)
    if out.exists() and not force:
        raise output.taken(out)
    fetch(net)
    loaded = network(net)
    resolved = [resolve(Class(each), loaded.card) for each in labels]
    found = learn_concept(
        loaded,
        layer or loaded.card.default_target,
        open_dataset(shown),
        open_dataset(others),
        labels=[each for each in resolved if isinstance(each, Class)],
        pictures=None if pictures is None else open_dataset(pictures),
        seed=seed,
    )
    output.write_direction(out, found.vector, found.layer)
    if as_json:
        click.echo(json.dumps(_record(found, out), indent=2, ensure_ascii=False))
    else:
        _print(found)
        click.echo(printable(str(out)))


def _record(found: Concept, out: Path) -> dict[str, object]:
    return {
        "file": str(out),
        "layer": found.layer,
        "pictures": found.counts,
        "accuracy": found.accuracy,
        "shuffled": found.shuffled,
        "p": found.p,
        "labels": [{"label": each.label, "rises": each.share, "p": each.p} for each in found.sensitivities],
        "unreadable": [{"name": each.name, "reason": each.reason} for each in found.unreadable],
    }


def _print(found: Concept) -> None:
    for each in found.unreadable:
        click.echo(printable(f"{each.name}: {each.reason}"), err=True)
    a, b = found.counts
    trust = "the folders differ" if found.p <= 0.05 else "do not rely on it: chance does as well"
    click.echo(
        f"{found.layer}, {a} and {b} pictures: {found.accuracy:.0%} of those held out are told apart, shuffled "
        f"{found.shuffled:.0%} (p = {found.p:.2f}: {trust})"
    )
    for one in found.sensitivities:
        trust = "" if one.p <= 0.05 else ", as shuffled pictures do too"
        text = f"{one.label}: more of it raises the logit in {one.share:.0%} of the pictures (p = {one.p:.2f}{trust})"
        click.echo(printable(text))
