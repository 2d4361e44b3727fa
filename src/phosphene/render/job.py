"""A job: anything that phosphene makes, as work that can be followed, cancelled, kept and continued.

    job = Job(recipe)
    for event in job:                     # downloads, preparation, every step
        print(event.stage, f"{event.progress:.0%}")
    job.result().save("dream.png")

    job.save("dream.png")                 # the same, but continues what a killed process left, to the same bytes

A job is built from its recipe through `phosphene.kinds.KINDS`, and knows nothing of the kinds themselves.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from phosphene.cluster.crew import Workers, check_use
from phosphene.errors import SettingError, WorkerError
from phosphene.kinds import KINDS, load
from phosphene.loops.step import State, Step, pack, unpack
from phosphene.nets.base import Net
from phosphene.recipe import BaseRecipe, NetworkRecipe
from phosphene.render import estimate, fetching, networks, notebook
from phosphene.render.estimate import Load
from phosphene.render.format import Format
from phosphene.types import Image

CHECKPOINT_SECONDS = 5.0
"""How much work may be lost when a process is killed."""

CHECKPOINT_SHARE = 0.05
"""Largest share of the time that may be spent on keeping states."""


@dataclass(frozen=True)
class Event:
    """A job's report: where it is, how far all of the work has come, and on request how the result looks so far.

    `stage` says in plain words what is being done, as "octave 2 of 5" or "fetching googlenet"; `step` of `steps` counts
    within it, and `steps` is None where the number is not known. `progress` is the share of all the work that is done,
    0 to 1, by cost. `seconds_left` is an estimate, None while there is nothing to estimate it from. `note` is a
    sentence for the user, if there is one. `metrics` are further numbers by name, such as a network's accuracy.
    """

    stage: str
    step: int = 0
    steps: int | None = None
    progress: float = 0.0
    seconds_left: float | None = None
    note: str | None = None
    scores: Tensor | None = field(default=None, repr=False, compare=False)
    look: Callable[[], Image] | None = field(default=None, repr=False, compare=False)
    metrics: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    @property
    def score(self) -> float | None:
        """The mean score of the last step, None where nothing is scored; reading it waits for a graphics card."""
        return None if self.scores is None else float(self.scores.mean())

    def preview(self) -> Image | None:
        """Return the first picture as it is so far, 1 3 h w, of the final size; None before there is one."""
        return None if self.look is None else self.look()


@dataclass(frozen=True)
class Given:
    """Everything that the caller has besides the recipe.

    `path` is the file that the recipe was read from, None for a recipe of the caller's own. `source` replaces the
    recipe's source: a path or a picture. `net` is the network itself, where the caller has it. `look_in` are folders in
    which sources and guides are looked for. `fetch` allows downloads of networks. `workers` do the work's parts.
    """

    path: Path | None = None
    source: object = None
    net: Net | None = None
    look_in: tuple[Path, ...] = ()
    fetch: bool = False
    workers: Workers | None = None


@runtime_checkable
class Result(Protocol):
    """The result of a job, which saves itself."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result, with its recipe, in the format that the suffix names."""
        ...


class Output(ABC):
    """A place where a result is written while it is made. What a killed process left there is continued."""

    state: bytes | None
    note: str | None

    @abstractmethod
    def add(self, step: Step) -> None:
        """Take in what a step finished."""

    @abstractmethod
    def checkpoint(self, step: Step) -> None:
        """Keep `step`'s state on the disk."""

    @property
    @abstractmethod
    def due(self) -> bool:
        """Whether the output itself asks for a checkpoint now."""

    @abstractmethod
    def finish(self, step: Step | None) -> None:
        """Put the finished result at its place; `step` is the last one, None if the work has no steps."""

    def finishing(self, step: Step | None) -> Iterator[tuple[str, float]]:
        """Do what `finish` does; meanwhile yield what is being written, and the share of it that is, 0 to 1."""
        self.finish(step)
        yield from ()

    @abstractmethod
    def close(self) -> None:
        """Let go of the place; what was kept stays."""


