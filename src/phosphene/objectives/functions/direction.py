"""The direction: make a layer respond like a vector, as that of a concept or of many activations' mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.nets.card import ActivationStatistics
from phosphene.objectives.base import ResolveContext, unfit
from phosphene.objectives.features import check_name, positions, with_positions
from phosphene.objectives.function import Function, function
from phosphene.objectives.squares import accumulator
from phosphene.types import Features, Region, Scores

LEAST_COSINE = 0.1
"""Cosines count as no less than this, so that a canvas which does not point there yet has a gradient."""


@function("direction", path="path", layer="layer", example="direction(stripes.safetensors, mixed4c)")
@final
@dataclass(frozen=True)
class Direction(Function):
    """The mean over positions of the dot product with a vector, times their cosine to a power.

    Without the power, what is drawn is whatever responds most; with it, what responds most purely. The vector is the
    only tensor of a safetensors file, with a number for each channel of the layer.

    Source: Carter et al., "Activation Atlas" (Distill 2019).
    """

    path: str
    layer: str
    power: float = field(default=2.0, kw_only=True)
    vector: Float[Tensor, " c"] | None = field(default=None, compare=False, repr=False, kw_only=True)
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.path, "a direction's file")
        check_name(self.layer, "a layer")

    def reduce(self, activation: Features, region: Region | None = None) -> Scores:
        if self.vector is None:
            raise unfit(f"the vector of {str(self)!r} has not been read: resolve(..., read_features=...) does", self)
        activation = with_positions(activation)
        features = activation.to(accumulator(activation))
        vector = self.vector.to(features)
        vector = vector / vector.norm().clamp(min=1e-12)
        dot = (features * vector.view(1, -1, 1, 1)).sum(dim=1)
        cosine = dot / (features.square().sum(dim=1) + 1e-8).sqrt()
        purity = cosine.clamp(min=LEAST_COSINE) ** self.power
        return (dot * purity).sum(dim=(1, 2)) / positions(activation, region)

    def resolved(self, context: ResolveContext) -> Direction:
        if self.vector is not None:
            return self
        channels = context.card.layer(self.layer).channels
        if context.read_features is None:
            return self
        vector = context.read_features(self.path, self.layer).flatten()
        if len(vector) != channels:
            raise SettingError(
                f"{self.path} must have {channels} numbers, one for each channel of {self.layer}, but has "
                f"{len(vector)}",
                setting="target",
            )
        return replace(self, vector=vector)

    __str__ = Function.__str__
