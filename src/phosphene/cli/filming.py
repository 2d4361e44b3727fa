"""What all commands that make films share: where the film goes, and following it to its end."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from phosphene.cli.options import PATH
from phosphene.cli.progress import PREVIEW_EVERY, PREVIEW_SHARE, clock
from phosphene.cli.root import INTERRUPTED
from phosphene.errors import OutputError, PhospheneError

if TYPE_CHECKING:
    from phosphene.loops.frames import Frame
    from phosphene.render.films import FilmRendering

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SUFFIX = ".mp4"


@dataclass(frozen=True)
class Place:
    """Where a film goes, how it is stored, and where a picture of the last frame is kept."""

    path: Path
    codec: str | None
    crf: int | None
    depth: int
    preview: Path | None
    fresh: bool

    def apart_from(self, source: Path | None) -> Place:
        """Raise `OutputError` if a file to write is the one that is read; gives itself."""
        for path in filter(None, (self.path, self.preview)):
            if source is not None and path.exists() and source.exists() and path.samefile(source):
                raise OutputError(
                    f"{path} is the source itself, without which its film could not be made again: write to another "
                    "file",
                    path=path,
                )
        return self


def codec_options(command: F) -> F:
    """A decorator that adds --codec, --crf and --fresh."""
    for each in (
        click.option("--fresh", is_flag=True, help="Do not go on with a film that was begun here: begin afresh."),
        click.option("--crf", type=int, metavar="INTEGER", help="Quality of H.264 (0 best to 51) and VP9 (to 63)."),
        click.option(
            "--codec", metavar="NAME", help="h264, vp9, prores, ffv1, gif or png; by default the suffix's usual one."
        ),
    ):
        command = each(command)
    return command


def options(command: F) -> F:
    """A decorator that adds -o, --codec, --crf, --depth, --preview and --fresh."""
    command = click.option("--preview", type=PATH, metavar="FILE", help="Keep a picture of the last frame here.")(
        codec_options(command)
    )
    command = click.option(
        "--depth",
        type=click.Choice(["8", "16"]),
        default="8",
        show_default=True,
        help="Bits a sample; 16 with ffv1 and png only.",
    )(command)
    return click.option(
        "-o",
        "--output",
        "output_path",
        type=PATH,
        metavar="OUT",
        help="Where to write; the suffix chooses the format (.mp4, .webm, .gif, .mkv, .mov; a folder or NAME-%05d.png "
        "for pictures). By default a new MP4 in the current folder.",
    )(command)


def choose(
    output: Path | None,
    stem: str,
    *,
    codec: str | None,
    crf: int | None,
    depth: str,
    preview: Path | None,
    fresh: bool,
) -> Place:
    """The place; without -o, a file in the current folder that is not there yet, or not finished."""
    from phosphene.media import atomic
    from phosphene.media.image import formats
    from phosphene.media.video import codecs

    for number in itertools.count(1):
        path = output or Path(f"{stem}{'' if number == 1 else f'-{number}'}{DEFAULT_SUFFIX}")
        if output is not None or not path.exists():
            break
    codecs.choose(path, codec)
    if preview is not None:
        formats.for_writing(preview)
        atomic.check(preview)
    return Place(path, codec, crf, int(depth), preview, fresh)


def follow(run: FilmRendering, place: Place) -> None:
    """Make the film, or what it lacks, and say where it is on stdout.

    Ctrl-C keeps what is done, says how to go on, and exits 130.
    """
    from phosphene.render.films import Style

    with run.film(place.path, Style(place.codec, place.crf, place.depth), fresh=place.fresh) as film:
        if film.frames:
            click.echo(f"goes on after frame {film.frames}", err=True)
        frames = run.into(film)
        try:
            with _bar(run, film.frames) as show:
                keep = _previews(place.preview)
                for frame in frames:
                    show(frame)
                    keep(frame, frame.index + 1 == run.frames)
        except KeyboardInterrupt:
            frames.close()  # type: ignore[attr-defined]  # keeps the last frame, if Ctrl-C came between two
            whole = f" of {run.frames}" if run.frames else ""
            watch = f" (to watch: {film.preview_path})" if film.preview_path else ""
            click.echo(
                f"stopped after frame {film.frames}{whole}; what is there is kept{watch}, and the same command goes on",
                err=True,
            )
            click.get_current_context().exit(INTERRUPTED)
    click.echo(place.path)


def _previews(path: Path | None) -> Callable[[Frame, bool], None]:
    """What keeps a picture of the last frame in `path`."""
    due = 0.0

    def keep(frame: Frame, last: bool) -> None:
        nonlocal due
        began = time.monotonic()
        if path is None or (began < due and not last):
            return
        from phosphene.media.image import write_image

        try:
            write_image(path, frame.image)
        except PhospheneError as problem:  # as a full disk: no reason to lose hours of work
            click.echo(f"no preview: {problem}", err=True)
        took = time.monotonic() - began
        due = began + max(PREVIEW_EVERY, took / PREVIEW_SHARE)

    return keep


@contextmanager
def _bar(run: FilmRendering, done: int) -> Iterator[Callable[[Frame], None]]:
    """What shows a frame: a bar on stderr if that is a terminal, and nothing otherwise."""
    frames = run.frames
    if not sys.stderr.isatty():
        yield lambda frame: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("begins", total=frames, completed=done, state="")
        began = time.monotonic()

        def prepared(share: float) -> None:
            nonlocal began
            left = clock((time.monotonic() - began) * (1 - share) / share)
            progress.update(task, total=1, completed=share, description="imagining", state=f"{left} left")
            if share == 1:
                began = time.monotonic()
                progress.update(task, total=frames, completed=done, description="begins", state="")

        run.preparation.on_progress = prepared

        def show(frame: Frame) -> None:
            rate = (frame.index + 1 - done) / max(time.monotonic() - began, 1e-9)
            left = "" if frames is None else f"  {clock((frames - frame.index - 1) / rate)} left"
            progress.update(
                task,
                completed=frame.index + 1,
                description=f"frame {frame.index + 1}" + (f"/{frames}" if frames else ""),
                state=f"{rate:.2f} frames/s{left}",
            )

        yield show
