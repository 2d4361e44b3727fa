"""The endless zoom: each frame is the dream of the last one, moved (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

    moved <- the last frame, magnified, rotated and shifted a little
    level <- moved, its sharpness, contrast and colours brought back towards those that the zoom began with
    frame <- a short dream on level, in octaves

What keeps it from melting or burning out is `phosphene.loops.levels`. The levels are those of a rehearsal: the first
picture, dreamt on for a while without moving.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.colour import COVARIANCE_ROOT, MEAN
from phosphene.canvas.symmetric import symmetrise
from phosphene.loops import dream
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import dreamt
from phosphene.loops.levels import Levels, keep_level, measure
from phosphene.loops.step import Frame, State, Step, number
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.recipe.films import ZOOM_SECONDS, ZoomSettings
from phosphene.recipe.keyframes import Track, at, read_track, smoothstep
from phosphene.resampling import resize
from phosphene.types import Image, Size

REHEARSAL = 12
"""Frames of the rehearsal: about as many as a new detail needs to be fully dreamt."""

CLOSING = 3.0
"""Seconds at the end of a looped zoom in which its beginning returns, or half of the film if that is shorter."""

FEATHER = 0.3
"""How softly the first frame's edge is blended while it returns, as a share of half the picture."""


@dataclass(frozen=True)
class _Path:
    """The camera's path: the settings, read once."""

    frames: int
    fps: Fraction
    speed: Track
    spin: Track
    drift: Track
    intensity: Track

    @classmethod
    def of(cls, settings: ZoomSettings) -> _Path:
        fps = Fraction(settings.fps)
        speed, spin, drift = read_track(settings.speed), read_track(settings.spin), read_track(settings.drift, 2)
        return cls(frame_count(settings), fps, speed, spin, drift, read_track(settings.intensity))

    def motion(self, index: int, size: Size) -> Tensor:
        """Return what maps places in frame `index + 1` to places in frame `index`, at the speed midway between."""
        time = float((index + Fraction(1, 2)) / self.fps)
        seconds = float(1 / self.fps)
        (speed,), (spin,), (right, down) = at(self.speed, time), at(self.spin, time), at(self.drift, time)
        angle, scale = math.radians(spin * seconds), speed**-seconds
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        x, y = right * seconds * size[1], down * seconds * size[0]
        return torch.tensor([[cosine, -sine, x], [sine, cosine, y], [0.0, 0.0, 1.0]], dtype=torch.float64)


@dataclass(frozen=True)
class _Trip:
    """Where a zoom stands: `index` frames are done, `image` is the last; `first` is the first, if it is to return."""

    index: int
    image: Image
    levels: Levels
    lengths: Tensor
    first: Image | None

    def state(self) -> State:
        levels = self.levels
        state = {
            "index": number(self.index),
            "image": self.image,
            "stds": levels.stds,
            "mean": levels.mean,
            "root": levels.root,
            "lengths": self.lengths,
        }
        return state if self.first is None else {**state, "first": self.first}

    @classmethod
    def of(cls, state: State) -> _Trip:
        levels = Levels(state["stds"], state["mean"], state["root"])
        return cls(int(state["index"]), state["image"], levels, state["lengths"], state.get("first"))


def frame_count(settings: ZoomSettings) -> int:
    """Return how many frames the zoom has."""
    return max(1, round((settings.seconds or ZOOM_SECONDS) * Fraction(settings.fps)))


def pixels_seen(size: Size, settings: ZoomSettings) -> int:
    """Return how many pixels the network sees in a zoom of this size, the rehearsal included."""
    return (REHEARSAL + frame_count(settings)) * dream.pixels_seen(size, settings)


def zoom_steps(
    schedule: TargetSchedule,
    image: Image,
    settings: ZoomSettings,
    *,
    arithmetic: Arithmetic,
    natural: bool = False,
    state: State | None = None,
) -> Iterator[Step]:
    """Travel into `image`, yielding a step for each frame of the rehearsal and for each frame of the film.

    Args:
        schedule: the objectives.
        image: 1 3 h w.
        settings: those of the recipe, with a number of octaves.
        arithmetic: the RNGs, which also hold the seed.
        natural: whether to keep the colours of natural images instead of those of `image`, for noise.
        state: a step's `state`, to continue after it, to the same bytes.
    """
    path = _Path.of(settings)
    if settings.symmetry is not None:
        image = symmetrise(image, settings.symmetry)
    if state is None or "rehearsed" in state:
        for step in _rehearse(schedule, image, settings, arithmetic, path.frames, state):
            state = step.state
            yield step
        assert state is not None, "there is a rehearsal"
        trip = _begin(image, state, settings, natural)
    else:
        trip = _Trip.of(state)
        schedule.use(trip.lengths)
    for index in range(trip.index, path.frames):
        time = float(index / path.fps)
        picture = trip.image
        if index:
            motion = path.motion(index - 1, (picture.shape[-2], picture.shape[-1]))
            picture = moved(picture, motion, settings.resampling)
            picture = keep_level(picture, trip.levels, settings.level)
        if trip.first is not None:
            picture = _returning(picture, trip.first, index, path)
        score = 0.0
        if index or not settings.loop:  # a looped zoom begins with the end of its rehearsal
            here = dream.stepping(settings, at(path.intensity, time)[0])
            picture, score = dreamt(schedule.at(time), picture, here, arithmetic=arithmetic.at("frame", index))
        first = picture if settings.loop and not index else trip.first
        trip = replace(trip, index=index + 1, image=picture, first=first)
        yield Step(
            stage="frame",
            step=index + 1,
            steps=path.frames,
            progress=(REHEARSAL + index + 1) / (REHEARSAL + path.frames),
            image=picture,
            scores=torch.tensor([score]),
            state=trip.state(),
            frame=Frame(index, time),
        )


