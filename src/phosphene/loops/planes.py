"""Planes of pixels that are not in memory: how a loop reads and writes them, and how it sees them shifted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from phosphene.gradients.tiled import TileResult, TileTask
from phosphene.gradients.tiles import Tile
from phosphene.loops.step import State
from phosphene.resampling import Span
from phosphene.types import Image, Size


@dataclass(frozen=True)
class Write:
    """Pixels to be written to the plane `name`, with their upper left corner at (top, left)."""

    name: str
    top: int
    left: int
    pixels: Image


@runtime_checkable
class Store(Protocol):
    """Planes of pixels on a disk, and the place in the work that they have been brought to."""

    def create(self, name: str, size: Size) -> None:
        """Make room for a plane of three channels, if it is not there."""

    def remove(self, name: str) -> None:
        """Remove a plane, if it is there."""

    def read(self, name: str, rows: Span, columns: Span) -> Image:
        """Return a copy of rows and columns of a plane."""

    def commit(self, place: State, writes: Sequence[Write], *, again: bool) -> None:
        """Write, and then let `last` return `place`.

        With `again`, the writes change what they were computed from: they must be done completely or not at all.
        """

    def last(self) -> State | None:
        """Return the last place that was committed."""


@runtime_checkable
class Crew(Protocol):
    """Workers that compute tiles."""

    @property
    def ahead(self) -> int:
        """How many tiles they should have in hand."""

    def begin(self, task: TileTask) -> Callable[[], TileResult]:
        """Begin a tile; what is returned waits for the result."""


@dataclass(frozen=True)
class Shifted:
    """A canvas of `size` seen through a shift: what leaves on one side enters on the other."""

    size: Size
    down: int
    across: int

    def read(self, store: Store, name: str, tile: Tile) -> Image:
        """Return the part of the shifted plane that a tile sees."""
        return torch.cat(
            [
                torch.cat([store.read(name, rows, columns) for _, columns in self._columns(tile)], dim=3)
                for _, rows in self._rows(tile)
            ],
            dim=2,
        )

    def writes(self, name: str, tile: Tile, pixels: Image) -> list[Write]:
        """Return what writes these pixels where `read` has read them."""
        return [
            Write(name, rows[0], columns[0], pixels[:, :, y : y + rows[1] - rows[0], x : x + columns[1] - columns[0]])
            for y, rows in self._rows(tile)
            for x, columns in self._columns(tile)
        ]

    def _rows(self, tile: Tile) -> list[tuple[int, Span]]:
        return _wrapped(tile.rows.crop_start, tile.rows.crop_end, self.down, self.size[0])

    def _columns(self, tile: Tile) -> list[tuple[int, Span]]:
        return _wrapped(tile.columns.crop_start, tile.columns.crop_end, self.across, self.size[1])


def _wrapped(start: int, end: int, shift: int, length: int) -> list[tuple[int, Span]]:
    """Return where the places from `start` to `end` of a shifted axis lie on the axis, with their offsets."""
    found, place = [], start
    while place < end:
        own = (place - shift) % length
        count = min(end - place, length - own)
        found.append((place - start, (own, own + count)))
        place += count
    return found
