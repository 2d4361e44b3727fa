"""`phosphene again` and `phosphene show`: recipes inside files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe import DreamRecipe, ImagineRecipe


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
@click.option("--source", type=options.PATH, metavar="PHOTO", help="Begin with this photo, not the recipe's own.")
@options.of_recipe(DreamRecipe, ImagineRecipe, defaults=False)
@output.options
def again(
    file: Path,
    source: Path | None,
    output_path: Path | None,
    depth: str,
    preview: Path | None,
    **settings: Any,
) -> None:
    """Render anew from the recipe inside FILE, a picture that phosphene wrote, or a .json file.

    Every setting is as in the recipe, unless given here; what phosphene chose by itself is then chosen anew.
    The photo is looked for where it was, seen from FILE, and beside FILE. Without -o the result is
    FILE-again.png in the current folder.
    """
    changes = options.given(settings)
    from phosphene import recipe as recipes
    from phosphene import source as sources

    recipe = recipes.override(sources.read_recipe(file), changes)
    count = len(recipes.of_each(recipe))
    place = output.choose(output_path, f"{file.stem}-again", count=count, depth=depth, preview=preview)
    fetch(recipe.net.name)

    from phosphene import render
    from phosphene.cli.progress import follow

    follow(render.again_steps(file, source=source, **changes), place)


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
def show(file: Path) -> None:
    """Print the recipe inside FILE, as JSON."""
    from phosphene import recipe as recipes
    from phosphene import source as sources

    click.echo(recipes.dumps(sources.read_recipe(file)))
