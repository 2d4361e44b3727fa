"""`phosphene report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("label")
@click.option(
    "--from", "photos", type=options.PATH, metavar="FOLDER", help="Photos, some of LABEL: a folder, or a CSV."
)
@options.settings("report", without=("target", "dataset"))
@output.options(page=True)
def report(label: str, photos: Path | None, output: output.Destination, **settings: Any) -> None:
    """Tell what LABEL really means to a network: what it is made of, and what each part does alone.

    \b
      phosphene report dumbbell --from photos/ -o dumbbell/
      phosphene report goldfish
      phosphene report dog --from photos/ --parts 8 --net lite-clean

    The label is imagined, and the photos that show it best are taken apart into factors of a layer. Each part is
    imagined alone and shown in the photos; the page says whether it fires the label without the rest, what is left of
    the label without it, and whether several count for more. Where few photos show the label, imaginings are taken
    apart with them; without --from, 64 imaginings. The result is a folder: open its index.html; report.json says the
    same to programs. Without -o it is LABEL in the current folder. If it is stopped, the same command continues.
    """
    stem = options.stem_of(label.removeprefix("class:"))
    options.run("report", None, output, stem, None, target=label, dataset=photos, **settings)
