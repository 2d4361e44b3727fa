"""`phosphene atlas`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("net")
@click.argument("layer")
@click.option(
    "--from", "photos", type=options.PATH, required=True, metavar="FOLDER", help="The pictures: a folder, or a CSV."
)
@options.workers("batches of 16 icons")
@options.settings("atlas", without=("net", "layer"))
@output.options(page=True)
def atlas(net: str, layer: str, photos: Path, output: output.Destination, **settings: Any) -> None:
    """Map everything that LAYER of NET tells apart: one page to zoom into, and one large picture.

    \b
      phosphene atlas lite block13 --from photos/ -o atlas/
      phosphene atlas pocket mixed4c --from photos/ --columns 12
      phosphene atlas lite head --from photos/ --layout umap

    One activation of each picture of FOLDER, at a random position, is laid out in the plane so that similar ones are
    near one another. Each cell of a grid is drawn as an icon of what its activations have in common, and labelled by
    what they argue for. The result is a folder: open its index.html. Without -o it is NET-LAYER in the current folder.
    If it is stopped, the same command continues.
    """
    options.run("atlas", photos, output, options.stem_of(f"{net}-{layer}"), None, net=net, layer=layer, **settings)
