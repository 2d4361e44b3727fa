"""The gradient of a tile, as pure functions of plain data, so that another process may compute it.

A score that is not linear in its sums over positions (a class, an equalised layer) is a function of sums over the whole
canvas. A step in tiles therefore has three parts:

    sums       <- tile_sums for every tile, in order
    directions <- directions_of the reduced sums: how each should change
    gradient   <- tile_gradient for every tile, added into the canvas' gradient where the tile's crop is

Everything but the network pickles; a process loads the network once and does many tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.gradients.tiles import Tile
from phosphene.nets.base import Net
from phosphene.objectives.base import Leaf
from phosphene.types import Image, Region, Scores, Size


@dataclass(frozen=True)
class Term:
    """One term of an objective as a function of sums over the positions of `layer`.

    `stride` is the layer's, `total` its positions over the whole canvas. With `pooled`, the leaf scores classes, which
    the network's head computes from the mean of `layer`.
    """

    coefficient: float
    leaf: Leaf
    layer: str
    stride: int
    total: Size
    pooled: bool

    def reduce(self, activations: Mapping[str, Tensor], tile: Tile) -> Tensor:
        """Return what the positions that `tile` owns contribute to the sums, `n k`."""
        rows, columns, region = tile.region(self.stride, self.total)
        activation = activations[self.layer][:, :, rows, columns]
        return _mean(activation, region) if self.pooled else self.leaf.reduce(activation, region)

    def finalize(self, net: Net, sums: Tensor) -> Scores:
        """Return the term's score from the sums over the whole canvas, without its coefficient."""
        return self.leaf.score(net.head(sums)) if self.pooled else self.leaf.finalize(sums)


@dataclass(frozen=True)
class ForwardPass:
    """A tile after its forward pass: its crop of the canvas, and what it contributes to each term's sums."""

    crop: Tensor
    sums: list[Tensor]

    def backward(self, directions: Sequence[Tensor], scale: float) -> Tensor:
        """Return the gradient of the sums moving in these directions; it is computed `scale` times as large."""
        shares = [(part * way).sum() for part, way in zip(self.sums, directions, strict=True)]
        (gradient,) = torch.autograd.grad(torch.stack(shares).sum() * scale, self.crop)
        return gradient.div_(scale)


@dataclass(frozen=True)
class Tiling:
    """A canvas in tiles, and what is computed on each, for canvases that are not in memory as a whole.

    `linear` says that the directions are the same for all sums, so that the gradient needs no sums first. `scale` is
    what scores are multiplied by on the way back. `device` is the network's; results are on the processor's memory.
    """

    net: Net
    terms: Sequence[Term]
    tiles: Sequence[Tile]
    linear: bool
    scale: float
    device: torch.device

    def sums(self, crop: Image, tile: Tile) -> list[Tensor]:
        """Return what a tile contributes to each term's sums."""
        return [part.cpu() for part in tile_sums(self.net, self.terms, crop.to(self.device), tile)]

    def gradient(self, crop: Image, tile: Tile, sums: Sequence[Tensor] | None) -> tuple[Image, list[Tensor]]:
        """Return the gradient of a tile's crop, given the sums over the whole canvas, and the tile's own sums."""
        run = forward(self.net, self.terms, crop.to(self.device), tile)
        if sums is None:
            directions = [torch.tensor(term.coefficient) for term in self.terms]
        else:
            directions = directions_of(self.net, self.terms, [total.to(self.device) for total in sums])
        gradient = run.backward(directions, self.scale)
        return gradient.cpu(), [part.detach().cpu() for part in run.sums]

    def gradient_by(self, compute: Compute, canvas: Image) -> tuple[Scores, Image]:
        """Return the scores and the gradient of a canvas in memory, whose tiles `compute` does."""

        def tasks(totals: Sequence[Tensor] | None, *, gradient: bool) -> Iterator[TileTask]:
            for tile in self.tiles:  # a copy, since a view would bring all of the canvas along
                yield self.task(tile, tile.crop(canvas).clone(), gradient=gradient, totals=totals)

        totals = None if self.linear else reduce_sums(each.sums for each in compute(tasks(None, gradient=False)))
        whole, parts = torch.zeros_like(canvas), []
        for tile, found in zip(self.tiles, compute(tasks(totals, gradient=True)), strict=True):
            assert found.gradient is not None, "it was asked for"
            tile.crop(whole).add_(found.gradient.to(whole.device))
            parts.append(found.sums)
        return self.score(reduce_sums(parts)), whole

    def task(self, tile: Tile, crop: Image, *, gradient: bool, totals: Sequence[Tensor] | None = None) -> TileTask:
        """Return what is computed on a tile, for another process."""
        return TileTask(self.terms, self.linear, self.scale, tile, crop, gradient, totals)

    def score(self, sums: Sequence[Tensor]) -> Scores:
        """Return the objective's scores from the sums over the whole canvas."""
        return score_of(self.net, self.terms, [total.to(self.device) for total in sums]).cpu()


