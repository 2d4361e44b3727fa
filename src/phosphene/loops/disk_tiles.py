"""The gradient of a canvas on a disk: the parts of a step that the network does, tile by tile.

    whole network:  sums         of each tile, where the objective is not linear in them
                    gradient     of each tile, added where its crop is

    in two halves:  room         zeros, for how the middle's activation should change
                    activation   of the middle, of each tile
                    sums         of each tile of the middle, where the objective is not linear in them
                    middle       of each tile of the middle, how it should change, added where its crop is
                    gradient     of each tile, added where its crop is

The second way, where tiles of the whole network would see much more than they own (see `phosphene.gradients.halves`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.gradients.halves import SplitTiling
from phosphene.gradients.tiled import Tiling, reduce_sums
from phosphene.loops.dream import canvas_for
from phosphene.loops.parts import Crew, Task
from phosphene.loops.planes import Look, Shifted, Store, Write
from phosphene.loops.step import State
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import Span
from phosphene.types import Image, Size

ACTIVATION, CHANGE = "middle", "middle-change"
"""Planes of the middle: what it is, and how it should change."""

STRIP = 2**21
"""Pixels of a strip: 25 MB of floats, of which a few copies are in memory at a time."""

LIGHT = 0.05
"""Cost of a strip's pixel, where a tile's costs 1."""


@dataclass(frozen=True)
class StepPart:
    """A kind of work: how many pieces it has, what each costs, and what each does.

    `work` takes the piece's index and what earlier pieces have found, and returns what to write and what has been
    found since. `again` says that it writes where it has read.
    """

    cost: float
    pieces: int
    work: Callable[[int, State], tuple[list[Write], Mapping[str, Tensor]]]
    again: bool = False


class DiskTiles(ABC):
    """Computes the gradient of a canvas on the disk in tiles.

    Args:
        engine: the network and the objective.
        store: the planes.
        settings: those of the dream.
        crew: workers that compute tiles; None for this process.
        strip: pixels of a strip.
    """

    def __init__(self, engine: Engine, store: Store, settings: DreamSettings, crew: Crew | None, strip: int) -> None:
        self._engine, self._store, self._settings, self._crew, self._strip = engine, store, settings, crew, strip
        self._coming: dict[int, tuple[Tensor, Callable[[], Any]]] = {}

    @abstractmethod
    def make_room(self) -> None:
        """Make room for what is needed besides the canvas and its gradient."""

    @abstractmethod
    def parts(self, look: Look, canvas: str, gradient: str) -> dict[str, StepPart]:
        """Return the parts of a step; `look` is how the network sees the plane `canvas`.

        The gradient is added to the plane `gradient`, which is as large. The last part finds the "score".
        """

    def _uphill(self, crop: Image, gradient: Image) -> Image:
        return canvas_for(self._settings, crop).uphill(gradient)

    def _passes(self, plane: _Plane, tiling: Tiling, task: Callable[..., Task], cost: float) -> dict[str, StepPart]:
        """Return the parts that compute the gradient of a tiling's terms; `cost` is that of all its tiles."""
        tiles = tiling.tiles
        each = cost / len(tiles)

        def computed(piece: int, *, gradient: bool, totals: Sequence[Tensor] | None = None) -> tuple[Tensor, Any]:
            def read(index: int) -> tuple[Tensor, Task]:
                crop = plane.look.read(self._store, plane.name, tiles[index])
                return crop, task(tiles[index], crop, gradient=gradient, totals=totals)

            return self._computed(piece, len(tiles), read)

        def summed(piece: int, found: State) -> tuple[list[Write], State]:
            _, result = computed(piece, gradient=False)
            return [], _appended(found, result.sums)

        def added(piece: int, found: State) -> tuple[list[Write], State]:
            crop, result = computed(piece, gradient=True, totals=None if tiling.linear else _totals(found))
            new = dict(_appended(found, result.sums)) if tiling.linear else {}
            if piece == len(tiles) - 1:
                new["score"] = tiling.score(_totals({**found, **new}))
            pixels = plane.uphill(crop, result.gradient)
            return plane.look.added(self._store, plane.gradient, tiles[piece], pixels), new

        sums = {} if tiling.linear else {f"sums of {plane.name}": StepPart(each / 3, len(tiles), summed)}
        return {**sums, plane.gradient: StepPart(each, len(tiles), added, again=True)}

    def _computed(self, piece: int, count: int, read: Callable[[int], tuple[Tensor, Task]]) -> tuple[Tensor, Any]:
        """Return what a tile sees, and what its task gives; let the crew begin those after it.

        `read` returns both for a tile, which must not depend on those before it.
        """
        ahead = 1 if self._crew is None else self._crew.ahead
        for index in range(piece, min(piece + ahead, count)):
            if index not in self._coming:
                crop, task = read(index)
                wait = self._here(crop.shape, task) if self._crew is None else self._crew.begin(task)
                self._coming[index] = (crop, wait)
        crop, wait = self._coming.pop(piece)
        return crop, wait()

    def _here(self, shape: torch.Size, task: Task) -> Callable[[], Any]:
        def work() -> Any:
            with self._engine.tile_memory(shape):
                return task.run(self._engine.net)

        return work


