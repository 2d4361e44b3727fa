"""What every loop yields: the picture so far, and how far the work has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from phosphene.types import Image


@dataclass(frozen=True)
class Step:
    """A loop's report after one step, from which the caller shows, saves, cancels or resumes.

    `image` is the picture so far (never changed by later steps), where the network is; `scores` the objective's
    values that the step was taken from, of all pictures that it looked at, and `score` their mean, for which a
    graphics card has to be waited for. `octave` counts from 0 to `octaves - 1`; `step` counts the steps done in this
    octave, from 1 to `steps`; `progress` is the share of all work done, 0 to 1, by cost and not by count. `state` is
    what the loop that yielded it can be resumed from; nothing else looks inside.
    """

    image: Image = field(repr=False)
    scores: Tensor = field(repr=False)
    octave: int
    octaves: int
    step: int
    steps: int
    progress: float
    state: object = field(repr=False, compare=False)

    @property
    def score(self) -> float:
        """The mean of the scores."""
        return float(self.scores.mean())
