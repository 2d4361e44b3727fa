"""`phosphene learn`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command

SUFFIX = ".pt2"


@click.command(cls=Command)
@click.argument("dataset", type=options.PATH, required=False)
@click.option("--digits", "own", flag_value="digits", help="Learn the 1,797 handwritten digits that are bundled.")
@click.option("--shapes", "own", flag_value="shapes", help="Learn shapes in colour that are drawn here.")
@click.option("--letters", "own", flag_value="letters", help="Learn the letters of a font of this machine.")
@click.option("--font", metavar="FILE", help="The font of --letters, a .ttf or .otf file.")
@click.option("--from", "start", metavar="NET", help="Train this network further: pocket, lite, or a .pt2 of learn.")
@options.settings("learn", without=("start",))
@output.options()
def learn(
    dataset: Path | None,
    own: str | None,
    font: str | None,
    start: str | None,
    output: output.Output,
    **settings: Any,
) -> None:
    """Train a network on DATASET, a folder with a folder of pictures for each class, or a CSV.

    \b
      phosphene learn photos/ -o mynet.pt2
      phosphene sheet --net mynet.pt2 all
      phosphene learn --digits -o digits.pt2

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
    output = replace(output, suffix=SUFFIX)
    options.run("learn", source, output, stem, None, start=start, **settings)
