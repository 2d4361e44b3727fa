"""`phosphene sheet`."""

from __future__ import annotations

from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("targets", nargs=-1, required=True)
@options.workers("batches of up to 16 pictures")
@options.settings("sheet", "sheet-sound", without=("vary",))
@click.option(
    "--vary",
    multiple=True,
    metavar="SETTING=VALUES",
    help="Make a contact sheet: each target once for each of these values of a setting of imagine, side by side, with "
    "captions. Can be given several times, for all combinations.",
)
@output.options(still=True)
def sheet(targets: tuple[str, ...], vary: tuple[str, ...], output: output.Destination, **settings: Any) -> None:
    """Make a picture of each of TARGETS, side by side: labels, layers, channels, or sums of them.

    \b
      phosphene sheet block11:0..63
      phosphene sheet banana goldfish teapot --size 192 --columns 3
      phosphene sheet block2:0..15 --gap 0 -o textures.png
      phosphene sheet banana goldfish teapot --captions
      phosphene sheet banana --vary steps=32,96,288 --vary noise=0,0.1
      phosphene sheet block11:3 block11:40 --weights 0,0.5,1
      phosphene sheet conv4:0..7 --net ear -o channels.flac

    Many pictures are imagined at a time, which takes a fraction of the time of one by one. Without -o the result is
    TARGETS.png in the current folder. It carries its recipe, which lists the targets row by row: `phosphene again`
    renders it again. If it is stopped, the same command continues. With a network that hears, the sheet is a sound of
    each target, in a row, and a picture of their spectrograms.
    """
    varied = "; ".join(vary) or None
    options.run(
        "sheet", None, output, options.stem_of("-".join(targets)), None, targets=targets, vary=varied, **settings
    )
