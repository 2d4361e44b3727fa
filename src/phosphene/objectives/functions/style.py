"""Style: make the canvas' features have the correlations of another picture's, wherever they stand."""

from __future__ import annotations

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

_BLOCK = 2**22
"""Elements that are multiplied at a time: 16 MiB of float32."""


@function("style", path="path", layer="layer", example="style(painting.jpg, mixed3b)")
@final
@dataclass(frozen=True)
class Style(Function):
    """Draw the Gram matrix of a layer towards that of another picture.

    The Gram matrix holds how strongly each pair of channels responds together, averaged over positions: the texture of
    a picture without its composition. The score is minus the squared distance between the two matrices, relative to the
    squared norm of the other picture's, from below up to 0. Where activation statistics are known, responses are in
    their channels' stds.

    Source: Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style" (2015).
    """

    path: str
    layer: str
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False)
    gram: Float[Tensor, "c c"] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name(self.path, "a style's picture")
        check_name(self.layer, "a layer")

    @property
    def linear(self) -> bool:
        return False

    def reduce(self, activation: Features, region: Region | None = None) -> Float[Tensor, "n pairs"]:
        return gram(activation).flatten(1) / positions(activation, region)

    def finalize(self, sums: Float[Tensor, "n pairs"]) -> Scores:
        if self.gram is None:
            raise unfit(f"the features of {str(self)!r} have not been read: resolve(..., read_features=...) does", self)
        wanted = self.gram.to(sums).flatten()
        weight = _weight(self.statistics, self.gram.shape[0]).to(sums)
        difference = (sums - wanted) * weight
        return -difference.square().sum(dim=1) / (wanted * weight).square().sum().clamp_min(1e-20)

    def resolved(self, context: ResolveContext) -> Style:
        statistics = context.statistics(self.layer)
        if not context.has_positions(self.layer):
            raise unfit(f"{self.layer} has no positions to correlate: choose another layer for {str(self)!r}", self)
        if context.read_features is None:
            return replace(self, statistics=statistics)
        features = context.read_features(self.path, self.layer).flatten(1)
        return replace(self, statistics=statistics, gram=gram(features[None, :, None])[0] / features.shape[1])

    __str__ = Function.__str__


def gram(activation: Features) -> Float[Tensor, "n c c"]:
    """Return the sum over positions of the products of each pair of channels, in float32 (float64 for float64).

    Only the activation itself is kept for the backward pass, whose result is in the activation's type.

    >>> gram(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]]))
    tensor([[[5., 3.],
             [3., 9.]]])
    """
    return _Gram.apply(activation)


class _Gram(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, activation: Tensor) -> Tensor:
        ctx.save_for_backward(activation)
        n, channels = activation.shape[:2]
        total = activation.new_zeros(n, channels, channels, dtype=accumulator(activation))
        for block in activation.split(_rows(activation), dim=2):
            columns = block.flatten(2).to(total.dtype)
            total += columns @ columns.transpose(1, 2)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (activation,) = ctx.saved_tensors  # type: ignore[attr-defined]
        both = (gradient + gradient.transpose(1, 2)).to(activation.dtype)
        found = torch.empty_like(activation)
        rows = _rows(activation)
        for block, out in zip(activation.split(rows, dim=2), found.split(rows, dim=2), strict=True):
            out.copy_((both @ block.flatten(2)).view(block.shape))
        return found


def _rows(activation: Tensor) -> int:
    n, channels, _, width = activation.shape
    return max(1, _BLOCK // max(1, n * channels * width))


def _weight(statistics: ActivationStatistics | None, channels: int) -> Float[Tensor, " pairs"]:
    """Return what each pair of channels is multiplied by: one over the product of their stds, 0 for silent ones."""
    if statistics is None:
        return torch.ones(channels * channels)
    inverse_std = inverse_variance(statistics).sqrt()
    return torch.outer(inverse_std, inverse_std).flatten()
