"""What the loops that make films share: the frame that they yield, and the state that they go on from.

A film's loop is a generator of frames. Whoever takes them may stop after any one, keep `frame.state`, and go on from it
another day: the frames that follow are the same to the byte. A state is tensors and nothing else, so that it
can be kept in a file that runs no code when it is read.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.loops.step import State, pack
from phosphene.objectives.base import Objective
from phosphene.recipe.keyframes import Keys
from phosphene.types import Image


@dataclass(frozen=True)
class Frame:
    """One finished frame of a film.

    `image` is 1 3 h w, never changed later; `index` counts from 0 to `frames - 1`; `time` is seconds from the film's
    beginning; `score` the objective's value, the mean over the steps of this frame. `state` is what the loop goes on
    from behind this frame. A film whose end is not known beforehand has `frames` 0. Where frames do not simply follow
    one another at the film's rate, `pts` and `duration` say when and how long this one is shown, in the film's ticks.
    """

    image: Image = field(repr=False)
    index: int
    frames: int
    time: float
    score: float
    state: State = field(repr=False, compare=False)
    pts: int | None = None
    duration: int | None = None

    @property
    def progress(self) -> float:
        """The share of the film that is done, 0 to 1."""
        return (self.index + 1) / self.frames if self.frames else 0.0

    def saved(self) -> bytes:
        """What the loop goes on from behind this frame, as bytes that can be kept."""
        return pack(self.state)


def seed_of(seed: int, frame: int) -> int:
    """A frame's own seed: chance is a function of where the loop is, so that there is no hidden state to resume."""
    return random.Random(f"{seed}/{frame}").getrandbits(32)


class Targets:
    """Objectives that follow one another in a film, blended from key to key.

    Between two keys both are sought at once, by weights. A layer's score and a label's are in different units, so each
    is divided by the length of its own gradient first, as measured once by `weigh`; else the louder would rule until
    its weight is almost 0.
    """

    def __init__(self, engine: Engine, keys: Keys[Objective]) -> None:
        self._engine = engine
        self._keys = keys
        self._units = [1.0] * len(keys.values)

    def weigh(self, image: Image) -> Tensor:
        """Measure each objective's gradient on `image`; gives the lengths, which a state keeps for `take`."""
        lengths = []
        for objective in self._keys.values if len(self._keys.values) > 1 else ():
            _, gradient = towards(self._engine, objective)(image)
            lengths.append(gradient.abs().mean())
        measured = torch.stack(lengths) if lengths else torch.ones(1)
        self.take(measured)
        return measured

    def take(self, lengths: Tensor) -> None:
        """Use the lengths that `weigh` once gave."""
        self._units = [1 / max(float(length), 1e-20) for length in lengths]

    def at(self, time: float) -> Engine:
        """The engine for the objective at this time in seconds."""
        blend = [
            objective if len(self._units) == 1 else weight * unit * objective
            for weight, unit, objective in zip(self._keys.weights(time), self._units, self._keys.values, strict=True)
            if weight
        ]
        self._engine = towards(self._engine, sum(blend[1:], start=blend[0]))
        return self._engine


def towards(engine: Engine, objective: Objective) -> Engine:
    """The same engine, with the same network, for another objective."""
    return engine if objective is engine.objective else engine.towards(objective)
