"""`phosphene dream`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import batch, options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("photos", metavar="[PHOTO]...", nargs=-1, type=options.PATH)
@options.workers("a photo each of several, or the tiles of a print of more than 24 megapixels")
@options.noise
@options.settings("dream", "dream-sound")
@output.options(still=True, sound=True)
def dream(
    photos: tuple[Path, ...], noise: Any, preset: str | None, output: output.Destination, **settings: Any
) -> None:
    """Dream on PHOTO: bring out what a network sees in it, at all sizes from large shapes to fine detail.

    PHOTO may be a sound: then what a network hears in it is brought out.

    \b
      phosphene dream photo.jpg
      phosphene dream photo.jpg --target block3 --size 2000 -o strokes.png
      phosphene dream *.jpg -o dreams/
      phosphene dream song.flac --target choir --film dreamt.mp4
      phosphene dream --noise 768x1024 --symmetry rotate:6

    Without -o the result is PHOTO-dream.png in the current folder, or PHOTO-dream-2.png if that is taken. The result
    carries its recipe: `phosphene again` renders it again. If it is stopped, the same command continues. Several
    photos, a folder or a pattern give one result each, in the folder of -o; those that are there already are skipped.
    PHOTO may be - for stdin.
    """
    several = batch.expand(photos)
    if noise is None and batch.is_batch(photos, several):
        batch.run(batch.PHOTOS, several, output, output.suffix, preset=preset, **settings)
        return
    source, stem, path = options.source(photos, noise)
    options.run("dream", source, output, f"{stem}-dream", path, preset=preset, **settings)
