"""Several jobs at once: each is a task for a worker, which writes its result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.cluster.crew import read
from phosphene.errors import PhospheneError, WorkerError
from phosphene.loops.parts import Task, pause, ready
from phosphene.nets.base import Net
from phosphene.recipe import BaseRecipe
from phosphene.render.films import FilmWork
from phosphene.render.format import Format
from phosphene.render.job import Work
from phosphene.render.request import open_job

LOOK_EVERY = 1.0
"""Seconds between looks at how far work has come."""


def done_as_a_whole(work: Work, count: int, workers: str | int) -> bool:
    """Return whether a worker does all of each of `count` works like this one, instead of parts of one after another.

    That is so for films of which there is one for each worker, too, though they have parts that could be shared.
    """
    return work.undivided is not None or (isinstance(work, FilmWork) and count >= read(workers).count)


def several(
    tasks: Sequence[Task],
    net: Net,
    workers: str | int,
    *,
    timed: bool = True,
    waiting: Callable[[int], None] = lambda done: None,
) -> Iterator[Any]:
    """Let workers do tasks with a network; yield their results in order, or the `PhospheneError` of one that failed.

    `timed` is that of `Crew.begin`. `waiting` is called about every second with the number of tasks that are done.

    Raises `SettingError` for workers that there are not, and `WorkerError` for such as cannot take part.
    """
    done: dict[int, Any] = {}
    following, due = 0, time.monotonic()

    def look() -> None:
        nonlocal due
        if time.monotonic() >= due:
            waiting(following + len(done))
            due = time.monotonic() + LOOK_EVERY
        pause()

    with read(workers).at_work(net) as crew:
        for number, asked in ready(tasks, crew, timed=timed, waiting=look):
            try:
                done[number] = asked()
            except PhospheneError as problem:
                done[number] = problem
            while following in done:
                yield done.pop(following)
                following += 1


def enter(folder: Path) -> None:
    """Let a worker find the files that a command names; raise `WorkerError` if its machine has no such folder."""
    try:
        os.chdir(folder)
    except OSError:
        raise WorkerError(f"{folder} is not on the worker's machine: mount it at the same place there") from None


@dataclass(frozen=True)
class Made:
    """What a job of several has written: its files, its recipe, how many seconds that took, and what it noted."""

    paths: tuple[Path, ...]
    recipe: BaseRecipe
    seconds: float
    notes: tuple[str, ...]

    def check(self) -> None:
        """Raise `WorkerError` if the files are not here, but on the machine of the worker only."""
        for path in self.paths:
            if not path.exists():
                raise WorkerError(
                    f"a worker wrote {path}, but it is not here: mount {path.absolute().parent} at the same place on "
                    "every machine"
                )


@dataclass(frozen=True)
class JobTask:
    """A job of several, done by a worker in `folder`: its files are written beside their places and renamed there."""

    folder: Path
    kind: str
    source: Path
    settings: Mapping[str, Any]
    path: Path
    format: Format
    fresh: bool

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.source)

    def run(self, net: Net) -> Made:
        """Do the work and write the result."""
        began = time.monotonic()
        enter(self.folder)
        job = open_job(self.kind, self.source, **{**self.settings, "net": net})
        notes = [event.note for event in job.writing(self.path, self.format, fresh=self.fresh)]
        told = tuple(note for note in notes if note is not None)
        return Made(tuple(job.work.paths(self.path)), job.recipe, time.monotonic() - began, told)
