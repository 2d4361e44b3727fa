"""`phosphene sheet`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe import SheetRecipe


@click.command(cls=Command)
@click.argument("targets", nargs=-1, required=True)
@options.of_recipe(SheetRecipe)
@output.options
def sheet(
    targets: tuple[str, ...],
    output_path: Path | None,
    depth: str,
    preview: Path | None,
    **settings: Any,
) -> None:
    """Make a picture of each of TARGETS, side by side: labels, layers, channels, or sums of them.

    \b
      phosphene sheet mixed4c:0..63
      phosphene sheet banana goldfish teapot --size 192 --columns 3

    They are imagined many at a time, which takes a fraction of what it takes one by one. Without -o the result is
    TARGETS.png in the current folder. It carries its recipe, which lists the targets row by row:
    `phosphene again` renders from it.
    """
    given = options.given(settings)
    place = output.choose(output_path, output.stem_of("-".join(targets)), depth=depth, preview=preview)
    fetch(options.net_of(given))

    from phosphene import api
    from phosphene.cli.progress import follow

    follow(api.sheet_steps(targets, **given), place)
