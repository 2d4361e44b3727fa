"""`phosphene basins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("pictures", metavar="A B C", nargs=3, type=options.PATH)
@options.settings("basins")
@output.options(still=True)
def basins(pictures: tuple[Path, Path, Path], output: output.Destination, **settings: Any) -> None:
    """Iterate steps of dreaming on the plane between the pictures A, B and C, and show how fast its points settle.

    \b
      phosphene basins cat.jpg dog.jpg clouds.jpg -o basins.png
      phosphene basins cat.jpg dog.jpg clouds.jpg --size 48x36 -o small.png
      phosphene basins cat.jpg dog.jpg clouds.jpg --target block5 --reach 0.3 -o smooth.png

    Each point is a mixture of the three pictures, A at the lower left, B at the lower right, C above. A step of
    dreaming takes it to another point of the plane. The colour says where a point ends and how far it goes, and it is
    brighter the sooner it settles.
    """
    corners = tuple(map(str, pictures))
    stem = options.stem_of("-".join(path.stem for path in pictures))
    options.run("basins", None, output, f"{stem}-basins", None, corners=corners, **settings)
