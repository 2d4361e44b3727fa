"""`phosphene dream`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe import DreamRecipe, Noise
from phosphene.recipe.presets import PRESETS


@click.command(cls=Command)
@click.argument("photo", required=False, type=options.PATH)
@options.noise
@options.preset(PRESETS["dream"])
@options.of_recipe(DreamRecipe)
@output.options
def dream(
    photo: Path | None,
    noise: tuple[int, int] | None,
    preset: str | None,
    output_path: Path | None,
    depth: str,
    preview: Path | None,
    **settings: Any,
) -> None:
    """Dream upon PHOTO: bring out what a network sees in it, at all sizes from large shapes to fine detail.

    Without -o the result is PHOTO-dream.png in the current folder, or PHOTO-dream-2.png if that is taken.
    The result carries its recipe: `phosphene again` renders from it.
    """
    if (photo is None) == (noise is None):
        raise click.UsageError("Give either PHOTO or --noise WIDTHxHEIGHT.")
    stem = f"{photo.stem}-dream" if photo is not None else "noise-dream"
    place = output.choose(output_path, stem, depth=depth, preview=preview).apart_from(photo)
    fetch(options.net_of(settings))

    from phosphene import api
    from phosphene.cli.progress import follow

    source = photo if noise is None else Noise(noise=noise)
    follow(api.dream_steps(source, preset=preset, **options.given(settings)), place)
