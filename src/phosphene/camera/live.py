"""A dream that goes on from frame to frame: that of a film, on frames that arrive one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.step import Step
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.loops.video import video_steps
from phosphene.nets.base import Net
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.films import VideoSettings
from phosphene.recipe.keyframes import Keys
from phosphene.types import Image, Size

SIZE: Size = (240, 320)
"""Height and width of a live dream."""

SETTINGS = VideoSettings(octaves=1, steps=1, first_steps=4, jitter=4, step_size=0.03)


@dataclass(frozen=True)
class _Arrived:
    index: int
    image: Image = field(repr=False)
    pts: int = 0
    duration: int = 1
    time: Fraction = Fraction(0)


class _Quick(Arithmetic):
    """Takes as long for every frame: what has come into view is not dreamt on further, it gains within a few frames."""

    catches_up = False


class LiveDream:
    """Dreams on frames that arrive one by one, carried along by optical flow; memory does not grow.

    Args:
        net: the network.
        target: what to bring out, in the objective language.
        size: (height, width) of the dream.
        settings: those of a film; `steps` is how many are taken on each frame.
        seed: of the jitter.
    """

    def __init__(
        self, net: Net, target: str, *, size: Size = SIZE, settings: VideoSettings = SETTINGS, seed: int = 0
    ) -> None:
        objective = resolve(parse(target), net.card)
        engine = Engine(net, objective)
        self._next: _Arrived | None = None
        self._count = 0
        schedule = TargetSchedule(engine, Keys((0.0,), (objective,)))
        self._steps: Iterator[Step] = video_steps(
            schedule, self._arrivals(), settings, size=size, arithmetic=_Quick(seed), flow_side=max(size)
        )

    def __call__(self, image: Image) -> Tensor:
        """Return the dream on the next frame, 1 3 h w of the dream's size; the frame may have any."""
        self._next = _Arrived(self._count, image)
        self._count += 1
        return next(self._steps).image

    def _arrivals(self) -> Iterator[_Arrived]:
        while self._next is not None:
            arrived, self._next = self._next, None
            yield arrived
