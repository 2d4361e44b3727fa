"""`phosphene learn`."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command

if TYPE_CHECKING:
    from phosphene.render.job import Event

SUFFIX, MACHINE = ".pt2", ".rbm"

LOG_EVERY = 5.0
"""Seconds between writes of the log and the plot."""

FRAMES = 60
"""Of a film of learning: 5 seconds."""


@click.command(cls=Command)
@click.argument("dataset", type=options.PATH, required=False)
@click.option("--digits", "own", flag_value="digits", help="Learn the 1,797 handwritten digits that are bundled.")
@click.option("--shapes", "own", flag_value="shapes", help="Learn shapes in colour that are drawn here.")
@click.option("--letters", "own", flag_value="letters", help="Learn the letters of a font of this machine.")
@click.option("--font", metavar="FILE", help="The font of --letters, a .ttf or .otf file.")
@click.option("--from", "start", metavar="NET", help="Train this network further: pocket, lite, or a .pt2 of learn.")
@click.option("--film", type=options.PATH, metavar="FILE", help="Make the film of the learning too (see recall).")
@click.option("--log", type=options.PATH, metavar="FILE", help="Keep losses and accuracies in this CSV.")
@click.option("--plot", type=options.PATH, metavar="FILE", help="Keep a picture of their curves in this file.")
@options.settings("learn", without=("start",))
@output.options()
def learn(
    dataset: Path | None,
    own: str | None,
    font: str | None,
    start: str | None,
    film: Path | None,
    log: Path | None,
    plot: Path | None,
    output: output.Destination,
    **settings: Any,
) -> None:
    """Train a network on DATASET, a folder with a folder of pictures for each class, or a CSV.

    \b
      phosphene learn photos/ -o mynet.pt2
      phosphene sheet --net mynet.pt2 all
      phosphene learn --digits -o digits.pt2
      phosphene learn photos/ --from pocket -o mynet.pt2

    The network can be used everywhere: --net mynet.pt2. Pictures that cannot be read are counted and named. If it is
    stopped, the same command continues; the result is the same to the byte. Without -o the result is DATASET.pt2 in
    the current folder.
    """
    from phosphene.recipe import Dataset

    if (dataset is None) == (own is None):
        raise click.UsageError("Give either DATASET, a folder or CSV, or one of --digits, --shapes and --letters.")
    if font is not None and own != "letters":
        raise click.UsageError("--font is for --letters only.")
    source: object = dataset if own is None else Dataset(own=own, font=font)
    stem = str(own) if dataset is None else options.stem_of(dataset.resolve().stem)
    suffix = MACHINE if settings.get("model") in ("rbm", "stack") else SUFFIX
    output = replace(output, suffix=suffix)
    if film is not None and suffix == MACHINE:
        raise click.UsageError("--film is for networks; phosphene gibbs films the chains of a machine.")
    if film is not None and output.path is None:
        output = replace(output, path=Path(f"{stem}{SUFFIX}"))
    if film is not None and settings.get("frames") is None:
        settings["frames"] = FRAMES
    run = None if output.path is None else output.path.with_suffix(".run")
    half_way = film is not None and not film.exists() and output.path is not None and output.path.exists()
    if not (half_way and run is not None and run.is_dir() and not output.force):
        kept = log_of(log, plot)
        options.run("learn", source, output, stem, None, on_event=kept, start=start, **settings)
    if film is not None and run is not None:
        options.run("recall", run, replace(output, path=film), film.stem, None)


def log_of(log: Path | None, plot: Path | None) -> Callable[[Event], None]:
    """Return a function that keeps the metrics of events in a CSV, and their curves in a picture.

    Lines of a run that was killed stay, up to where it is continued.
    """
    from phosphene.media.image import write_image
    from phosphene.media.image.chart import curves

    rows: dict[int, dict[str, float]] = {}
    if log is not None and log.is_file():
        with log.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                step = int(row.pop("step"))
                rows[step] = {name: float(each) for name, each in row.items() if each}
    began: list[int] = []
    due = 0.0

    def keep(event: Event) -> None:
        nonlocal due
        if not event.metrics:
            return
        if not began:
            began.append(event.step)
            for step in [each for each in rows if each >= event.step]:
                del rows[step]
        rows[event.step] = dict(event.metrics)
        if time.monotonic() < due and event.progress < 1:
            return
        if log is not None:
            _write_log(log, rows)
        if plot is not None:
            write_image(plot, curves(rows))
        due = time.monotonic() + LOG_EVERY

    return keep


def _write_log(log: Path, rows: dict[int, dict[str, float]]) -> None:
    from phosphene.media import atomic

    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["step", *names])
    writer.writeheader()
    for step, row in sorted(rows.items()):
        writer.writerow({"step": step, **{name: f"{each:.6g}" for name, each in row.items()}})
    with atomic.replacing(log) as file:
        file.write(text.getvalue().encode())
