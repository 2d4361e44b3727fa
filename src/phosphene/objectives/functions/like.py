"""Like another picture, place by place: exaggerated (`like`), or as it is (`inversion`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar, final

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.card import ActivationStatistics
from phosphene.objectives.base import ResolveContext, unfit
from phosphene.objectives.features import check_name, positions
from phosphene.objectives.function import Function, function
from phosphene.objectives.functions.direction import LEAST_COSINE
from phosphene.objectives.level import inverse_variance
from phosphene.objectives.squares import accumulator
from phosphene.types import Features, Region, Scores, Size

SIDES = (0.5, 1.0, 2.0, 4.0)
"""Longest sides of the other picture at which its features are read, in input sizes of the network: a canvas is
compared with those of the nearest size, so that a thing is as large in both."""

T = TypeVar("T", bound="_Alike")


class _Alike(Function):
    """Compares each position with the same place of another picture, in stds where they are known."""

    path: str
    layer: str
    maps: tuple[Float[Tensor, "c _ _"], ...]
    statistics: ActivationStatistics | None
    placed_views: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_name(self.path, "a picture")
        check_name(self.layer, "a layer")

    def wanted(self, activation: Features, region: Region | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the activation and the picture's features there, both times 1 / std, and the latter's mean square."""
        if not self.maps:
            raise unfit(f"the features of {str(self)!r} have not been read: resolve(..., read_features=...) does", self)
        height, width = activation.shape[-2:]
        whole: Size = (region.height, region.width) if region else (height, width)
        nearest = min(self.maps, key=lambda each: abs(math.log(_extent(each) / math.prod(whole))))
        features = activation.to(accumulator(activation))
        other = F.interpolate(nearest[None].to(features), whole, mode="bilinear", align_corners=False)
        if self.statistics is not None:
            unit = inverse_variance(self.statistics).sqrt().to(features).view(1, -1, 1, 1)
            features, other = features * unit, other * unit
        square = other.square().sum(dim=1).mean().clamp(min=1e-12)
        if region is not None:
            other = other[..., region.top : region.top + height, region.left : region.left + width]
        return features, other, square

    def read(self: T, context: ResolveContext) -> T:
        """Return this objective with the features of its picture."""
        statistics = context.statistics(self.layer)
        if not context.has_positions(self.layer):
            raise unfit(f"{self.layer} has no positions to compare: choose another layer for {str(self)!r}", self)
        found: tuple[Tensor, ...] = ()
        if context.read_features is not None:
            sides = [round(context.card.input.size * each) for each in SIDES]
            found = tuple(context.read_features(self.path, self.layer, side) for side in sides)
        return replace(self, statistics=statistics, maps=found)  # type: ignore[type-var]  # its subclasses are dataclasses


@function("like", path="path", layer="layer", example="like(photo.jpg, mixed4c)")
@final
@dataclass(frozen=True)
class Like(_Alike):
    """A caricature: the mean over positions of the dot product with another picture's features at the same place,
    times their cosine to a power; 1 for the picture itself.

    The dot product exaggerates whatever the layer finds in the picture; the cosine keeps it to that.

    Source: Olah et al., "The Building Blocks of Interpretability" (Distill 2018); lucid's caricatures (2019).
    """

    path: str
    layer: str
    power: float = field(default=2.0, kw_only=True)
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False, kw_only=True)
    maps: tuple[Float[Tensor, "c _ _"], ...] = field(default=(), compare=False, repr=False, kw_only=True)

    def reduce(self, activation: Features, region: Region | None = None) -> Scores:
        features, other, square = self.wanted(activation, region)
        dot = (features * other).sum(dim=1)
        lengths = (features.square().sum(dim=1) * other.square().sum(dim=1) + 1e-8).sqrt()
        purity = (dot / lengths).clamp(min=LEAST_COSINE) ** self.power
        return (dot * purity).sum(dim=(1, 2)) / (positions(activation, region) * square)

    def resolved(self, context: ResolveContext) -> Like:
        return self.read(context)

    __str__ = Function.__str__


@function("inversion", path="path", layer="layer", example="inversion(photo.jpg, mixed4c)")
@final
@dataclass(frozen=True)
class Inversion(_Alike):
    """What a layer keeps of another picture: 1 less the squared distance of the features, relative to their square.

    Source: Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them" (CVPR 2015).
    """

    path: str
    layer: str
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False, kw_only=True)
    maps: tuple[Float[Tensor, "c _ _"], ...] = field(default=(), compare=False, repr=False, kw_only=True)

    def reduce(self, activation: Features, region: Region | None = None) -> Scores:
        features, other, square = self.wanted(activation, region)
        gained = (features * (2 * other - features)).sum(dim=(1, 2, 3))
        return gained / (positions(activation, region) * square)

    def resolved(self, context: ResolveContext) -> Inversion:
        return self.read(context)

    __str__ = Function.__str__


def _extent(features: Tensor) -> int:
    return math.prod(features.shape[-2:])
