"""Following a job to its end: progress on a terminal or in a log, previews, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from phosphene.cli.output import STDOUT, Destination
from phosphene.cli.root import INTERRUPTED, is_quiet, keep_on_interrupt, printable, says_json
from phosphene.errors import PhospheneError, SettingError
from phosphene.media.image import write_image
from phosphene.recipe import BaseRecipe, dumps
from phosphene.render.job import Event, Format, Job

PREVIEW_EVERY = 1.0
"""Shortest time between previews, in seconds."""

PREVIEW_SHARE = 0.1
"""Largest share of the time that may be spent on writing previews."""

LOG_EVERY = 10.0
"""Seconds between lines of progress where stderr is not a terminal."""


OnEvent = Callable[[Event], object]

TELL = 5.0
"""Work that takes longer than this many seconds begins with a line that says how long."""

ASK, ASK_OF_FILES = 24 * 3600.0, 3600.0
"""Seconds beyond which work is asked about first: the user's own, and that of a recipe from a file."""


def follow(
    job: Job,
    output: Destination,
    stem: str,
    source: Path | None = None,
    alike: int = 1,
    on_event: OnEvent | None = None,
) -> None:
    """Do the work of `job`, write the result, and print where it is.

    How long it will take is told first, for `alike` photos together; nothing is told for 0. Work that takes very long
    needs a yes. `on_event` is called with each event. Ctrl-C keeps what is done, writes a still as it is so far beside
    its final name, and exits 130; the same command continues. A result for stdout is written when it is finished.
    """
    if output.path == STDOUT:
        with tempfile.TemporaryDirectory(prefix="phosphene-") as folder:
            path = Path(folder) / f"picture{output.suffix}"
            _make(job, replace(output, path=path, piped=True), stem, source, alike, on_event)
            with click.open_file("-", "wb") as out:
                out.write(path.read_bytes())
        return
    began = time.monotonic()
    paths = _make(job, output, stem, source, alike, on_event)
    tell(paths, job.recipe, time.monotonic() - began)


def tell(paths: Iterable[Path], recipe: BaseRecipe, seconds: float) -> None:
    """Print where results are, or with --json also their recipe and how long they took."""
    for each in paths:
        if says_json():
            record = {
                "path": str(each),
                "recipe": json.loads(dumps(recipe)),
                "seed": recipe.model_dump().get("seed"),
                "seconds": round(seconds, 2),
            }
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(printable(str(each)))


def prepare(job: Job) -> None:
    """Prepare a job, showing downloads."""
    with progress() as show:
        for event in job.prepare():
            show(event)


def note(event: Event) -> None:
    """Print what an event notes, if it does."""
    if event.note is not None and not is_quiet():
        click.echo(printable(event.note), err=True)


def _make(
    job: Job, output: Destination, stem: str, source: Path | None, alike: int, on_event: OnEvent | None
) -> list[Path]:
    """Do the work, and return the files that were written."""
    prepare(job)
    path = output.place(job, stem, source)
    if alike and not path.with_name(f"{path.name}.work").is_dir():  # what is continued has been agreed to
        expect(job, alike, yes=output.yes)
    with progress() as show:
        keep = _previews(output.preview)
        try:
            for event in job.writing(path, Format(**output.format), fresh=output.fresh):
                keep_on_interrupt()
                note(event)
                show(event)
                keep(event)
                if on_event is not None:
                    on_event(event)
        except KeyboardInterrupt:
            interrupted = True
        else:
            interrupted = False
    if interrupted:
        partial = job.write_partial(path)
        stopped(f"; the result so far is in {', '.join(map(str, partial))}" if partial else "")
    return output.all_paths(job, path)


def expect(job: Job, alike: int, *, yes: bool) -> None:
    """Say how long the work will take; raise `SettingError` if it takes very long and nobody says yes."""
    expected = job.expected_seconds()
    if expected is None or expected * alike <= TELL:
        return
    time_needed = f"about {in_words(expected * alike)}"
    if expected * alike <= (ASK if job.given.path is None else ASK_OF_FILES) or yes:
        if not is_quiet():
            files = f" for {alike} files" if alike > 1 else ""
            click.echo(f"this takes {time_needed}{files}", err=True)
    elif not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SettingError(f"this takes {time_needed} on this machine: add --yes to begin it, or choose a smaller size")
    elif not click.confirm(f"This takes {time_needed} on this machine. Begin?", err=True):
        raise click.Abort


def stopped(written: str = "") -> None:
    """Say what Ctrl-C leaves, and what is `written` besides; exit."""
    click.echo(f"stopped; what is done is kept, and the same command continues{written}", err=True)
    click.get_current_context().exit(INTERRUPTED)


def _previews(path: Path | None) -> Callable[[Event], None]:
    """Return a function that keeps a picture of the work so far in `path`, the first and the last one always."""
    due = 0.0

    def keep(event: Event) -> None:
        nonlocal due
        began = time.monotonic()
        if path is None or (began < due and event.progress < 1):
            return
        image = event.preview()
        if image is None:
            return
        try:
            write_image(path, image)
        except PhospheneError as problem:  # a full disk, for example, must not cost hours of work
            click.echo(f"no preview: {problem}", err=True)
        due = began + max(PREVIEW_EVERY, (time.monotonic() - began) / PREVIEW_SHARE)

    return keep


@contextmanager
def progress() -> Iterator[Callable[[Event], None]]:
    """Return a function that shows an event on stderr: in a bar on a terminal, or as a line now and then."""
    if is_quiet():
        yield lambda event: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _log()


def _log() -> Callable[[Event], None]:
    due = time.monotonic() + LOG_EVERY

    def show(event: Event) -> None:
        nonlocal due
        writes = event.progress >= 1 and event.scores is None and event.steps is not None
        if time.monotonic() < due or (event.progress >= 1 and not writes):
            return
        due = time.monotonic() + LOG_EVERY
        left = "" if event.seconds_left is None else f", {clock(event.seconds_left)} left"
        share = event.step / event.steps if writes and event.steps else event.progress
        click.echo(printable(f"{event.stage}: {share:.0%}{left}"), err=True)

    return show


@contextmanager
def _bar() -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[score]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("preparing", total=1.0, score="")

        def show(event: Event) -> None:
            score = event.score
            count = f" {event.step}/{event.steps}" if event.steps else ""
            share = event.step / event.steps if event.scores is None and event.steps else event.progress
            progress.update(
                task,
                completed=share,
                description=printable(f"{event.stage}{count}"),
                score="" if score is None or score != score else f"score {score:.4g}",
            )

        yield show


def in_words(seconds: float) -> str:
    """Return a duration in words, in the largest unit of which there are two or more.

    >>> in_words(45), in_words(150), in_words(3e4), in_words(1e10)
    ('45 seconds', '2 minutes', '8 hours', '317 years')
    """
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}" if seconds < 1e13 else f"{seconds / length:.1g} {unit}"
    return f"{seconds:.0f} seconds" if seconds >= 1.5 else "a second"


def clock(seconds: float) -> str:
    """Return hours, minutes and seconds, without leading zeros: "0:07", "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