class Work(ABC):
    """A recipe's work, ready to run: its names are found, its sizes and number format are decided."""

    recipe: BaseRecipe
    load: Load | None
    """How much the network has to do; None, or missing, where that is not known."""
    timed: Callable[[], float] | None = None
    """Returns how many seconds the work takes, by a trial, where the load does not tell enough."""
    streams: ClassVar[bool] = False
    """Whether the result is written while it is made, because it is too large to be held."""
    has_film: ClassVar[bool] = False
    """Whether a film of the work can be written beside its result."""
    undivided: str | None = "one process does all of it"
    """Why workers cannot share the work; None if they can."""
    suffix: ClassVar[str | None] = None
    """How the name of a result ends that is given none; None for what the way in chooses."""

    @abstractmethod
    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""

    @abstractmethod
    def look(self, step: Step) -> Image:
        """Return the first picture as it is after `step`, 1 3 h w, of the final size."""

    @abstractmethod
    def result(self, step: Step | None) -> Result:
        """Return the result after `step`; None stands for the state before the first one."""

    def written(self, path: Path, step: Step | None) -> object:
        """Return what was written to `path` after the last `step`, as something that shows itself in a notebook."""
        return self.paths(path)

    @abstractmethod
    def paths(self, path: Path) -> list[Path]:
        """Return the files that an output at `path` will have."""

    def write_partial(self, path: Path, step: Step) -> list[Path]:
        """Write the result as it is after `step` beside `path`; return the files. Nothing where it makes no sense."""
        return []

    @abstractmethod
    def output(self, path: Path, format: Format, *, fresh: bool) -> Output:
        """Open a place to write to. Raise `OutputError` or `SettingError` for what cannot be written there."""


