"""`phosphene zoom`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("photo", required=False, type=options.PATH)
@options.noise
@options.workers("the tiles of a large frame")
@options.settings("zoom")
@output.options(film=True)
def zoom(photo: Path | None, noise: Any, preset: str | None, output: output.Destination, **settings: Any) -> None:
    """Travel endlessly into PHOTO: each frame of the film dreams on the last one, moved.

    \b
      phosphene zoom photo.jpg -o trip.mp4 --seconds 20
      phosphene zoom photo.jpg --speed "0s: 1.2; 5s: 2" --target "0s: block5; 6s: block11; 12s: goldfish"
      phosphene zoom photo.jpg --sound song.flac --target "block11 | block3"
      phosphene zoom --noise 640x360 --loop -o trip.gif

    With --sound the trip follows the music, has it as its sound, and lasts as long. Settings with KEYS may change in
    the course of the film. Without -o the result is PHOTO-zoom.mp4 in the current folder. If it is stopped, the same
    command continues. The film carries its recipe: `phosphene again` renders it again.
    """
    source, stem, path = options.source(() if photo is None else (photo,), noise)
    options.run("zoom", source, output, f"{stem}-zoom", path, preset=preset, **settings)
