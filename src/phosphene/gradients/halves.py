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
            inside, outside = owned(tile, self.middle.field.stride, total)
            crop = tile.crop(canvas)
            tile.crop(gradient).add_(descend(self.net, self.middle.layer, crop, inside, directions[outside], scale))
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
            inside, outside = owned(tile, self.middle.field.stride, (whole.shape[-2], whole.shape[-1]))
            whole[outside] = found[inside].to(whole)
        assert whole is not None, "a canvas has a tile"
        return whole

    def _run(self, crop: Tensor) -> Tensor:
        return self.net(crop, [self.middle.layer])[self.middle.layer]


@dataclass(frozen=True)
class SplitTiling:
    """A canvas that is not in memory, gone through in halves: what is computed on each tile of it, and of the middle.

    `layers` are those that the network is split for. `tiles` cut the canvas with the halo of `middle`, whose activation
    has `total` positions; `rest` cuts that activation, for which it is the canvas. `scale` is what directions are
    multiplied by on the way back.
    """

    middle: Middle
    layers: frozenset[str]
    tiles: Sequence[Tile]
    total: Size
    rest: tiled.Tiling
    scale: float

    def place(self, tile: Tile) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the rows and columns of the middle's positions that a tile of the canvas owns."""
        _, (_, rows, columns) = owned(tile, self.middle.field.stride, self.total)
        return (rows.start, rows.stop), (columns.start, columns.stop)

    def forward(self, tile: Tile, crop: Image) -> HalfTask:
        """Return what computes the middle's activation where a tile owns it."""
        return HalfTask(self.middle.layer, self.middle.field.stride, self.total, tile, crop)

    def backward(self, tile: Tile, crop: Image, direction: Tensor) -> HalfTask:
        """Return what computes the gradient of a tile's crop, given how the activation that it owns should change."""
        return HalfTask(self.middle.layer, self.middle.field.stride, self.total, tile, crop, direction, self.scale)

    def inner(self, tile: Tile, crop: Tensor, *, gradient: bool, totals: Sequence[Tensor] | None = None) -> RestTask:
        """Return what computes the sums, or the gradient, of a tile of the middle; see `Tiling.task`."""
        task = self.rest.task(tile, crop, gradient=gradient, totals=totals)
        return RestTask(self.layers, self.middle.field.stride, task)


@dataclass(frozen=True)
class HalfTask:
    """The first half of the network on a tile: forward, or with a `direction` the gradient of the crop."""

    layer: str
    stride: int
    total: Size
    tile: Tile
    crop: Image
    direction: Tensor | None = None
    scale: float = 1.0

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.tile.name

    def run(self, net: Net) -> Tensor:
        """Return what the tile gives, float32."""
        crop = self.crop.to(next(net.parameters()).device)
        inside, _ = owned(self.tile, self.stride, self.total)
        if self.direction is None:
            with torch.no_grad():
                return net(crop, [self.layer])[self.layer][inside].to("cpu", torch.float32)
        return descend(net, self.layer, crop, inside, self.direction.to(crop.device), self.scale).cpu()


@dataclass(frozen=True)
class RestTask:
    """A tile's task in the rest of the network."""

    layers: frozenset[str]
    stride: int
    task: tiled.TileTask

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.task.name

    def run(self, net: Net) -> tiled.TileResult:
        """Return what the tile gives."""
        found = net.split(self.layers, self.stride)
        assert found is not None, "it has been split before"
        return self.task.run(found[1])


def descend(net: Net, layer: str, crop: Image, inside: Place, direction: Tensor, scale: float) -> Image:
    """Return the gradient of a crop when the layer's activation moves in a direction at the positions `inside`."""
    leaf = crop.detach().requires_grad_()
    with torch.enable_grad():
        run = tiled.ForwardPass(leaf, [net(leaf, [layer])[layer][inside]])
    return run.backward([direction], scale)


def owned(tile: Tile, stride: int, total: Size) -> tuple[Place, Place]:
    """Return where the positions that a tile owns are in its crop's activation, and in the whole one."""
    rows, columns, region = tile.region(stride, total)
    down = slice(region.top, region.top + rows.stop - rows.start)
    across = slice(region.left, region.left + columns.stop - columns.start)
    return (..., rows, columns), (..., down, across)
