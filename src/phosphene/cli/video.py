"""`phosphene video`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import filming, options
from phosphene.cli.fetching import fetch
from phosphene.cli.root import Command
from phosphene.recipe.films import VideoRecipe


@click.command(cls=Command)
@click.argument("clip", type=options.PATH)
@options.of_recipe(VideoRecipe)
@filming.options
def video(
    clip: Path,
    output_path: Path | None,
    codec: str | None,
    crf: int | None,
    depth: str,
    preview: Path | None,
    fresh: bool,
    **settings: Any,
) -> None:
    """Dream on CLIP without flicker: what is dreamt is carried along by the clip's own motion.

    \b
      phosphene video clip.mp4 -o dreamt.mp4 --size 640
      phosphene video clip.mov --start 2 --end 8 --target mixed4c

    Frames keep their times and the film its sound. Without -o the result is CLIP-dream.mp4 in the current folder.
    Whatever stops it, the same command goes on where it was. The film carries its recipe: `phosphene again` renders
    from it.
    """
    place = filming.choose(
        output_path, f"{clip.stem}-dream", codec=codec, crf=crf, depth=depth, preview=preview, fresh=fresh
    ).apart_from(clip)
    fetch(options.net_of(settings))

    from phosphene import api

    filming.follow(api.video(clip, **options.given(settings)), place)
