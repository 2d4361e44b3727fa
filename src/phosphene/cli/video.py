"""`phosphene video`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import batch, options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("clips", metavar="CLIP...", nargs=-1, required=True, type=options.PATH)
@options.workers("a clip each of several, or the scenes of one, from one cut to the next")
@options.settings("video")
@output.options(film=True)
def video(clips: tuple[Path, ...], output: output.Destination, **settings: Any) -> None:
    """Dream on CLIP without flicker: what is dreamt is carried along by the clip's own motion.

    \b
      phosphene video clip.mp4 -o dreamt.mp4 --size 640
      phosphene video clip.mov --start 2 --end 8 --target block11
      phosphene video clip.mp4 --sound song.flac --target "block11 | block3"
      phosphene video clip.mp4 --every 2 --keep 0.95
      phosphene video *.mp4 -o dreamt/ --workers 2

    Frames keep their times and the film its sound, unless --sound has it follow another. Without -o the result is
    CLIP-dream.mp4 in the current folder. If it is stopped, the same command continues. The film carries its recipe:
    `phosphene again` renders it again. Several clips, a folder or a pattern give one film each, in the folder of -o;
    those that are there already are skipped.
    """
    several = batch.expand(clips, batch.CLIPS)
    if batch.is_batch(clips, several):
        batch.run(batch.CLIPS, several, output, ".mp4", **settings)
        return
    (clip,) = clips
    options.run("video", clip, output, f"{clip.stem}-dream", clip, **settings)
