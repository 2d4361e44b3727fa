"""`phosphene morph`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import filming, options, output
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe.films import MorphRecipe


@click.command(cls=Command)
@click.argument("ideas", nargs=-1, required=True)
@options.of_recipe(MorphRecipe)
@filming.options
def morph(
    ideas: tuple[str, ...],
    output_path: Path | None,
    codec: str | None,
    crf: int | None,
    depth: str,
    preview: Path | None,
    fresh: bool,
    **settings: Any,
) -> None:
    """Turn one idea into the next: labels, layers, channels, or sums of them, two or more.

    \b
      phosphene morph banana dumbbell "golden retriever" -o morph.mp4
      phosphene morph mixed4c:13 mixed4c:100 --loop -o morph.gif

    First all ideas are imagined together, and some pictures between them that are both, which takes most of the time;
    the frames follow quickly. Without -o the result is IDEAS.mp4 in the current folder. The film carries its
    recipe: `phosphene again` renders from it.
    """
    if len(ideas) < 2:
        raise click.UsageError("Give two ideas or more, as in: phosphene morph banana dumbbell")
    stem = output.stem_of("-".join(ideas))
    place = filming.choose(output_path, stem, codec=codec, crf=crf, depth=depth, preview=preview, fresh=fresh)
    fetch(options.net_of(settings))

    from phosphene import api

    filming.follow(api.morph(ideas, **options.given(settings)), place)
