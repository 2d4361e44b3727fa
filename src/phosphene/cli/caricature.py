"""`phosphene caricature`: an imagining whose target is a photo, as a layer sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command

SIDE = 384
"""Longest side of the picture where no size is asked for."""


@click.command(cls=Command)
@click.argument("photo", metavar="PHOTO", type=click.Path(path_type=Path))
@click.option("--layer", metavar="TEXT", help="The layer; by default the one that dreams use.")
@click.option("--inversion", is_flag=True, help="Do not exaggerate: draw what the layer keeps of the photo.")
@options.workers("the tiles of a print of more than 24 megapixels")
@options.settings("imagine", without=("target", "method"))
@output.options(still=True)
def caricature(
    photo: Path, layer: str | None, inversion: bool, preset: str | None, output: output.Destination, **settings: Any
) -> None:
    """Draw what a layer takes PHOTO to be, exaggerated, each thing in its place.

    \b
      phosphene caricature goldfish.jpg --layer block9
      phosphene caricature goldfish.jpg --layer block9 --inversion

    The picture begins with noise, and has the photo's proportions. Its longest side is 384 pixels unless --size says
    otherwise. It is an imagining of like(PHOTO, LAYER), or of inversion(PHOTO, LAYER). Without -o the result is
    PHOTO.caricature.png in the current folder.
    """
    from phosphene import nets
    from phosphene.media.image import read_image
    from phosphene.objectives import Inversion, Like
    from phosphene.recipe.base import DEFAULT_NET
    from phosphene.render.sources import size_for

    settings["size"] = size_for(settings["size"] or SIDE, read_image(photo).size)
    if layer is None:
        net = settings.get("net")
        layer = nets.describe(getattr(net, "name", None) or DEFAULT_NET).default_target
    target = str((Inversion if inversion else Like)(str(photo), layer))
    stem = f"{photo.stem}.{'inversion' if inversion else 'caricature'}"
    options.run("imagine", None, output, stem, None, target=target, preset=preset, **settings)
