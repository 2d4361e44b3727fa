"""`phosphene recall`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("run", type=options.PATH)
@options.settings("recall")
@output.options(film=True)
def recall(run: Path, output: output.Destination, **settings: Any) -> None:
    """Make the film of a network's learning from RUN, the folder NAME.run that learn left beside NAME.pt2.

    \b
      phosphene learn --digits --frames 60 -o digits.pt2
      phosphene recall digits.run -o learning.mp4
      phosphene recall digits.run -o learning.gif
      phosphene recall digits.run -o frames/

    Every class is imagined on a canvas of its own, which follows the network from its first steps to its last. Without
    -o the result is RUN.mp4 in the current folder. If it is stopped, the same command continues.
    """
    options.run("recall", run, output, options.stem_of(run.resolve().stem), None, **settings)
