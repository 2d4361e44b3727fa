"""`phosphene see`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from phosphene import nets
from phosphene.cli import batch, options
from phosphene.cli.fetch import fetch
from phosphene.cli.root import Command, describe_error, printable
from phosphene.cli.table import json_option, show
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.attribution import ChangedLabel, PatchedLabel, Sight
    from phosphene.media.image import Photograph
    from phosphene.nets.base import Net

GROUPED = 1.5
"""Of the network's own size, at which a photo is grouped: larger, its groups have finer outlines."""


@click.command(cls=Command)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=options.PATH)
@click.option("--net", default=nets.RECOGNISES, show_default=True, help="The network, by name.")
@options.count("labels, layers, channels and groups")
@click.option("--heatmap", type=options.PATH, metavar="OUT", help="Write where it is seen: PHOTO, dim elsewhere.")
@click.option("-t", "--target", metavar="TEXT", help="What --heatmap shows; by default the top label.")
@click.option(
    "--groups",
    type=options.PATH,
    metavar="OUT",
    help="Write PHOTO in a few colours, one for each thing that --layer tells apart, with an icon of each.",
)
@click.option("--layer", metavar="LAYER", help="The layer of --groups; by default the one that is dreamt of best.")
@click.option(
    "--without",
    metavar="LAYER:CHANNEL,...",
    help="Leave these channels out of the network, and tell which labels that changes.",
)
@click.option(
    "--patch",
    metavar="LAYER:CHANNEL,...=OTHER",
    help="Replace these channels, layers or places of layers by what they are for the photo OTHER, and tell which "
    "labels that changes.",
)
@options.workers("a photo each of several")
@json_option
def see(
    photos: tuple[Path, ...],
    net: str,
    count: int,
    heatmap: Path | None,
    target: str | None,
    groups: Path | None,
    layer: str | None,
    without: str | None,
    patch: str | None,
    workers: str | None,
    as_json: bool,
) -> None:
    """Tell what a network believes it sees in PHOTO.

    \b
      phosphene see cup.jpg
      phosphene see cup.jpg --heatmap where.png --target class:espresso
      phosphene see cup.jpg --groups groups.png --layer block13
      phosphene see cup.jpg --without block13:21,block13:40..44
      phosphene see cup.jpg --patch block13:0..40=teapot.jpg
      phosphene see *.jpg --count 1 --json

    The labels with their probabilities; words above them, such as dog, with the sum of theirs; the layers that respond
    most, relative to their response to photographs; and the channels with the highest z-scores, each with the place
    where it is strongest. All are targets: paste one after `phosphene dream PHOTO --target`. With several photos, a
    folder or a pattern, --json prints a list, and --heatmap and --groups name folders. PHOTO may be - for stdin.
    """
    if target is not None and heatmap is None:
        raise click.UsageError("--target says what --heatmap shows: give --heatmap OUT too.")
    if layer is not None and groups is None:
        raise click.UsageError("--layer says what --groups shows: give --groups OUT too.")
    if patch is not None and (heatmap is not None or groups is not None):
        raise click.UsageError("--patch tells labels only: leave out --heatmap and --groups.")
    wanted = _Wanted(net, count, heatmap, target, groups, layer, without, _patch(patch))
    several = batch.expand(photos)
    fetch(net)
    if not batch.is_batch(photos, several):
        if workers is not None:
            raise click.UsageError("--workers do a photo each of several, but there is one.")
        wanted.check()
        sight = wanted.see(photos[0])
        if as_json:
            click.echo(json.dumps(_record(sight), indent=2, ensure_ascii=False))
        else:
            _print(sight)
        for path in wanted.written():
            click.echo(printable(str(path)), err=as_json)
        return
    heatmaps = {} if heatmap is None else batch.place(several, heatmap, "seen", ".png")
    grouped = {} if groups is None else batch.place(several, groups, "groups", ".png")
    records: list[dict[str, object]] = []
    failed: list[Path] = []
    tasks = [
        SeeTask(Path.cwd(), photo, replace(wanted, heatmap=heatmaps.get(photo), groups=grouped.get(photo)))
        for photo in several
    ]
    for index, (photo, seen) in enumerate(zip(several, _all_seen(tasks, net, workers), strict=True)):
        if isinstance(seen, PhospheneError):
            failed.append(photo)
            if as_json:
                records.append({"photo": str(photo), "error": str(seen)})
            else:
                describe_error(seen)
            continue
        records.append({"photo": str(photo), **_record(seen)})
        if not as_json:
            click.echo(f"{chr(10) if index else ''}{printable(str(photo))}")
            _print(seen)
    if as_json:
        click.echo(json.dumps(records, indent=2, ensure_ascii=False))
    if failed:
        batch.summarise(len(several) - len(failed), 0, failed)


