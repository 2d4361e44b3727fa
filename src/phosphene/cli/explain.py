"""`phosphene explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("photo", nargs=-1, type=options.PATH)
@options.noise
@options.settings("explain")
@output.options(page=True)
def explain(photo: tuple[Path, ...], noise: Any, output: output.Destination, **settings: Any) -> None:
    """Explain to pupils how a network dreams on PHOTO, as a page that needs no network.

    \b
      phosphene explain cat.jpg -o lesson/
      phosphene explain cat.jpg --target block13 --size 640
      phosphene explain --noise 320x240 --target class:teapot

    Seven pictures: the photo, what a layer sees in it, the gradient, one step, all steps, one octave, all octaves, each
    with a question whose answer opens on a click. The result is a folder: open its index.html. Without -o it is
    PHOTO-explained in the current folder.
    """
    source, stem, path = options.source(photo, noise)
    options.run("explain", source, output, f"{stem}-explained", path, **settings)
