"""`phosphene microscope`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("net")
@click.option("--from", "photos", type=options.PATH, metavar="FOLDER", help="Photos to show: a folder, or a CSV.")
@options.workers("batches of 16 icons")
@options.settings("microscope", without=("net", "dataset"))
@output.options(page=True)
def microscope(net: str, photos: Path | None, output: output.Destination, **settings: Any) -> None:
    """Show every channel of NET: what it looks for, what excites it, and what it argues for.

    \b
      phosphene microscope pocket --from photos/ -o site/
      phosphene microscope lite --layers block12,block15 --from photos/
      phosphene microscope lite --layers block15 --json

    Each channel is drawn as an icon. With photos there are those that excite it most, with the place marked, the
    channels that it usually fires with, and the labels that it raises and lowers. The result is a folder: open its
    index.html; every channel has a link of its own, as block15.html#13. Without -o it is NET-microscope in the current
    folder. If it is stopped, the same command continues.
    """
    stem = options.stem_of(f"{net}-microscope")
    options.run("microscope", None, output, stem, None, net=net, dataset=photos, **settings)
