"""Prints that are too large for memory: made on the disk, beside where they will be."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from phosphene.cluster.crew import Workers
from phosphene.errors import OutputError, SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.parts import Crew
from phosphene.loops.planes import Store
from phosphene.loops.step import State, Step, pack
from phosphene.media import planes
from phosphene.media.image import Storage, check_large, check_writable, writing_planes
from phosphene.recipe import BaseRecipe, dumps
from phosphene.recipe.prints import Layout
from phosphene.render.environment import environment
from phosphene.render.estimate import Load
from phosphene.render.job import Format, Job, Work
from phosphene.render.kept_output import KeptOutput
from phosphene.render.picture import depth_of, paths, recipe_text
from phosphene.types import Image, Size

SPARE = 1.05
"""Room to be free on a disk, as a multiple of what is needed."""


class PrintWork(Work):
    """The work of a print whose canvas is on the disk.

    `layout` is where its picture lies; `canvases` are the sizes of the octaves on the disk, and `last` is the number of
    the last one. `begin` does the work from a state, on the planes of a store, with a crew. Without `workers`, this
    process does all of it.
    """

    streams: ClassVar[bool] = True
    undivided = None
    suffix: ClassVar[str | None] = ".tif"

    def __init__(
        self,
        recipe: BaseRecipe,
        load: Load,
        layout: Layout,
        canvases: Sequence[Size],
        begin: Callable[[State | None, Store, Crew | None], Iterator[Step]],
        last: int,
        engine: Engine,
        workers: Workers | None = None,
    ) -> None:
        self.recipe, self.load, self.layout, self.device = recipe, load, layout, engine.device
        self._engine, self._workers = engine, workers
        self._canvases, self._begin, self._last = canvases, begin, last
        self.store: planes.Planes | None = None

    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken, on the disk of an output."""
        if self.store is None:
            height, width = self.layout.sheet
            raise SettingError(
                f"a print of {width}x{height} is made on the disk, where it is saved: use job(...).save(path)",
                setting="print",
            )
        if self._workers is None:
            yield from self._begin(state or None, self.store, None)
            return
        with self._workers.at_work(self._engine.net, dtype=self._engine.dtype) as crew:
            yield from self._begin(state or None, self.store, crew)

    def look(self, step: Step) -> Image:
        """Return the picture as it is after `step`, made small."""
        return step.image[:1].cpu()

    def result(self, step: Step | None) -> UnwrittenPrint:
        """Return the print, which is made when it is saved."""
        return UnwrittenPrint(self)

    def environment(self) -> dict[str, object]:
        """Return what must be the same for unfinished work to end with the same bytes."""
        return environment(self.device, self._workers)

    def paths(self, path: Path) -> list[Path]:
        """Return where the print will be."""
        return paths(path, 1)

    def output(self, path: Path, format: Format, *, fresh: bool) -> PrintOutput:
        """Open a place for the print."""
        return PrintOutput(self, path, format, fresh=fresh)

    def needed(self) -> int:
        """Return the bytes that its canvas and its gradient take on the disk."""
        number = planes.CHANNELS * planes.NUMBER
        last = math.prod(self.layout.picture)
        before = math.prod(self._canvases[-2]) if len(self._canvases) > 1 else 0
        return round((last * (2 + 1 / 3) + before) * number) + self._middle()

    def _middle(self) -> int:
        """Return the bytes of the middle of the network, where the canvas is gone through in two halves of it."""
        split = self._engine.split_tiling(self.layout.picture)
        return 0 if split is None else 2 * split.middle.channels * math.prod(split.total) * planes.NUMBER

    def plane(self) -> Any:
        """Return the finished picture, 3 h w, mapped from the disk."""
        assert self.store is not None, "it has been made"
        name = f"canvas-{self._last}"
        self.store.create(name, self.layout.picture)
        return self.store.plane(name)


@dataclass(frozen=True, eq=False)
class UnwrittenPrint:
    """A print that is made when it is saved, since it is too large to be held."""

    work: PrintWork

    def save(self, path: str | os.PathLike[str], **format: Any) -> None:
        """Make the print and write it, in the format that the suffix names, with its recipe inside."""
        Job.of(self.work).save(path, **format)


class PrintOutput(KeptOutput):
    """Where a print will be; the work folder beside it has its canvas too.

    Raises:
        OutputError: if the disk has too little room.
    """

    def __init__(self, work: PrintWork, path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("codec", "crf", kind="pictures")
        self._work, self._path, self._format = work, path, format
        sheet = work.layout.sheet
        text = dumps(work.recipe)
        for each in (path, *format.also):
            depth = depth_of(format, each)
            check_writable(each, depth, size=sheet, recipe=text if format.with_recipe else None)
            check_large(each, depth, sheet)
        super().__init__(path, work.recipe, work.environment(), fresh=fresh, eager=True)
        try:
            self.note = self._room()
            if self.state is None:
                self._folder.keep_state(0, pack({}), 0.0)
            work.store = planes.Planes(self._folder.folder / "canvas")
        except BaseException:
            if self.state is None:
                self._folder.remove()
            self._folder.close()
            raise

    def _room(self) -> str:
        """Return how much room the work takes; raise `OutputError` if there is less."""
        folder = self._folder.folder
        files = math.prod(self._work.layout.sheet) * 3 * (self._format.depth // 8) * (1 + len(self._format.also))
        need, free, there = self._work.needed() + files, planes.free(folder), planes.taken(folder)
        names = f"{need / 1e9:.1f} GB on the disk of {folder.parent}"
        if need * SPARE > free + there:
            raise OutputError(
                f"this takes {names}, but {(free + there) / 1e9:.1f} GB are free: make room, choose another folder, or "
                "print fewer dots per inch",
                path=self._path,
            )
        return self._folder.note or (f"this takes {names}, of which {free / 1e9:.1f} GB are free")

    def finish(self, step: Step | None) -> None:
        """Write the print and remove the work folder."""
        for _ in self.finishing(step):
            pass

    def finishing(self, step: Step | None) -> Iterator[tuple[str, float]]:
        """Write the print, yield how far that has come, and remove the work folder."""
        layout, how = self._work.layout, self._format
        for path in (self._path, *how.also):
            storage = Storage(
                depth_of(how, path),
                how.quality,
                recipe_text(self._work.recipe, path) if how.with_recipe else None,
                layout.dpi,
                how.profile or "srgb",
                pyramid=True,
            )
            for share in writing_planes(path, self._work.plane(), storage, sheet=layout.sheet, at=layout.at):
                yield f"writing {path.name}", share
        self._work.store = None
        self._folder.remove()

    def close(self) -> None:
        """Let other processes have the place."""
        self._work.store = None
        super().close()