@dataclass(frozen=True)
class _Wanted:
    """What is to be told of a photo, and the pictures to write of it."""

    net: str
    count: int
    heatmap: Path | None
    target: str | None
    groups: Path | None
    layer: str | None
    without: str | None
    patch: tuple[str, Path] | None

    def written(self) -> list[Path]:
        """Return the pictures."""
        return [each for each in (self.heatmap, self.groups) if each is not None]

    def check(self) -> None:
        """Raise `OutputError` for a picture that cannot be written."""
        from phosphene.media.image import check_writable

        for each in self.written():
            check_writable(each)

    def see(self, photo: Path, net: Net | None = None) -> Seen:
        """Return what is seen in the photo, after writing the pictures; `net` is the network, if it is loaded."""
        from phosphene import attribution
        from phosphene.attribution.view import network
        from phosphene.media.image import as_photograph, write_image
        from phosphene.nets.ablated import Ablated
        from phosphene.objectives.ablation import read_channels

        picture = as_photograph(options.from_stdin() if photo == options.STDIN else photo)
        whole = network(self.net if net is None else net)
        net = whole if self.without is None else Ablated(whole, read_channels(self.without))
        sight = attribution.see(picture, net=net, count=self.count)
        if self.heatmap is not None:
            write_image(self.heatmap, attribution.heatmap(picture, self.target, net=net), alpha=picture.alpha)
        if self.groups is not None:
            self._write_groups(picture, net, self.groups)
        changes = () if net is whole else attribution.label_changes(picture, whole, net, count=self.count)
        if self.patch is None:
            return Seen(sight, changes)
        parts, other = self.patch
        patched = attribution.patched_labels(picture, as_photograph(other), parts, net=net, count=self.count)
        return Seen(sight, changes, patched)

    def _write_groups(self, source: Photograph, net: Net, path: Path) -> None:
        from phosphene.attribution.view import picture, view, within_reach
        from phosphene.knowledge.groups import groups, groups_picture
        from phosphene.media.image import write_image

        image = picture(source)
        seen = view(within_reach(image, net), net.card, GROUPED)
        found = groups(seen, net, layer=self.layer, count=self.count)
        write_image(path, groups_picture(image, found))


@dataclass(frozen=True)
class SeeTask:
    """Seeing one photo of several, in a folder that its path is relative to."""

    folder: Path
    photo: Path
    wanted: _Wanted

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.photo)

    def run(self, net: Net) -> Seen:
        """Return what is seen, after writing the pictures."""
        from phosphene.render.several import enter

        enter(self.folder)
        self.wanted.check()
        return self.wanted.see(self.photo, net)


def _all_seen(tasks: list[SeeTask], net: str, workers: str | None) -> Iterator[Seen | PhospheneError]:
    """Yield what is seen in each photo, or what is wrong with it."""
    from phosphene.attribution.view import network
    from phosphene.render.several import several

    loaded = network(net)
    if workers is not None:
        yield from several(tasks, loaded, workers)
        return
    for task in tasks:
        try:
            yield task.run(loaded)
        except PhospheneError as problem:
            yield problem


class Seen(NamedTuple):
    """What is seen in a photo, what leaving channels out has changed, and what another photo's activations change."""

    sight: Sight
    changes: tuple[ChangedLabel, ...]
    patched: tuple[PatchedLabel, ...] = ()


def _patch(text: str | None) -> tuple[str, Path] | None:
    """Return the parts of layers and the path of the other photo."""
    if text is None:
        return None
    parts, equals, other = text.partition("=")
    if not equals or not parts.strip() or not other:
        raise click.UsageError("--patch is parts of layers and a photo, as block13:0..40=teapot.jpg.")
    return parts, Path(other)


def _record(seen: Seen) -> dict[str, object]:
    sight, changes, patched = seen
    record: dict[str, object] = {
        "net": sight.net,
        "labels": [each._asdict() for each in sight.labels],
        "hypernyms": [each._asdict() for each in sight.hypernyms],
        "layers": [each._asdict() for each in sight.layers],
        "channels": [{**each._asdict(), "neuron": each.neuron} for each in sight.channels],
        "has_statistics": sight.has_statistics,
    }
    further = {
        "changes": [each._asdict() for each in changes],
        "patched": [each._asdict() for each in patched],
    }
    return {**record, **{name: told for name, told in further.items() if told}}


def _print(seen: Seen) -> None:
    for index, table in enumerate(seen.sight.tables()):
        if index:
            click.echo()
        show(table, as_json=False)
    if seen.changes:
        click.echo()
        changed = [
            {"label": each.label, "whole network": f"{each.probability:.1%}", "without": f"{each.without:.1%}"}
            for each in seen.changes
        ]
        show(changed, as_json=False)
    if seen.patched:
        click.echo()
        patched = [
            {
                "label": each.label,
                "photo": f"{each.probability:.1%}",
                "patched": f"{each.patched:.1%}",
                "other photo": f"{each.other:.1%}",
            }
            for each in seen.patched
        ]
        show(patched, as_json=False)
