"""Dreaming on a clip without flicker: what was dreamt in a frame is carried along by the clip's motion.

    detail <- what was dreamt on the last frame, moved along the flow to where things are now;
              nothing where something has come into view, or everywhere after a cut
    frame  <- a short dream on the new frame + detail, of which a part is used, more where confidence is low
    detail <- frame - new frame, no stronger and no other in colour than when the scene began

Only what was dreamt is moved, not the picture: the clip's own frames stay as sharp, and move as smoothly, as they are.
After Ruder, Dosovitskiy and Brox, "Artistic style transfer for videos" (GCPR 2016), who begin each frame with the
last one, warped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.symmetric import symmetrise
from phosphene.loops import dream
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.new_regions import catch_up, confidence_in
from phosphene.loops.optical_flow import FLOW_SIDE, Luminance, follow, luminance, opencv, warp
from phosphene.loops.step import Frame, State, Step, number
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.recipe.films import VideoSettings
from phosphene.recipe.keyframes import at, read_track
from phosphene.resampling import resize
from phosphene.types import Image, Size

JITTERS = 8
"""Frames after which the jitter repeats. New random numbers in each frame would make the dream tremble, and the same in
all would show the network's grid."""

CONFIDENCE_GAIN = 0.2
"""Version 1: share of the missing confidence that a new region gains in each frame."""

NEW_REGION_GAIN = 2.0
"""Share of the short dream that is applied where nothing has been dreamt yet."""


FRAME_COST = 2.0
"""Cost of a frame besides its dream, in pixels that the network sees per pixel: its flow, and new regions."""


@runtime_checkable
class InputFrame(Protocol):
    """A frame of the clip: its number among those used, when and how long it is shown, and the picture (1 3 h w)."""

    @property
    def index(self) -> int: ...
    @property
    def pts(self) -> int: ...
    @property
    def duration(self) -> int: ...
    @property
    def time(self) -> Fraction: ...
    @property
    def image(self) -> Image: ...


@dataclass(frozen=True)
class _Scene:
    """Where a scene stands.

    `last` is the last frame's luminance, `detail` what was dreamt on it, and `confidence` how far that has developed,
    from 0 to 1. `strength` (std) and `colour` (mean) are those of the detail on the scene's first frame. `lengths` are
    the targets'.
    """

    index: int
    last: Luminance
    detail: Image
    confidence: Float[Tensor, "1 1 h w"]
    strength: Tensor
    colour: Float[Tensor, "1 3 1 1"]
    lengths: Tensor

    def state(self) -> State:
        return {
            "index": number(self.index),
            "last": self.last,
            "detail": self.detail,
            "confidence": self.confidence,
            "strength": self.strength,
            "colour": self.colour,
            "lengths": self.lengths,
        }

    @classmethod
    def of(cls, state: State) -> _Scene:
        kept = (state[name] for name in ("last", "detail", "confidence", "strength", "colour", "lengths"))
        return cls(int(state["index"]), *kept)


def pixels_seen(size: Size, settings: VideoSettings, frames: int) -> float:
    """Return how many pixels the network sees in a clip of this many frames, without cuts, and the rest of its cost."""
    per_step = dream.pixels_seen(size, settings) / settings.steps
    return per_step * (settings.first_steps + settings.steps * (frames - 1)) + FRAME_COST * frames * math.prod(size)


def video_steps(
    schedule: TargetSchedule,
    clip: Iterable[InputFrame],
    settings: VideoSettings,
    *,
    size: Size,
    arithmetic: Arithmetic,
    frames: int | None = None,
    lengths: Tensor | None = None,
    state: State | None = None,
    flow_side: int = FLOW_SIDE,
) -> Iterator[Step]:
    """Dream on the frames of a clip, yielding a step for each.

    Args:
        schedule: the objectives.
        clip: its frames, from the first, or from the one after `state`.
        settings: those of the recipe, with a number of octaves.
        size: (height, width) of the film.
        arithmetic: the RNGs, which also hold the seed.
        frames: how many there will be, if that is known.
        lengths: those of the objectives' gradients; None to measure them on the first frame.
        state: a step's `state`, to continue after it, to the same bytes.
        flow_side: the longest side in pixels at which motion is found; less is faster.

    Raises:
        MissingExtraError: without OpenCV.
    """
    opencv()
    scene = None if state is None else _Scene.of(state)
    track = read_track(settings.intensity)
    for source in clip:
        given = given_of(source, size, settings)
        if scene is not None:
            lengths = scene.lengths
        elif lengths is None:
            lengths = schedule.measure(given)
        schedule.use(lengths)
        now = luminance(given, flow_side)
        carried = None if scene is None else _carried(scene, now, settings, size)
        (intensity,) = at(track, float(source.time))
        short = _Dream(schedule, settings, arithmetic, source, intensity)
        if carried is None:
            image, score = short(given, settings.first_steps)
            scene = _opened(image, given, source.index, now, lengths)
        else:
            image, score = short((given + carried.detail).clamp(0, 1), settings.steps)
            image = _levelled(image, given, carried, settings)
            image, scene = _continued(image, given, carried, short)
        yield Step(
            stage="frame",
            step=source.index + 1,
            steps=frames,
            progress=(source.index + 1) / frames if frames else 0.0,
            image=_shown(image, given, intensity),
            scores=torch.tensor([score]),
            state=scene.state(),
            frame=Frame(source.index, float(source.time), source.pts, source.duration),
        )