def moved(image: Tensor, motion: Tensor, resampling: str = "bicubic") -> Tensor:
    """Return the picture (1 c h w) seen through `motion`, which maps places in the new picture to the old one.

    Places are (x, y, 1) in pixels from the centre; outside of the picture it is mirrored.
    """
    if torch.equal(motion, torch.eye(3, dtype=motion.dtype)):
        return image
    height, width = image.shape[-2:]
    sides = torch.diag(torch.tensor([width / 2, height / 2, 1.0], dtype=motion.dtype))
    rows = (torch.linalg.inv(sides) @ motion @ sides)[:2].to(image)
    grid = F.affine_grid(rows[None], [1, 1, height, width], align_corners=False)
    mode = "bilinear" if resampling == "linear" else "bicubic"
    seen = F.grid_sample(image, grid, mode=mode, padding_mode="reflection", align_corners=False)
    return seen.clamp_(0, 1)


def _rehearse(
    schedule: TargetSchedule,
    image: Image,
    settings: ZoomSettings,
    arithmetic: Arithmetic,
    frames: int,
    state: State | None,
) -> Iterator[Step]:
    """Dream on the first picture for a while without moving."""
    if state is None:
        lengths, first = schedule.measure(image), 0
    else:
        lengths, first, image = state["lengths"], int(state["rehearsed"]), state["image"]
        schedule.use(lengths)
    for index in range(first, REHEARSAL):
        here = arithmetic.at("frame", -1 - index)
        image, score = dreamt(schedule.at(0.0), image, settings, arithmetic=here)
        yield Step(
            stage="rehearsal",
            step=index + 1,
            steps=REHEARSAL,
            progress=(index + 1) / (REHEARSAL + frames),
            image=image,
            scores=torch.tensor([score]),
            state={"rehearsed": number(index + 1), "image": image, "lengths": lengths},
        )


def _begin(begun: Image, rehearsed: State, settings: ZoomSettings, natural: bool) -> _Trip:
    """Return where the zoom stands after its rehearsal."""
    still, image = measure(begun), rehearsed["image"]
    if natural:
        root = torch.tensor(COVARIANCE_ROOT)
        values, vectors = torch.linalg.eigh(root @ root.T)
        still = replace(still, mean=torch.tensor(MEAN), root=vectors @ torch.diag(values.sqrt()) @ vectors.T)
    levels = measure(image)
    levels = replace(levels, mean=still.mean, root=still.root * (_contrast(levels) / _contrast(still)))
    return _Trip(0, image if settings.loop else begun, levels, rehearsed["lengths"], None)


def _contrast(levels: Levels) -> Tensor:
    return levels.root.square().sum().sqrt()


def _returning(image: Image, first: Image, index: int, path: _Path) -> Image:
    """Blend the first frame into the picture so that it fills the screen when the zoom begins again.

    The first frame is shown where the remaining motion will bring it onto the screen.
    """
    closing = min(CLOSING, float(path.frames / path.fps) / 2)
    done, before = (1 - (path.frames - each) / float(path.fps) / closing for each in (index, index - 1))
    if done <= 0:
        return image
    height, width = image.shape[-2:]
    motion = torch.eye(3, dtype=torch.float64)
    for later in range(index, path.frames):
        motion = motion @ path.motion(later, (height, width))
    back = torch.linalg.inv(motion)
    shrunk = max(1.0, float(torch.linalg.det(back[:2, :2]).abs().sqrt()))
    small = (max(1, round(height / shrunk)), max(1, round(width / shrunk)))
    # A picture that appears smaller is first shrunk without aliasing, then enlarged to where it stands.
    seen = moved(resize(resize(first, small), (height, width)).clamp(0, 1), back)
    whole, earlier = smoothstep(done), smoothstep(max(0.0, before))
    pull = (whole - earlier) / (1 - earlier)
    return image.lerp(seen, pull * _inside(back, (height, width), soft=FEATHER * (1 - done)))


def _inside(motion: Tensor, size: Size, soft: float) -> Tensor:
    """Return 1 where `motion` leads into the picture, 0 where it leads out, blended along the edge."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    places = torch.stack((x, y, torch.ones_like(x))).flatten(1).to(motion)
    across, down, _ = (motion @ places).float()
    margin = torch.minimum(1 - across.abs() * 2 / width, 1 - down.abs() * 2 / height).view(1, 1, height, width)
    return (margin / max(soft, 1e-3)).clamp(0, 1)
