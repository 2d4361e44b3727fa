"""`phosphene imagine`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("words", metavar="TEXT...", nargs=-1)
@options.workers("the tiles of a print of more than 24 megapixels")
@options.settings("imagine", "imagine-sound", without=("target",))
@output.options(still=True, sound=True)
def imagine(words: tuple[str, ...], preset: str | None, output: output.Destination, **settings: Any) -> None:
    """Make a picture of what TEXT stands for in the network: a label, a layer, a channel, or a sum of them.

    \b
      phosphene imagine golden retriever
      phosphene imagine "goldfish + chihuahua" --count 4
      phosphene imagine block11:13 --symmetry p4m
      phosphene imagine choir --net ear --seconds 8 -o choir.flac

    With a network that hears, it is a sound. Without -o the result is TEXT.png, or TEXT.flac, in the current folder.
    With --count, OUT-1.png, OUT-2.png and so on. The result carries its recipe: `phosphene again` renders it again. If
    it is stopped, the same command continues.
    """
    text = " ".join(words)
    machine = str(settings.get("net") or "")
    machine = getattr(settings.get("net"), "name", machine)
    if machine.endswith(".rbm"):
        given = {name: settings.get(name) for name in ("size", "count", "seed")}
        options.run("gibbs", None, output, options.stem_of(Path(machine).stem), None, net=machine, **given)
        return
    if not words:
        raise click.UsageError("Missing argument 'TEXT...'.")
    options.run("imagine", None, output, options.stem_of(text), None, target=text, preset=preset, **settings)
