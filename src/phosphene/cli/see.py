"""`phosphene see`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene import nets
from phosphene.cli import batch, options
from phosphene.cli.fetch import fetch
from phosphene.cli.root import Command, describe_error, printable
from phosphene.cli.table import json_option, show
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.attribution import Sight


@click.command(cls=Command)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=options.PATH)
@click.option("--net", default=nets.RECOGNISES, show_default=True, help="The network, by name.")
@options.count("labels, layers and channels")
@click.option("--heatmap", type=options.PATH, metavar="OUT", help="Write where it is seen: PHOTO, dim elsewhere.")
@click.option("-t", "--target", metavar="TEXT", help="What --heatmap shows; by default the top label.")
@json_option
def see(
    photos: tuple[Path, ...], net: str, count: int, heatmap: Path | None, target: str | None, as_json: bool
) -> None:
    """Tell what a network believes it sees in PHOTO.

    \b
      phosphene see cup.jpg
      phosphene see cup.jpg --heatmap where.png --target class:espresso
      phosphene see *.jpg --count 1 --json

    The labels with their probabilities; words above them, such as dog, with the sum of theirs; the layers that respond
    most, relative to their response to photographs; and the channels with the highest z-scores, each with the place
    where it is strongest. All are targets: paste one after `phosphene dream PHOTO --target`. With several photos, a
    folder or a pattern, --json prints a list, and --heatmap names a folder. PHOTO may be - for stdin.
    """
    if target is not None and heatmap is None:
        raise click.UsageError("--target says what --heatmap shows: give --heatmap OUT too.")
    several = batch.expand(photos)
    fetch(net)
    if not batch.is_batch(photos, several):
        _check(heatmap)
        sight = _see(photos[0], net, count, heatmap, target)
        if as_json:
            click.echo(json.dumps(_record(sight), indent=2, ensure_ascii=False))
        else:
            _print(sight)
        if heatmap is not None:
            click.echo(printable(str(heatmap)), err=as_json)
        return
    places = {} if heatmap is None else batch.place(several, heatmap, "seen", ".png")
    records: list[dict[str, object]] = []
    failed: list[Path] = []
    for index, photo in enumerate(several):
        try:
            _check(places.get(photo))
            sight = _see(photo, net, count, places.get(photo), target)
        except PhospheneError as problem:
            failed.append(photo)
            if as_json:
                records.append({"photo": str(photo), "error": str(problem)})
            else:
                describe_error(problem)
            continue
        records.append({"photo": str(photo), **_record(sight)})
        if not as_json:
            click.echo(f"{chr(10) if index else ''}{printable(str(photo))}")
            _print(sight)
    if as_json:
        click.echo(json.dumps(records, indent=2, ensure_ascii=False))
    if failed:
        batch.summarise(len(several) - len(failed), 0, failed)


def _check(heatmap: Path | None) -> None:
    if heatmap is not None:
        from phosphene.media.image import check_writable

        check_writable(heatmap)


def _see(photo: Path, net: str, count: int, heatmap: Path | None, target: str | None) -> Sight:
    from phosphene import attribution
    from phosphene.media.image import as_photograph, write_image

    picture = as_photograph(options.from_stdin() if photo == options.STDIN else photo)
    sight = attribution.see(picture, net=net, count=count)
    if heatmap is not None:
        write_image(heatmap, attribution.heatmap(picture, target, net=net), alpha=picture.alpha)
    return sight


def _record(sight: Sight) -> dict[str, object]:
    return {
        "net": sight.net,
        "labels": [each._asdict() for each in sight.labels],
        "hypernyms": [each._asdict() for each in sight.hypernyms],
        "layers": [each._asdict() for each in sight.layers],
        "channels": [{**each._asdict(), "neuron": each.neuron} for each in sight.channels],
        "has_statistics": sight.has_statistics,
    }


def _print(sight: Sight) -> None:
    for index, table in enumerate(sight.tables()):
        if index:
            click.echo()
        show(table, as_json=False)