def given_of(source: InputFrame, size: Size, settings: VideoSettings) -> Image:
    """Return what is dreamt on: the frame in the film's size, made symmetric if that is asked for."""
    given = resize(source.image, size).clamp(0, 1)
    return given if settings.symmetry is None else symmetrise(given, settings.symmetry)


@dataclass(frozen=True)
class _Dream:
    """The short dream on one frame."""

    schedule: TargetSchedule
    settings: VideoSettings
    arithmetic: Arithmetic
    source: InputFrame
    intensity: float = 1.0

    def __call__(self, image: Image, steps: int) -> tuple[Image, float]:
        settings = dream.stepping(self.settings.model_copy(update={"steps": steps}), self.intensity)
        return dream.dreamt(self.schedule.at(float(self.source.time)), image, settings, arithmetic=self.here)

    @property
    def here(self) -> Arithmetic:
        """The RNGs of this frame."""
        return self.arithmetic.at("frame", self.source.index % JITTERS)


def _shown(image: Image, given: Image, intensity: float) -> Image:
    """Return the frame with what was dreamt on it as strong as `intensity` says; the next one goes on from `image`."""
    return image if intensity == 1 else (given + intensity * (image - given)).clamp(0, 1)


def _carried(scene: _Scene, now: Luminance, settings: VideoSettings, size: Size) -> _Scene | None:
    """Return the scene with what was dreamt moved to where things are `now`; None if this is another scene."""
    motion = follow(now, scene.last, size)
    if motion.cut:
        return None
    detail = warp(scene.detail, motion.flow) * motion.known * settings.keep
    confidence = warp(scene.confidence, motion.flow).clamp_(0, 1) * motion.known
    return replace(scene, index=scene.index + 1, last=now, detail=detail, confidence=confidence)


def _opened(image: Image, given: Image, index: int, now: Luminance, lengths: Tensor) -> _Scene:
    """Return the scene that begins with this frame."""
    detail = image - given
    colour = detail.mean(dim=(2, 3), keepdim=True)
    return _Scene(index + 1, now, detail, torch.ones_like(detail[:, :1]), detail.std(correction=0), colour, lengths)


def _levelled(image: Image, given: Image, carried: _Scene, settings: VideoSettings) -> Image:
    """Return the frame with more of its dream where confidence is low, and in all no more than when the scene began."""
    begun = (given + carried.detail).clamp(0, 1)
    share = NEW_REGION_GAIN + (settings.renew - NEW_REGION_GAIN) * carried.confidence
    detail = begun + (image - begun) * share - given
    strength, colour = detail.std(correction=0), detail.mean(dim=(2, 3), keepdim=True)
    scale = (carried.strength / strength.clamp_min(1e-6)).clamp(max=1)
    return ((detail - colour) * scale + carried.colour + given).clamp_(0, 1)


def _continued(image: Image, given: Image, carried: _Scene, short: _Dream) -> tuple[Image, _Scene]:
    """Return the finished frame, new regions dreamt on further, and where the scene stands after it."""
    if short.arithmetic.catches_up:
        engine = short.schedule.at(float(short.source.time))
        image = catch_up(engine, image, carried.confidence, short.settings, short.here)
        confidence = confidence_in(image - given, carried.confidence, carried.strength)
    else:
        confidence = carried.confidence + CONFIDENCE_GAIN * (1 - carried.confidence)
    return image, replace(carried, detail=image - given, confidence=confidence)
