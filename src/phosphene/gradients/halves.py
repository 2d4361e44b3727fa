"""A canvas too large for one pass, in two halves of the network, so that tiles need only the first half's small halo.

The halo of a tile is as wide as the receptive field of the deepest layer: 393 pixels on each side for `block15` of
`lite`, so that small tiles see several times what they own. Halfway through the network, at a stride of 8, the whole
canvas takes a few bytes per pixel. So the first half runs in tiles up to there; the second half, for which that
activation is the canvas, gives the score and how the activation should change; and the first half runs once more, and
back. All three are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType

import torch
from torch import Tensor

from phosphene.gradients import tiled
from phosphene.gradients.allocator import Watch
from phosphene.gradients.footprint import Footprint
from phosphene.gradients.tiles import Tile
from phosphene.nets.base import Net
from phosphene.nets.receptive import Field
from phosphene.types import Image, Scores, Size

Place = tuple[EllipsisType, slice, slice]


@dataclass(frozen=True)
class Middle:
    """The layer between the halves, and the memory that running to it takes."""

    layer: str
    channels: int
    field: Field
    footprint: Footprint

    def held(self, size: Size, count: int) -> int:
        """Return the bytes of its activation on `count` canvases of `size`, and of the gradient, both float32."""
        positions = math.prod(math.ceil(side / self.field.stride) for side in size)
        return 2 * 4 * count * self.channels * positions


@dataclass(frozen=True)
class Halves:
    """How canvases are gone through in halves.

    `tiles` cut the canvas with the halo of `middle`. `rest` gives the score of its activation, and the gradient
    with respect to it.
    """

    net: Net
    middle: Middle
    tiles: Sequence[Tile]
    rest: Callable[[Tensor], tuple[Scores, Tensor]]

    def __call__(self, canvas: Image, scale: float, watch: Watch) -> tuple[Scores, Image]:
        """Return the scores and the gradient, which is computed `scale` times as large; `watch` is that of a step."""
        activation = self._activation(canvas, watch)
        scores, directions = self.rest(activation)
        total = (activation.shape[-2], activation.shape[-1])
        del activation
        gradient = torch.zeros_like(canvas)
        for tile in self.tiles:
            watch()
            inside, outside = self._owned(tile, total)
            leaf = tile.crop(canvas).detach().requires_grad_()
            with torch.enable_grad():
                owned = self._run(leaf)[inside]
            run = tiled.ForwardPass(leaf, [owned])
            tile.crop(gradient).add_(run.backward([directions[outside]], scale))
        return scores, gradient

    def _activation(self, canvas: Image, watch: Watch) -> Tensor:
        """Return the middle's activation on the whole canvas."""
        whole = None
        for tile in reversed(self.tiles):  # the last one tells how many positions there are
            watch()
            with torch.no_grad():
                found = self._run(tile.crop(canvas))
            if whole is None:
                stride = self.middle.field.stride
                rows, columns = tile.rows.offset(stride), tile.columns.offset(stride)
                whole = canvas.new_empty(*found.shape[:2], rows + found.shape[-2], columns + found.shape[-1])
            inside, outside = self._owned(tile, (whole.shape[-2], whole.shape[-1]))
            whole[outside] = found[inside].to(whole)
        assert whole is not None, "a canvas has a tile"
        return whole

    def _run(self, crop: Tensor) -> Tensor:
        return self.net(crop, [self.middle.layer])[self.middle.layer]

    def _owned(self, tile: Tile, total: Size) -> tuple[Place, Place]:
        """Return where the positions that a tile owns are in its crop's activation, and in the whole one."""
        rows, columns, region = tile.region(self.middle.field.stride, total)
        down = slice(region.top, region.top + rows.stop - rows.start)
        across = slice(region.left, region.left + columns.stop - columns.start)
        return (..., rows, columns), (..., down, across)
