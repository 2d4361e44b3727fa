"""`phosphene again` and `phosphene show`: recipes inside files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command
from phosphene.kinds import KINDS


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
@click.option("--source", type=options.PATH, metavar="PHOTO", help="Begin with this photo or clip instead.")
@click.option(
    "--look-in",
    type=options.PATH,
    metavar="FOLDER",
    multiple=True,
    help="Look for the source and guides here too; may be given several times.",
)
@click.option("--fetch", is_flag=True, help="Download the network that the recipe names, if it is not here.")
@options.workers("the parts of the work: tiles of a large print, batches of a sheet")
@options.settings(*KINDS, defaults=False)
@output.options(still=True, film=True, sound=True)
def again(
    file: Path, source: Path | None, look_in: tuple[Path, ...], fetch: bool, output: output.Destination, **settings: Any
) -> None:
    """Render again from the recipe inside FILE, a picture or film that phosphene wrote, or a .json file.

    \b
      phosphene again dream.png --size 4000
      phosphene again dream.png --source other.jpg --seed 7
      phosphene again trip.mp4 --seconds 60 -o longer.mp4
      phosphene again song.flac --film song.mp4

    Every setting is as in the recipe, unless given here; what phosphene chose by itself is then chosen again. The
    source is looked for beside FILE and in the folders of --look-in. Without -o the result is FILE-again.png in the
    current folder, or FILE-again.mp4 if it is a film.
    """
    settings.pop("preset", None)
    options.run(file, source, output, f"{file.stem}-again", source, look_in=look_in, fetch=fetch, **settings)


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
def show(file: Path) -> None:
    """Print the recipe inside FILE, as JSON."""
    from phosphene.recipe import dumps
    from phosphene.render.sources import read_recipe

    click.echo(dumps(read_recipe(file)))
