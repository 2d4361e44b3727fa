"""The guide: make the canvas' features like those of another picture, as in the 2015 notebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from phosphene.nets.card import ActivationStatistics
from phosphene.objectives.base import ResolveContext, unfit
from phosphene.objectives.features import check_name, positions
from phosphene.objectives.function import Function, function
from phosphene.objectives.level import inverse_variance
from phosphene.objectives.squares import accumulator
from phosphene.types import Features, Region, Scores

_CANVAS_BLOCK, _GUIDE_BLOCK = 4096, 1024
"""Positions of the canvas and of the guide that are compared at a time: 16 MiB of float32 products, however
large the two pictures are."""


@function("guide", path="path", layer="layer", example="guide(photo.jpg, mixed3b)")
@final
@dataclass(frozen=True)
class Guide(Function):
    """Draw each position's responses towards their best match in the same layer of the guide picture.

    The mean over positions of the largest dot product between the canvas' column of responses and any of the
    guide's (Mordvintsev, Olah and Tyka, "Deep Dream" notebook, 2015). The gradient at a position is the best
    matching column itself. Where activation statistics are known, both are in stds and the product is a mean
    over channels.
    """

    path: str
    layer: str
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False)
    columns: Float[Tensor, "c k"] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name(self.path, "a guide's picture")
        check_name(self.layer, "a layer")

    def reduce(self, activation: Features, region: Region | None = None) -> Scores:
        if self.columns is None:
            raise unfit(f"the features of {str(self)!r} have not been read: resolve(..., read_features=...) does", self)
        columns = self.columns.to(activation.device)
        if self.statistics is not None:
            weight = inverse_variance(self.statistics).to(columns)
            columns = columns * (weight / weight.count_nonzero())[:, None]
        return best_match(activation, columns.to(activation.dtype)) / positions(activation, region)

    def resolved(self, context: ResolveContext) -> Guide:
        statistics = context.statistics(self.layer)
        if not context.has_positions(self.layer):
            raise unfit(f"{self.layer} has no positions to be guided: choose another layer for {str(self)!r}", self)
        columns = context.read_features(self.path, self.layer).flatten(1) if context.read_features else None
        return replace(self, statistics=statistics, columns=columns)

    __str__ = Function.__str__


def best_match(activation: Features, columns: Float[Tensor, "c k"]) -> Scores:
    """Return the sum over positions of the largest dot product of the position's column with one of `columns`.

    The gradient at a position is that column: which one it is counts as fixed. Both must be of one type;
    scores are accumulated in float32 (float64 for float64).
    """
    return _BestMatch.apply(activation, columns)


class _BestMatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, activation: Tensor, columns: Tensor) -> Tensor:
        n, _, height, width = activation.shape
        dtype = accumulator(activation)
        scores = activation.new_zeros(n, dtype=dtype)
        best = torch.empty(n, height, width, dtype=torch.int64, device=activation.device)
        rows = columns.t().contiguous()
        for picture, block in _blocks(n, height, width):
            part = activation[picture, :, block].flatten(1).t()
            nearest = _nearest(part, rows)
            # Summed again from the chosen columns, since products in bfloat16 are rounded.
            scores[picture] += (part.to(dtype) * rows[nearest].to(dtype)).sum()
            best[picture, block] = nearest.view(-1, width)
        ctx.save_for_backward(rows, best)
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        rows, best = ctx.saved_tensors  # type: ignore[attr-defined]
        chosen = rows[best]  # n h w c: channels last, as the networks have it
        chosen *= gradient.to(rows.dtype)[:, None, None, None]
        return chosen.permute(0, 3, 1, 2), None


def _blocks(n: int, height: int, width: int) -> Iterator[tuple[int, slice]]:
    """Yield pictures and bands of rows, each band of about `_CANVAS_BLOCK` positions."""
    rows = max(1, _CANVAS_BLOCK // max(1, width))
    for picture in range(n):
        for top in range(0, height, rows):
            yield picture, slice(top, top + rows)


def _nearest(part: Float[Tensor, "p c"], rows: Float[Tensor, "k c"]) -> Tensor:
    """Return for each position the index of the row with the largest dot product."""
    value, index = (part @ rows[:_GUIDE_BLOCK].t()).max(dim=1)
    for start in range(_GUIDE_BLOCK, len(rows), _GUIDE_BLOCK):
        next_value, next_index = (part @ rows[start : start + _GUIDE_BLOCK].t()).max(dim=1)
        better = next_value > value
        value = torch.where(better, next_value, value)
        index = torch.where(better, next_index + start, index)
    return index
