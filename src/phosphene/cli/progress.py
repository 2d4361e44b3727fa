"""Following a run to its end: the bar on a terminal, the preview, and what is kept when Ctrl-C stops it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from phosphene.cli.output import Output
from phosphene.cli.root import INTERRUPTED
from phosphene.errors import PhospheneError
from phosphene.loops.step import StillStep as Step
from phosphene.render.stills import Rendering

PREVIEW_EVERY = 1.0
"""Seconds between previews, at least."""
PREVIEW_SHARE = 0.1
"""Of the time, what may be spent on writing previews at most."""


def follow(run: Rendering, output: Output) -> None:
    """Run to the end, write the pictures, and say where they are on stdout.

    Ctrl-C writes the pictures so far beside them as NAME.partial and exits 130.
    """
    output.check_for(run)
    last = run.start
    try:
        with _bar() as show:
            keep = _previews(run, output.preview)
            for last in run:
                show(last)
                keep(last, last.progress >= 1)
    except KeyboardInterrupt:
        _stopped(run, last, output)
    for path in _write(run, last, output.paths(), output.depth):
        click.echo(path)


def _write(run: Rendering, step: Step, paths: list[Path], depth: int) -> list[Path]:
    for picture, path in zip(run.pictures(step), paths, strict=True):
        picture.save(path, depth=depth)
    return paths


def _stopped(run: Rendering, last: Step, output: Output) -> None:
    paths = _write(run, last, output.paths(".partial"), output.depth)
    where = f"octave {last.octave + 1} of {last.octaves}, step {last.step} of {last.steps}"
    click.echo(f"stopped in {where}; what is there is in {', '.join(map(str, paths))}", err=True)
    click.get_current_context().exit(INTERRUPTED)


def _previews(run: Rendering, path: Path | None) -> Callable[[Step, bool], None]:
    """What keeps a picture of the steps so far in `path`; the first and the last are always kept."""
    due = 0.0

    def keep(step: Step, last: bool) -> None:
        nonlocal due
        began = time.monotonic()
        if path is None or (began < due and not last):
            return
        try:
            run.pictures(step)[0].save(path)
        except PhospheneError as problem:  # as a full disk: no reason to lose hours of work
            click.echo(f"no preview: {problem}", err=True)
        took = time.monotonic() - began
        due = began + max(PREVIEW_EVERY, took / PREVIEW_SHARE)

    return keep


@contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    """What shows a step: a bar on stderr if that is a terminal, and nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("begins", total=1.0, state="")
        began = time.monotonic()

        def show(step: Step) -> None:
            taken = time.monotonic() - began
            left = taken * (1 - step.progress) / max(step.progress, 1e-9)
            progress.update(
                task,
                completed=step.progress,
                description=f"octave {step.octave + 1}/{step.octaves}",
                state=f"{step.progress:4.0%}  {clock(left)} left  score {step.score:.4g}",
            )

        yield show


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, without what is zero in front: "0:07", "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
