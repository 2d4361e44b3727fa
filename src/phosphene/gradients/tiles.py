"""A canvas cut into tiles whose gradients add up to the gradient of the whole.

Every tile owns a part of each layer's positions. Its objective is computed on these alone, from a crop of the canvas
that holds their receptive fields, and its gradient is added into the canvas' gradient wherever the crop reaches.
Since spatial objectives are sums over positions, the sum over tiles is the whole's gradient exactly, with a halo of
one receptive field's reach on each side (cropping by gradient instead would need twice that).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from phosphene.nets.receptive import Field
from phosphene.types import Region, Size


@dataclass(frozen=True)
class Span:
    """One tile along one axis: it owns pixels `start` to `end` and sees a crop from `crop_start` to `crop_end`."""

    start: int
    end: int
    crop_start: int
    crop_end: int
    last: bool

    def positions(self, stride: int, total: int) -> tuple[int, int]:
        """Return the positions that the tile owns in a layer with this stride and `total` positions along the axis."""
        end = total if self.last else min(total, self.end // stride)
        return min(total, self.start // stride), end

    def offset(self, stride: int) -> int:
        """Return the crop's first position in the whole layer."""
        return self.crop_start // stride


@dataclass(frozen=True)
class Tile:
    """A tile of the canvas: its rows and its columns."""

    rows: Span
    columns: Span

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"the tile at {self.columns.start},{self.rows.start}"

    def crop(self, image: Tensor) -> Tensor:
        """Return the part of the canvas that the tile sees."""
        rows, columns = self.rows, self.columns
        return image[:, :, rows.crop_start : rows.crop_end, columns.crop_start : columns.crop_end]

    def region(self, stride: int, total: Size) -> tuple[slice, slice, Region]:
        """Return where the positions that the tile owns are in the crop's activation, and in the whole layer's."""
        top, bottom = self.rows.positions(stride, total[0])
        left, right = self.columns.positions(stride, total[1])
        y, x = self.rows.offset(stride), self.columns.offset(stride)
        region = Region(top, left, height=total[0], width=total[1])
        return slice(top - y, bottom - y), slice(left - x, right - x), region


def cut(size: Size, own: int, field: Field, halo: int | None = None) -> Iterator[Tile]:
    """Cut a canvas of `size` into tiles that own about `own` x `own` pixels each, and see crops of nearly one size.

    Those at the borders, which need no halo there, own more, so that all take the same memory and as little as can be
    is seen twice. `field` is that of the deepest layer looked at; all strides divide its stride. `halo` in pixels is
    by default the reach of that field, with which gradients are exact.

    Where padding depends on the sides (`Field.shift`), every crop's sides leave the remainder that the canvas' sides
    leave when divided by the stride, so that all convolutions pad a crop as they pad the canvas.
    """
    columns = list(_spans(size[1], own, field, halo))
    for rows in _spans(size[0], own, field, halo):
        for each in columns:
            yield Tile(rows, each)


def _spans(length: int, own: int, field: Field, halo: int | None) -> Iterator[Span]:
    stride = field.stride
    reaches = (field.before, field.after) if halo is None else (halo, halo)
    before, after = (math.ceil(reach / stride) * stride for reach in reaches)
    if field.shift:
        after = reaches[1] + (length - reaches[1]) % stride
    count = max(1, math.ceil((length - before - after) / max(own, stride)))
    step = max(stride, math.ceil((length - before - after) / count / stride) * stride)
    count = max(1, math.ceil((length - before - after) / step))
    for index in range(count):
        crop_start = index * step
        start = crop_start + before if index else 0
        last = index == count - 1
        end = length if last else crop_start + step + before
        yield Span(start, end, crop_start, min(length, end + after), last)
