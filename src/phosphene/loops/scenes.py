"""The scenes of a clip on workers: from one cut to the next, frames follow from one another; what comes after does not.

    clip ── cuts, as dreaming finds them ──► scenes, several at once ── some frames at a time ──► frames in order

A worker is sent frames of a scene and where the scene stands, and sends back dreamt frames and where it stands then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.optical_flow import FLOW_SIDE, Luminance, follow, luminance, opencv
from phosphene.loops.parts import Asked, Crew, pause
from phosphene.loops.step import State, Step
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.loops.video import InputFrame, given_of, video_steps
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe.films import VideoSettings
from phosphene.recipe.keyframes import Keys, Track
from phosphene.resampling import resize
from phosphene.types import Image, Size

AT_ONCE = 8
"""Frames that a worker is sent at a time."""

HELD = 2 << 30
"""Bytes that frames may take which are read and not yet written."""

COPIES = 3
"""Of a frame, the dreamt one and the state after it, in pictures."""


def video_in_scenes(
    schedule: TargetSchedule,
    clip: Iterable[InputFrame],
    settings: VideoSettings,
    *,
    size: Size,
    arithmetic: Arithmetic,
    crew: Crew,
    precision: str,
    tile: int | Literal["auto"],
    frames: int | None = None,
    state: State | None = None,
) -> Iterator[Step]:
    """Dream on the frames of a clip as `video_steps` does, to the same bytes, with workers for several scenes at once.

    Args:
        schedule, clip, settings, size, arithmetic, frames, state: see `video_steps`.
        crew: the workers.
        precision, tile: those of the engine.

    Raises:
        WorkerError: for frames that fail every time.
    """
    opencv()
    own = Common(settings, size, arithmetic, precision, tile, frames)
    scenes = _Scenes(iter(clip), schedule, own, state)
    asked: dict[int, Asked] = {}
    while scenes.several:
        has_read = scenes.read(crew.count - len(asked))
        for scene in scenes.idle():
            if len(asked) < crew.count:
                asked[scene.number] = crew.begin(scene.task(schedule, own))
        ready = [number for number, each in asked.items() if each.ready()]
        for number in ready:
            scenes.take(number, asked.pop(number)())
        yield from scenes.finished()
        if not ready and not has_read:
            pause()


@dataclass(frozen=True)
class Common:
    """What all scenes have in common, as data."""

    settings: VideoSettings
    size: Size
    arithmetic: Arithmetic
    precision: str
    tile: int | Literal["auto"]
    frames: int | None


@dataclass(frozen=True)
class _Source:
    """A frame of the clip, in the film's size."""

    index: int
    pts: int
    duration: int
    time: Fraction
    image: Image


@dataclass(frozen=True)
class Take:
    """Some frames of a scene, as data; `state` is that after the frame before, None for a new scene."""

    sources: tuple[InputFrame, ...]
    keys: Keys[Objective]
    weights: Track | None
    own: Common
    lengths: Tensor | None
    state: State | None

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"the frames from {self.sources[0].index + 1}"

    def run(self, net: Net) -> list[Step]:
        """Return the dreamt frames."""
        own = self.own
        engine = Engine(net, self.keys.values[0], precision=own.precision, tile=own.tile)
        steps = video_steps(
            TargetSchedule(engine, self.keys, self.weights),
            self.sources,
            own.settings,
            size=own.size,
            arithmetic=own.arithmetic,
            frames=own.frames,
            lengths=self.lengths,
            state=self.state,
        )
        return list(steps)


@dataclass
class _Scene:
    """A scene: frames that are to be dreamt on, where it stands, and dreamt frames that are to be yielded."""

    number: int
    state: State | None
    lengths: Tensor | None
    waiting: deque[InputFrame] = field(default_factory=deque)
    done: deque[Step] = field(default_factory=deque)
    is_asked: bool = False
    is_whole: bool = False

    def task(self, schedule: TargetSchedule, own: Common) -> Take:
        """Return the next frames as a task."""
        self.is_asked = True
        sources = tuple(self.waiting.popleft() for _ in range(min(AT_ONCE, len(self.waiting))))
        return Take(sources, schedule.keys, schedule.weights, own, self.lengths, self.state)


class _Scenes:
    """The scenes that are read and not yet yielded, in order."""

    def __init__(self, clip: Iterator[InputFrame], schedule: TargetSchedule, own: Common, state: State | None) -> None:
        self._clip, self._schedule, self._own = clip, schedule, own
        self._last: Luminance | None = None if state is None else state["last"]
        self._lengths: Tensor | None = None if state is None else state["lengths"]
        self._count = 1
        self._most = max(2 * AT_ONCE, HELD // (COPIES * 3 * 4 * own.size[0] * own.size[1]))
        self.several = [_Scene(0, state, self._lengths)]

    def read(self, idle: int) -> bool:
        """Read a frame, if there is room and more workers are idle than there is work for; return whether it has."""
        if not self.several or self.several[-1].is_whole or len(self.idle()) >= idle or self._held >= self._most:
            return False
        source = next(self._clip, None)
        if source is None:
            self.several[-1].is_whole = True
        else:
            self._take_in(source)
        return True

    def idle(self) -> list[_Scene]:
        """Return the scenes of which a worker can be sent frames now."""
        full = self._held >= self._most
        return [
            scene
            for scene in self.several
            if not scene.is_asked and scene.waiting and (scene.is_whole or full or len(scene.waiting) >= AT_ONCE)
        ]

    def take(self, number: int, steps: list[Step]) -> None:
        """Take in what a worker has dreamt."""
        scene = next(each for each in self.several if each.number == number)
        scene.done.extend(steps)
        scene.state, scene.is_asked = steps[-1].state, False

    def finished(self) -> Iterator[Step]:
        """Yield the frames that are dreamt, in order, and forget scenes that are complete."""
        while self.several:
            scene = self.several[0]
            while scene.done:
                yield scene.done.popleft()
            if not scene.is_whole or scene.waiting or scene.is_asked:
                return
            self.several.pop(0)

    @property
    def _held(self) -> int:
        return sum(len(scene.waiting) + len(scene.done) + AT_ONCE * scene.is_asked for scene in self.several)

    def _take_in(self, source: InputFrame) -> None:
        """Add a frame to the last scene, or to a new one if there is a cut before it."""
        size = self._own.size
        small = _Source(source.index, source.pts, source.duration, source.time, resize(source.image, size).clamp(0, 1))
        given = given_of(small, size, self._own.settings)
        if self._lengths is None:
            self._lengths = self.several[-1].lengths = self._schedule.measure(given)
        now = luminance(given, FLOW_SIDE)
        if self._last is not None and follow(now, self._last, size).cut:
            self.several[-1].is_whole = True
            self.several.append(_Scene(self._count, None, self._lengths))
            self._count += 1
        self._last = now
        self.several[-1].waiting.append(small)
