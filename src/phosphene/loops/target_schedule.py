"""Objectives that follow one another in a film, blended from keyframe to keyframe."""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.objectives.base import Objective
from phosphene.recipe.keyframes import Keys, Track, at
from phosphene.types import Image


class TargetSchedule:
    """The objectives of a film at each time.

    Between two keyframes both are sought at once, by weights. A layer's score and a label's are in different units, so
    each is divided by the length of its own gradient first, as `measure` finds it; otherwise the larger would dominate
    until its weight is almost 0.

    Args:
        engine: for any of the objectives.
        keys: the objectives.
        weights: the weight of each objective over time; by default that of its keyframe.
    """

    def __init__(self, engine: Engine, keys: Keys[Objective], weights: Track | None = None) -> None:
        self._engine = engine
        self.keys = keys
        self.weights = weights
        self._units = [1.0] * len(keys.values)

    @property
    def engine(self) -> Engine:
        """The engine for the objective that was asked for last."""
        return self._engine

    def measure(self, image: Image) -> Tensor:
        """Measure each objective's gradient on `image` and use it; return the lengths, which a state keeps."""
        lengths = []
        for objective in self.keys.values if len(self.keys.values) > 1 else ():
            _, gradient = _towards(self._engine, objective)(image)
            lengths.append(gradient.abs().mean())
        measured = torch.stack(lengths) if lengths else torch.ones(1)
        self.use(measured)
        return measured

    def use(self, lengths: Tensor) -> None:
        """Use the lengths that `measure` returned."""
        self._units = [1 / max(float(length), 1e-20) for length in lengths]

    def at(self, time: float) -> Engine:
        """Return the engine for the objective at this time in seconds."""
        weights = self.keys.weights(time) if self.weights is None else at(self.weights, time)
        blend = [
            objective if len(self._units) == 1 else weight * unit * objective
            for weight, unit, objective in zip(weights, self._units, self.keys.values, strict=True)
            if weight
        ]
        self._engine = _towards(self._engine, sum(blend[1:], start=blend[0]))
        return self._engine


def _towards(engine: Engine, objective: Objective) -> Engine:
    return engine if objective is engine.objective else engine.towards(objective)
