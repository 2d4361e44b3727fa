"""Planes of pixels that are not in memory: how a loop reads and writes them, and how it sees them shifted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from phosphene.gradients.tiles import Tile
from phosphene.loops.step import State
from phosphene.resampling import Span
from phosphene.transforms.geometry import mirrored
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

    def create(self, name: str, size: Size, channels: int = 3) -> None:
        """Make room for a plane, if it is not there."""

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


class Look(ABC):
    """How the network sees a canvas on the disk."""

    seen: Size
    """The size of what it sees, which tiles are cut from."""

    @abstractmethod
    def read(self, store: Store, name: str, tile: Tile) -> Image:
        """Return the part of a plane that a tile sees."""

    @abstractmethod
    def added(self, store: Store, name: str, tile: Tile, pixels: Image) -> list[Write]:
        """Return what adds these pixels to a plane where `read` has read them."""


class Shifted(Look):
    """A canvas of `size` seen through a shift: what leaves on one side enters on the other."""

    def __init__(self, size: Size, down: int, across: int) -> None:
        self.seen, self._down, self._across = size, down, across

    def read(self, store: Store, name: str, tile: Tile) -> Image:
        return torch.cat(
            [
                torch.cat([store.read(name, rows, columns) for _, columns in self._columns(tile)], dim=3)
                for _, rows in self._rows(tile)
            ],
            dim=2,
        )

    def added(self, store: Store, name: str, tile: Tile, pixels: Image) -> list[Write]:
        pixels = self.read(store, name, tile).add_(pixels)
        return [
            Write(name, rows[0], columns[0], pixels[:, :, y : y + rows[1] - rows[0], x : x + columns[1] - columns[0]])
            for y, rows in self._rows(tile)
            for x, columns in self._columns(tile)
        ]

    def _rows(self, tile: Tile) -> list[tuple[int, Span]]:
        return _wrapped(tile.rows.crop_start, tile.rows.crop_end, self._down, self.seen[0])

    def _columns(self, tile: Tile) -> list[tuple[int, Span]]:
        return _wrapped(tile.columns.crop_start, tile.columns.crop_end, self._across, self.seen[1])


class WithMargin(Look):
    """A canvas of `size` with a margin of `pixels` that mirrors it, shifted; see `transforms.with_margin`."""

    def __init__(self, size: Size, pixels: int, down: int, across: int) -> None:
        self.seen = (size[0] + 2 * pixels, size[1] + 2 * pixels)
        self._size, self._top, self._left = size, pixels + down, pixels + across

    def read(self, store: Store, name: str, tile: Tile) -> Image:
        (top, bottom), (left, right) = self._where(tile)
        down, across = mirrored(top, bottom, self._size[0]), mirrored(left, right, self._size[1])
        rows, columns = ((int(places.min()), int(places.max()) + 1) for places in (down, across))
        pixels = store.read(name, rows, columns)
        return pixels.index_select(2, down - rows[0]).index_select(3, across - columns[0])

    def added(self, store: Store, name: str, tile: Tile, pixels: Image) -> list[Write]:
        (top, bottom), (left, right) = self._where(tile)
        rows, columns = (max(0, top), min(bottom, self._size[0])), (max(0, left), min(right, self._size[1]))
        if rows[0] >= rows[1] or columns[0] >= columns[1]:
            return []
        own = pixels[:, :, rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
        return [Write(name, rows[0], columns[0], store.read(name, rows, columns).add_(own))]

    def _where(self, tile: Tile) -> tuple[Span, Span]:
        """Return the rows and columns that a tile sees, counted on the canvas; they may lie outside of it."""
        rows, columns = tile.rows, tile.columns
        return (
            (rows.crop_start - self._top, rows.crop_end - self._top),
            (columns.crop_start - self._left, columns.crop_end - self._left),
        )


def _wrapped(start: int, end: int, shift: int, length: int) -> list[tuple[int, Span]]:
    """Return where the places from `start` to `end` of a shifted axis lie on the axis, with their offsets."""
    found, place = [], start
    while place < end:
        own = (place - shift) % length
        count = min(end - place, length - own)
        found.append((place - start, (own, own + count)))
        place += count
    return found