@dataclass(frozen=True)
class _Plane:
    """A plane that the network sees in a way, and the one for its gradient, which `uphill` makes what is added."""

    name: str
    gradient: str
    look: Look
    uphill: Callable[[Image, Image], Image]


class WholeTiles(DiskTiles):
    """Tiles of the whole network."""

    def __init__(self, tiling: Tiling, *given: Any) -> None:
        super().__init__(*given)
        self._tiling = tiling

    def make_room(self) -> None:
        for name in (ACTIVATION, CHANGE):
            self._store.remove(name)

    def parts(self, look: Look, canvas: str, gradient: str) -> dict[str, StepPart]:
        plane = _Plane(canvas, gradient, look, self._uphill)
        return self._passes(plane, self._tiling, self._tiling.task, math.prod(look.seen))


class SplitTiles(DiskTiles):
    """Tiles of the first half of the network, and of the rest."""

    def __init__(self, split: SplitTiling, *given: Any) -> None:
        super().__init__(*given)
        self._split = split

    def make_room(self) -> None:
        for name in (ACTIVATION, CHANGE):
            self._store.create(name, self._split.total, self._split.middle.channels)

    def parts(self, look: Look, canvas: str, gradient: str) -> dict[str, StepPart]:
        split, pixels = self._split, math.prod(look.seen)
        tiles = split.tiles

        def forward(index: int) -> tuple[Tensor, Task]:
            crop = look.read(self._store, canvas, tiles[index])
            return crop, split.forward(tiles[index], crop)

        def activate(piece: int, _: State) -> tuple[list[Write], State]:
            rows, columns = split.place(tiles[piece])
            activation = self._computed(piece, len(tiles), forward)[1]
            return [Write(ACTIVATION, rows[0], columns[0], activation)], {}

        def backward(index: int) -> tuple[Tensor, Task]:
            crop = look.read(self._store, canvas, tiles[index])
            return crop, split.backward(tiles[index], crop, self._store.read(CHANGE, *split.place(tiles[index])))

        def descend(piece: int, _: State) -> tuple[list[Write], State]:
            crop, found = self._computed(piece, len(tiles), backward)
            return look.added(self._store, gradient, tiles[piece], self._uphill(crop, found)), {}

        whole = Shifted(split.total, 0, 0)
        middle = _Plane(ACTIVATION, CHANGE, whole, lambda crop, found: found)
        room = len(self._strips())
        return {
            "room": StepPart(LIGHT * pixels / room, room, self._clear),
            "activation": StepPart(pixels / 4 / len(tiles), len(tiles), activate),
            **self._passes(middle, split.rest, split.inner, pixels / 2),
            "gradient": StepPart(pixels / 2 / len(tiles), len(tiles), descend, again=True),
        }

    def _strips(self) -> list[Span]:
        height, width = self._split.total
        return strips((height, width * max(1, self._split.middle.channels // 3)), self._strip)

    def _clear(self, piece: int, _: State) -> tuple[list[Write], State]:
        top, bottom = self._strips()[piece]
        return [
            Write(CHANGE, top, 0, torch.zeros(1, self._split.middle.channels, bottom - top, self._split.total[1]))
        ], {}


def tiles_for(
    engine: Engine, seen: Size, store: Store, settings: DreamSettings, crew: Crew | None, strip: int
) -> DiskTiles:
    """Return what computes the gradient of a canvas of which the network sees `seen` pixels; see `DiskTiles`.

    Raises:
        SettingError: for a layer without receptive field.
    """
    tiling = engine.tiling(seen)  # also finds what cannot be done in tiles
    split = engine.split_tiling(seen)
    if split is None:
        return WholeTiles(tiling, engine, store, settings, crew, strip)
    return SplitTiles(split, engine, store, settings, crew, strip)


def strips(size: Size, pixels: int) -> list[Span]:
    """Return the rows of a plane in strips of about so many pixels."""
    rows = max(1, pixels // size[1])
    return [(top, min(top + rows, size[0])) for top in range(0, size[0], rows)]


def _appended(found: State, sums: Sequence[Tensor]) -> State:
    """Return the sums of the tiles so far, each term's stacked, with those of one more tile."""
    names = [f"sums.{term}" for term in range(len(sums))]
    return {
        name: torch.cat((found[name], own[None])) if name in found else own[None]
        for name, own in zip(names, sums, strict=True)
    }


def _totals(found: State) -> list[Tensor]:
    terms = sum(name.startswith("sums.") for name in found)
    return reduce_sums(zip(*(found[f"sums.{term}"].unbind() for term in range(terms)), strict=True))
