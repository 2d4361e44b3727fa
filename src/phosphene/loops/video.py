"""Dreaming on a clip without flicker: what was dreamt in a frame is carried along by the clip's motion.

    detail <- what was dreamt on the last frame, moved along the flow to where things are now;
              nothing where something has come into view, or all is new after a cut
    frame  <- a short dream on the new frame + detail, of which only a part is taken where the detail is ripe
    detail <- frame - new frame, no stronger and no other in colour than when the scene began

Only what was dreamt is moved, not the picture: the clip's own frames stay as sharp, and move as smoothly, as they are.
After Ruder, Dosovitskiy and Brox, "Artistic style transfer for videos" (GCPR 2016), who begin each frame with the
last one, warped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.loops.dream import DreamSettings, dreamt, resize
from phosphene.loops.frames import Frame, Targets, seed_of
from phosphene.loops.optical_flow import Luminance, follow, luminance, opencv, warp
from phosphene.loops.step import State, number
from phosphene.types import Image, Size

SHAPES = 8
"""Of this many frames each has another jitter, and then again: chance that is drawn anew for each frame would make
what is dreamt tremble, and a single one would show the network's grid."""


CONFIDENCE_GAIN = 0.2
"""How much of what it lacks a place that came into view ripens in each frame."""

NEW_REGION_GAIN = 2.0
"""How much of the short dream is taken where nothing has been dreamt yet, so that such places catch up."""


@runtime_checkable
class Source(Protocol):
    """A frame of the clip: its number among those taken, when and how long it is shown, and the picture (1 3 h w)."""

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
class ClipSettings:
    """How a clip is dreamt on.

    `keep` is how much of what was dreamt in a frame is kept in the next, 0 to below 1. A scene's first frame
    gets `first_steps` in each octave, later ones what `dream` says, of which `renew` is the share that is taken,
    above 0 to 1: less is steadier. Raises `SettingError` for a value out of its range.
    """

    size: Size
    keep: float
    renew: float
    first_steps: int
    dream: DreamSettings

    def __post_init__(self) -> None:
        if not 0 <= self.keep < 1:
            raise SettingError(f"keep must be from 0 to below 1, but is {self.keep}", setting="keep", value=self.keep)
        if not 0 < self.renew <= 1:
            raise SettingError(f"renew must be above 0 to 1, but is {self.renew}", setting="renew", value=self.renew)


@dataclass(frozen=True)
class _Scene:
    """Where a scene stands: the last frame's luminance, what was dreamt on it, and how `ripe` that is everywhere, from
    0 to 1; and, of the scene's first frame, how strong that was (its deviation) and its mean colour. `lengths` are the
    targets'."""

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
            "ripe": self.confidence,
            "strength": self.strength,
            "colour": self.colour,
            "lengths": self.lengths,
        }

    @classmethod
    def of(cls, state: State) -> _Scene:
        kept = (state[name] for name in ("last", "detail", "ripe", "strength", "colour", "lengths"))
        return cls(int(state["index"]), *kept)


def clip_frames(
    targets: Targets,
    sources: Iterable[Source],
    settings: ClipSettings,
    *,
    frames: int | None = None,
    state: State | None = None,
) -> Iterator[Frame]:
    """Dream on the frames of a clip, yielding each when it is finished.

    `frames` is how many there will be, if that is known. With the `state` of a frame it goes on behind that one, and
    `sources` begins with the one behind it too. Raises `MissingExtraError` without OpenCV.
    """
    opencv()
    scene = None if state is None else _Scene.of(state)
    begin: Fraction | None = None
    for source in sources:
        begin = source.time if begin is None else begin
        given = resize(source.image, settings.size).clamp(0, 1)
        lengths = targets.weigh(given) if scene is None else scene.lengths
        targets.take(lengths)
        now = luminance(given)
        carried = None if scene is None else _carried(scene, now, settings)
        if carried is None:  # a scene begins
            image, score = _dream(targets, given, source, settings, settings.first_steps)
            scene = _opened(image, given, source.index, now, lengths)
        else:
            image, score = _dream(targets, (given + carried.detail).clamp(0, 1), source, settings, settings.dream.steps)
            image, scene = _levelled(image, given, carried, settings)
        yield Frame(
            image,
            source.index,
            frames or 0,
            float(source.time),
            score,
            scene.state(),
            pts=source.pts,
            duration=source.duration,
        )


def _carried(scene: _Scene, now: Luminance, settings: ClipSettings) -> _Scene | None:
    """What was dreamt, moved to where things are `now`; None if this is another scene."""
    motion = follow(now, scene.last, settings.size)
    if motion.cut:
        return None
    detail = warp(scene.detail, motion.flow) * motion.known * settings.keep
    confidence = warp(scene.confidence, motion.flow).clamp_(0, 1) * motion.known
    return replace(scene, index=scene.index + 1, last=now, detail=detail, confidence=confidence)


def _dream(targets: Targets, image: Image, source: Source, settings: ClipSettings, steps: int) -> tuple[Image, float]:
    dream = replace(settings.dream, steps=steps, seed=seed_of(settings.dream.seed, source.index % SHAPES))
    return dreamt(targets.at(float(source.time)), image, dream)


def _opened(image: Image, given: Image, index: int, now: Luminance, lengths: Tensor) -> _Scene:
    detail = image - given
    colour = detail.mean(dim=(2, 3), keepdim=True)
    return _Scene(index + 1, now, detail, torch.ones_like(detail[:, :1]), detail.std(correction=0), colour, lengths)


def _levelled(image: Image, given: Image, carried: _Scene, settings: ClipSettings) -> tuple[Image, _Scene]:
    """The frame, of whose dream as much is taken as places are young, and no more than when the scene began."""
    begun = (given + carried.detail).clamp(0, 1)
    share = NEW_REGION_GAIN + (settings.renew - NEW_REGION_GAIN) * carried.confidence
    detail = begun + (image - begun) * share - given
    strength, colour = detail.std(correction=0), detail.mean(dim=(2, 3), keepdim=True)
    gain = (carried.strength / strength.clamp_min(1e-6)).clamp(max=1)
    image = ((detail - colour) * gain + carried.colour + given).clamp_(0, 1)
    confidence = carried.confidence + CONFIDENCE_GAIN * (1 - carried.confidence)
    return image, replace(carried, detail=image - given, confidence=confidence)
