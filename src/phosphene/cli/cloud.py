"""`phosphene cloud`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("photo", nargs=-1, type=options.PATH)
@options.noise
@options.settings("cloud")
@output.options(still=True, film=True)
def cloud(photo: tuple[Path, ...], noise: Any, output: output.Destination, **settings: Any) -> None:
    """See things in PHOTO, as people do in clouds: what each region looks like most grows there.

    \b
      phosphene cloud sky.jpg -o seen.png
      phosphene cloud sky.jpg --regions 5 --rounds 12
      phosphene cloud sky.jpg --fps 12 -o seen.mp4
      phosphene cloud --noise 512x384

    Each region is read by itself. The network's best reading becomes the target there for some steps; then all are
    read again, and so on: the thing seen grows out of the cloud where it was seen. The readings are written beside the
    picture, or beside each frame of a film with --fps.
    """
    source, stem, path = options.source(photo, noise)
    options.run("cloud", source, output, f"{stem}-seen", path, **settings)
