"""`phosphene morph`."""

from __future__ import annotations

from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("ideas", nargs=-1, required=True)
@options.no_workers
@options.settings("morph", "morph-sound")
@output.options(film=True, sound=True)
def morph(ideas: tuple[str, ...], output: output.Destination, **settings: Any) -> None:
    """Turn one idea into the next: labels, layers, channels, or sums of them, two or more.

    \b
      phosphene morph banana dumbbell "golden retriever" -o morph.mp4
      phosphene morph block11:13 block11:100 --loop -o morph.gif
      phosphene morph teapot goldfish --between 6 --seconds 8
      phosphene morph teapot goldfish dumbbell --sound song.flac
      phosphene morph choir sitar --net ear -o morph.flac

    All ideas are imagined together first, along with some pictures between them that are both, which takes most of the
    time; the frames follow quickly. With a network that hears, a sound becomes another. Without -o the result is
    IDEAS.mp4, or IDEAS.flac, in the current folder. If it is stopped, the same command continues. The result carries
    its recipe: `phosphene again` renders it again.
    """
    if len(ideas) < 2:
        raise click.UsageError("Give two ideas or more, as in: phosphene morph banana dumbbell")
    options.run("morph", None, output, options.stem_of("-".join(ideas)), None, ideas=ideas, **settings)
