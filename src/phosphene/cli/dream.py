"""`phosphene dream`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("photo", required=False, type=options.PATH)
@options.noise
@options.settings("dream")
@output.options(still=True)
def dream(photo: Path | None, noise: Any, preset: str | None, output: output.Output, **settings: Any) -> None:
    """Dream on PHOTO: bring out what a network sees in it, at all sizes from large shapes to fine detail.

    \b
      phosphene dream photo.jpg
      phosphene dream photo.jpg --target mixed3b --size 2000 -o strokes.png
      phosphene dream --noise 768x1024 --symmetry rotate:6

    Without -o the result is PHOTO-dream.png in the current folder, or PHOTO-dream-2.png if that is taken. The result
    carries its recipe: `phosphene again` renders it again. If it is stopped, the same command continues.
    """
    source, stem = options.source(photo, noise)
    options.run("dream", source, output, f"{stem}-dream", photo, preset=preset, **settings)
