"""Work whose result is a page: a folder that opens by a double click."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from phosphene.cluster.crew import Workers
from phosphene.loops.parts import Crew
from phosphene.loops.step import State, Step
from phosphene.media import site
from phosphene.nets.base import Net
from phosphene.recipe import BaseRecipe, dumps, relative_to
from phosphene.render.environment import environment
from phosphene.render.job import Format, Work
from phosphene.render.kept_output import KeptOutput
from phosphene.render.shared import shared
from phosphene.types import Image


@runtime_checkable
class PageLoop(Protocol):
    """What finds out what a page shows."""

    net: Net

    def steps(self, state: State | None = None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        ...

    def picture(self, step: Step) -> Image:
        """Return what there is to see after `step`, 1 3 h w."""
        ...


@runtime_checkable
class SharedLoop(PageLoop, Protocol):
    """A loop of which workers can do parts."""

    def steps(self, state: State | None = None, crew: Crew | None = None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        ...


L = TypeVar("L", bound=PageLoop)
S = TypeVar("S", bound=SharedLoop)


class PageWork(Work, Generic[L]):
    """The work of one page, whose result is a folder."""

    streams = True
    suffix = ""
    workers: Workers | None = None

    def __init__(self, recipe: BaseRecipe, loop: L) -> None:
        self.recipe, self.loop, self.load = recipe, loop, None
        self.device = next(loop.net.parameters()).device

    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        return self.loop.steps(state)

    def look(self, step: Step) -> Image:
        """Return what there is to see after `step`."""
        return self.loop.picture(step)

    @abstractmethod
    def fill(self, folder: Path, step: Step, recipe: BaseRecipe) -> None:
        """Write the page as it is after the last step into an empty folder."""

    def result(self, step: Step | None) -> Page:
        """Return the page, which saves itself."""
        assert step is not None, "a page has steps"
        return Page(self, step)

    def paths(self, path: Path) -> list[Path]:
        """Return where the folder will be."""
        return [path]

    def output(self, path: Path, format: Format, *, fresh: bool) -> PageOutput:
        """Open a place for the folder."""
        return PageOutput(self, path, format, fresh=fresh)


class SharedPageWork(PageWork[S]):
    """The work of one page whose parts workers can do."""

    undivided = None

    def __init__(self, recipe: BaseRecipe, loop: S, workers: Workers | None) -> None:
        super().__init__(recipe, loop)
        self.workers = workers

    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        return shared(self.loop.steps, [self.loop.net], self.workers)(state)


@dataclass(frozen=True, eq=False)
class Page:
    """A finished page; `save` writes its folder."""

    work: PageWork[Any]
    step: Step

    def save(self, path: str | PathLike[str]) -> None:
        """Write the folder, with an index.html to open."""
        recipe = relative_to(self.work.recipe, Path(path).absolute())
        site.publish(Path(path), dumps(recipe), lambda folder: self.work.fill(folder, self.step, recipe))


class PageOutput(KeptOutput):
    """Where a page will be."""

    def __init__(self, work: PageWork[Any], path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("quality", "codec", "crf", "profile", "also", kind="pages")
        site.check(path)
        self._work, self._path = work, path
        super().__init__(path, work.recipe, environment(work.device, work.workers), fresh=fresh)

    def finish(self, step: Step | None) -> None:
        """Write the page and remove the work folder."""
        self._work.result(step).save(self._path)
        self._folder.remove()
