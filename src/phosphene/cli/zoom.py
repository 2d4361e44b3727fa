"""`phosphene zoom`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import filming, options
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe import Noise
from phosphene.recipe.films import ZoomRecipe
from phosphene.recipe.presets import PRESETS


@click.command(cls=Command)
@click.argument("photo", required=False, type=options.PATH)
@options.noise
@options.preset(PRESETS["zoom"])
@options.of_recipe(ZoomRecipe)
@filming.options
def zoom(
    photo: Path | None,
    noise: tuple[int, int] | None,
    preset: str | None,
    output_path: Path | None,
    codec: str | None,
    crf: int | None,
    depth: str,
    preview: Path | None,
    fresh: bool,
    **settings: Any,
) -> None:
    """Travel into PHOTO without end: each frame of the film is the dream of the last one, moved.

    \b
      phosphene zoom photo.jpg -o trip.mp4 --seconds 20
      phosphene zoom photo.jpg --speed "0s: 1.2; 5s: 2" --target "0s: mixed3b; 6s: mixed4c; 12s: goldfish"
      phosphene zoom --noise 640x360 --loop -o trip.gif

    Settings with KEYS may change in the course of the film. Without -o the result is PHOTO-zoom.mp4 in the current
    folder. Whatever stops it, the same command goes on where it was. The film carries its recipe: `phosphene again`
    renders from it.
    """
    if (photo is None) == (noise is None):
        raise click.UsageError("Give either PHOTO or --noise WIDTHxHEIGHT.")
    stem = f"{photo.stem}-zoom" if photo is not None else "noise-zoom"
    place = filming.choose(output_path, stem, codec=codec, crf=crf, depth=depth, preview=preview, fresh=fresh)
    place.apart_from(photo)
    fetch(options.net_of(settings))

    from phosphene import api

    source = photo if noise is None else Noise(noise=noise)
    filming.follow(api.zoom(source, preset=preset, **options.given(settings)), place)
