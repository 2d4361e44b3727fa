"""`phosphene see`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene.cli import options
from phosphene.cli.fetch import fetch
from phosphene.cli.root import Command
from phosphene.cli.table import json_option, show

if TYPE_CHECKING:
    from phosphene.attribution import Sight


@click.command(cls=Command)
@click.argument("photo", type=options.PATH)
@click.option("--net", default="pocket", show_default=True, help="The network, by name.")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    metavar="INTEGER",
    help="Largest number of labels, layers and channels to tell.",
)
@click.option("--heatmap", type=options.PATH, metavar="OUT", help="Write where it is seen: PHOTO, dim elsewhere.")
@click.option("-t", "--target", metavar="TEXT", help="What --heatmap shows; by default the top label.")
@json_option
def see(photo: Path, net: str, count: int, heatmap: Path | None, target: str | None, as_json: bool) -> None:
    """Tell what a network believes it sees in PHOTO.

    \b
      phosphene see cup.jpg
      phosphene see cup.jpg --heatmap where.png --target class:espresso
      phosphene see cup.jpg --count 10 --json

    The labels with their probabilities; the layers that respond most, relative to their response to photographs; and
    the channels with the highest z-scores, each with the place where it is strongest. All are targets: paste one after
    `phosphene dream PHOTO --target`.
    """
    if target is not None and heatmap is None:
        raise click.UsageError("--target says what --heatmap shows: give --heatmap OUT too.")
    from phosphene import attribution
    from phosphene.media.image import check_writable, read_image, write_image

    if heatmap is not None:
        check_writable(heatmap)
    fetch(net)
    picture = read_image(photo)
    sight = attribution.see(photo, net=net, count=count)
    if heatmap is not None:
        write_image(heatmap, attribution.heatmap(photo, target, net=net), alpha=picture.alpha)
    if as_json:
        click.echo(json.dumps(_record(sight), indent=2, ensure_ascii=False))
    else:
        _print(sight)
    if heatmap is not None:
        click.echo(heatmap, err=as_json)


def _record(sight: Sight) -> dict[str, object]:
    return {
        "net": sight.net,
        "labels": [each._asdict() for each in sight.labels],
        "layers": [each._asdict() for each in sight.layers],
        "channels": [{**each._asdict(), "neuron": each.neuron} for each in sight.channels],
        "has_statistics": sight.has_statistics,
    }


def _print(sight: Sight) -> None:
    tables = (
        [
            {"label": each.label, "probability": f"{each.probability:.1%}", "target": each.target}
            for each in sight.labels
        ],
        [
            {"layer": each.target, "response": f"{each.relative_response:.2f} times that to photographs"}
            for each in sight.layers
        ],
        [
            {"channel": each.target, "z-score": f"{each.z_score:.1f}", "strongest": each.neuron}
            for each in sight.channels
        ],
    )
    for index, table in enumerate(filter(None, tables)):
        if index:
            click.echo()
        show(table, as_json=False)
