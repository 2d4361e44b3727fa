"""`phosphene imagine`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe import ImagineRecipe
from phosphene.recipe.presets import PRESETS


@click.command(cls=Command)
@click.argument("text")
@options.preset(PRESETS["imagine"])
@options.of_recipe(ImagineRecipe, without=("target",))
@output.options
def imagine(
    text: str,
    preset: str | None,
    output_path: Path | None,
    depth: str,
    preview: Path | None,
    **settings: Any,
) -> None:
    """Make a picture of what TEXT stands for in the network: a label, a layer, a channel, or a sum of them.

    \b
      phosphene imagine banana
      phosphene imagine "goldfish + chihuahua"
      phosphene imagine mixed4c:13

    Without -o the result is TEXT.png in the current folder. With --count, OUT-1.png, OUT-2.png ...
    The result carries its recipe: `phosphene again` renders from it.
    """
    given = options.given(settings)
    count = given.get("count", 1)
    place = output.choose(output_path, output.stem_of(text), count=count, depth=depth, preview=preview)
    fetch(options.net_of(given))

    from phosphene import api
    from phosphene.cli.progress import follow

    follow(api.imagine_steps(text, preset=preset, **given), place)
