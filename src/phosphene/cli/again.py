"""`phosphene again` and `phosphene show`: recipes inside files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import filming, options, output
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.kinds import KINDS
from phosphene.recipe import MorphRecipe, VideoRecipe, ZoomRecipe


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
@click.option(
    "--source", type=options.PATH, metavar="PHOTO", help="Begin with this photo or clip, not the recipe's own."
)
@options.of_recipe(*(kind.recipe for kind in KINDS.values()), defaults=False)
@filming.codec_options
@output.options
def again(
    file: Path,
    source: Path | None,
    output_path: Path | None,
    depth: str,
    preview: Path | None,
    codec: str | None,
    crf: int | None,
    fresh: bool,
    **settings: Any,
) -> None:
    """Render anew from the recipe inside FILE, a picture or film that phosphene wrote, or a .json file.

    Every setting is as in the recipe, unless given here; what phosphene chose by itself is then chosen anew.
    The photo is looked for where it was, seen from FILE, and beside FILE. Without -o the result is
    FILE-again.png in the current folder, or FILE-again.mp4 if it is a film's.
    """
    changes = options.given(settings)
    from phosphene import recipe as recipes
    from phosphene.render import sources

    recipe = recipes.override(sources.read_recipe(file), changes)
    if isinstance(recipe, ZoomRecipe | MorphRecipe | VideoRecipe):
        film = filming.choose(
            output_path, f"{file.stem}-again", codec=codec, crf=crf, depth=depth, preview=preview, fresh=fresh
        )
        fetch(recipe.net.name)

        from phosphene.api import film_again

        filming.follow(film_again(recipe, file, source), film)
        return
    if codec is not None or crf is not None or fresh:
        raise click.UsageError("--codec, --crf and --fresh are for films, but this recipe is a picture's.")
    count = len(recipe.pictures())
    place = output.choose(output_path, f"{file.stem}-again", count=count, depth=depth, preview=preview)
    fetch(recipe.net.name)

    from phosphene import api
    from phosphene.cli.progress import follow

    follow(api.again_steps(file, source=source, **changes), place)


@click.command(cls=Command)
@click.argument("file", type=options.PATH)
def show(file: Path) -> None:
    """Print the recipe inside FILE, as JSON."""
    from phosphene import recipe as recipes
    from phosphene.render import sources

    click.echo(recipes.dumps(sources.read_recipe(file)))