class Job:
    """The work of one recipe, from its downloads to its result.

    `recipe` has every setting as it was asked for; once the job is prepared, as it was resolved. `net` is its network,
    None before it is loaded.
    """

    def __init__(self, recipe: BaseRecipe, given: Given | None = None) -> None:
        self.recipe = recipe
        self.given = given or Given()
        self.net: Net | None = self.given.net
        self._work: Work | None = None
        self._last: Step | None = None
        self._resume: State | None = None
        self._cancelled = False

    @classmethod
    def of(cls, work: Work) -> Job:
        """Return a job for work that is prepared already."""
        job = cls(work.recipe)
        job._work = work
        return job

    @property
    def work(self) -> Work:
        """The prepared work; prepares it first if needed."""
        for _ in self.prepare():
            pass
        assert self._work is not None, "preparing makes it"
        return self._work

    def prepare(self) -> Iterator[Event]:
        """Fetch and load the network, find all names, and decide sizes; report downloads meanwhile.

        Raises:
            PhospheneError: a subclass, for whatever is wrong with the recipe.
        """
        if self._work is not None:
            return
        net = self.net
        if net is None and isinstance(self.recipe, NetworkRecipe):
            networks.check_allowed(self.recipe, self.given.path, fetch=self.given.fetch)
            for used in self.recipe.networks():
                for done, total in fetching.fetch(used.name):
                    yield Event(f"fetching {used.name}", done, total)
            net = self.net = networks.load(self.recipe.net, self.recipe.device, self.given.path)
        if net is not None:
            networks.check_sees(self.recipe, net)
        self._work = load(KINDS[self.recipe.kind].builder)(self.recipe, net, self.given)
        check_use(self.given.workers, self._work.undivided)
        self.recipe = self._work.recipe

    def __iter__(self) -> Iterator[Event]:
        yield from self.prepare()
        yield from self._steps()

    def expected_seconds(self) -> float | None:
        """Estimate how long all of the work takes on this machine, from the beginning; None where nothing is known.

        A small step is timed, in a fraction of a second; it is within a factor of two on an idle processor.
        """
        if self.work.timed is not None:
            return self.work.timed()
        load = getattr(self.work, "load", None)
        return None if load is None or self.net is None else estimate.seconds(self.net, load)

    def cancel(self) -> None:
        """Stop before the next event; what is done stays, and iterating again continues."""
        self._cancelled = True

    def state(self) -> bytes:
        """Return what the job continues from, for `restore`; empty before the first step."""
        if self._last is not None:
            return pack(self._last.state)
        return b"" if self._resume is None else pack(self._resume)

    def restore(self, state: bytes) -> None:
        """Go on from where `state` was taken, to the same bytes; raise `RecipeError` for other bytes."""
        self._last, self._resume = None, unpack(state) if state else None

    def result(self) -> Result:
        """Return the result as it is so far."""
        return self.work.result(self._last)

    def write_partial(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the result as it is so far beside `path`, where that makes sense; return the files."""
        return [] if self._last is None else self.work.write_partial(Path(path), self._last)

    def run(self, on_event: Callable[[Event], object] | None = None) -> Result:
        """Do all of the work, call `on_event` with each event, and return the result.

        Without `on_event` a notebook shows progress.
        """
        show = on_event or notebook.progress()
        for event in self:
            if show is not None:
                show(event)
        return self.result()

    def writing(
        self, path: str | os.PathLike[str], format: Format | None = None, *, fresh: bool = False
    ) -> Iterator[Event]:
        """Do the work and write the result to `path`, going on from what a killed process left there.

        The same recipe at the same place ends with the same bytes, however often it was killed, on the same kind of
        processor with the same versions and threads; where these differ, an event's `note` says so. With `fresh` what
        was left is thrown away.

        Raises:
            OutputError: for a place that cannot be written, or that another recipe's work occupies.
            SettingError: for what the format cannot hold.
        """
        yield from self.prepare()
        format = format or Format()
        if format.film is not None and not self.work.has_film:
            raise SettingError(f"{self.recipe.kind} makes no film beside its result: sounds do", setting="film")
        output = self.work.output(Path(path), format, fresh=fresh)
        try:
            yield from self._write(output)
        finally:
            output.close()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        fresh: bool = False,
        on_event: Callable[[Event], object] | None = None,
        **format: Any,
    ) -> object:
        """Do all of the work and write the result, as `writing` does; `format` has the fields of `Format`.

        Return `Pictures` or a `FilmFile`, which show themselves in a notebook. It also shows progress, unless
        `on_event` is given, which is called with each event.
        """
        show = on_event or notebook.progress()
        for event in self.writing(path, Format(**format), fresh=fresh):
            if show is not None:
                show(event)
        return self.work.written(Path(path), self._last)

    def __repr__(self) -> str:
        done = "not begun" if self._last is None else f"{self._last.progress:.0%} done"
        return f"<Job of kind {self.recipe.kind!r}, {done}; .save(PATH) does the work and writes the result>"

    def _write(self, output: Output) -> Iterator[Event]:
        if output.state is not None:
            self.restore(output.state)
        elif self.work.streams:
            self.restore(b"")  # what was made before went nowhere
        if output.note is not None:
            yield Event("continuing", note=output.note)
        kept = time.monotonic()
        pause = CHECKPOINT_SECONDS
        try:
            for event in self._steps(output.add):
                assert self._last is not None, "an event follows a step"
                if output.due or time.monotonic() - kept >= pause:
                    began = time.monotonic()
                    output.checkpoint(self._last)
                    kept = time.monotonic()
                    pause = max(CHECKPOINT_SECONDS, (kept - began) / CHECKPOINT_SHARE)
                yield event
        except (KeyboardInterrupt, GeneratorExit, WorkerError):
            if self._last is not None:
                output.checkpoint(self._last)
            raise
        if self._cancelled:
            if self._last is not None:
                output.checkpoint(self._last)
            return
        for stage, share in output.finishing(self._last):
            yield Event(stage, round(100 * share), 100, 1.0)

    def _steps(self, add: Callable[[Step], object] | None = None) -> Iterator[Event]:
        work = self.work
        state = self._last.state if self._last is not None else self._resume
        self._cancelled = False
        began = time.monotonic()
        before: float | None = None
        for step in work.steps(state):
            if add is not None:
                add(step)
            self._last = step
            before = step.progress if before is None else before
            yield _event(work, step, _left(time.monotonic() - began, before, step.progress))
            if self._cancelled:
                return


def _event(work: Work, step: Step, left: float | None) -> Event:
    return Event(
        step.stage,
        step.step,
        step.steps,
        step.progress,
        left,
        scores=step.scores,
        look=lambda: work.look(step),
        metrics=step.metrics,
        note=step.note,
    )


def _left(elapsed: float, before: float, now: float) -> float | None:
    """Estimate the seconds that remain from the share of the work that `elapsed` seconds did."""
    done = now - before
    return elapsed * (1 - now) / done if done > 0 else None