@dataclass(frozen=True)
class TileResult:
    """The gradient of a tile's crop, None where only sums were asked for; and the tile's sums."""

    gradient: Image | None
    sums: list[Tensor]


@dataclass(frozen=True)
class TileTask:
    """What is computed on a tile, as data that pickles: its sums, or its gradient given the `totals` of all tiles.

    `terms`, `linear` and `scale` are those of a `Tiling`. With `gradient`, the gradient is asked for.
    """

    terms: Sequence[Term]
    linear: bool
    scale: float
    tile: Tile
    crop: Image
    gradient: bool
    totals: Sequence[Tensor] | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.tile.name

    def run(self, net: Net) -> TileResult:
        """Return what the tile gives."""
        device = next(net.parameters()).device
        tiling = Tiling(net, self.terms, (), self.linear, self.scale, device)
        if not self.gradient:
            return TileResult(None, tiling.sums(self.crop, self.tile))
        return TileResult(*tiling.gradient(self.crop, self.tile, self.totals))


Compute = Callable[[Iterable[TileTask]], Iterator[TileResult]]
"""Computes tiles, in their order."""


def forward(net: Net, terms: Sequence[Term], crop: Image, tile: Tile, *, grad: bool = True) -> ForwardPass:
    """Run a tile's crop through the network; with `grad`, keep what the backward pass needs."""
    with torch.set_grad_enabled(grad):
        leaf = crop.detach().requires_grad_(grad)  # not a copy
        activations = net(leaf, sorted({term.layer for term in terms}))
        return ForwardPass(leaf, [term.reduce(activations, tile) for term in terms])


def tile_sums(net: Net, terms: Sequence[Term], crop: Image, tile: Tile) -> list[Tensor]:
    """Return what a tile contributes to each term's sums.

    Args:
        net: the network.
        terms: those of the objective.
        crop: the part of the canvas that the tile sees, `n c h w`.
        tile: where that is.
    """
    return forward(net, terms, crop, tile, grad=False).sums


def reduce_sums(parts: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """Add up the sums of all tiles, which must be in the order of the tiles."""
    return [torch.stack([part.detach() for part in each]).sum(dim=0) for each in zip(*parts, strict=True)]


def directions_of(net: Net, terms: Sequence[Term], sums: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of each term's score with respect to its sums."""
    directions: list[Tensor] = []
    for term, total in zip(terms, sums, strict=True):
        leaf = total.detach().requires_grad_()
        with torch.enable_grad():
            score = term.coefficient * term.finalize(net, leaf).sum()
            directions += torch.autograd.grad(score, leaf)
    return directions


def tile_gradient(
    net: Net, terms: Sequence[Term], crop: Image, tile: Tile, directions: Sequence[Tensor], scale: float = 1.0
) -> Image:
    """Return the gradient of a tile's crop, given how each term's sums should change.

    Args:
        net, terms, crop, tile: as for `tile_sums`.
        directions: those of `directions_of`.
        scale: what the gradient is multiplied by while it is computed, so that float16 does not underflow.
    """
    return forward(net, terms, crop, tile).backward(directions, scale)


def score_of(net: Net, terms: Sequence[Term], sums: Sequence[Tensor]) -> Scores:
    """Return the objective's scores from the sums over the whole canvas."""
    scores = [term.coefficient * term.finalize(net, total) for term, total in zip(terms, sums, strict=True)]
    return torch.stack(scores).sum(dim=0)


def _mean(activation: Tensor, region: Region) -> Tensor:
    total = activation.sum(dim=(2, 3), dtype=torch.promote_types(activation.dtype, torch.float32))
    return total / (region.height * region.width)
