"""The endless zoom: each frame is the dream of the last one, moved (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

    moved <- the last frame, enlarged, turned and shifted a little
    level <- moved, its sharpness, contrast and colours brought back towards those that the trip began with
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
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.dream import DreamSettings, dreamt, resize
from phosphene.loops.frames import Frame, Targets, seed_of
from phosphene.loops.levels import Levels, keep_level, measure
from phosphene.loops.step import State, number
from phosphene.recipe.keyframes import Track, at
from phosphene.types import Image, Size

REHEARSAL = 12
"""Frames of the rehearsal: about as many as a new detail needs to be fully dreamt."""

CLOSING = 3.0
"""Seconds at the end of a closed trip in which its beginning comes back, or half of the trip if that is shorter."""

FEATHER = 0.3
"""Of half the picture: how softly the first frame's edge is blended while it comes back."""


@dataclass(frozen=True)
class ZoomSettings:
    """How a trip goes.

    `speed` is how many times larger things grow within a second, `spin` degrees a second, anticlockwise, `drift` how
    far the camera moves to the right and down within a second, as shares of the picture's width and height. `level`
    is how much of the way back to the first levels each frame goes, 0 to 1. With `loop` the film's last frame leads
    to its first. `dream` is how each frame is dreamt on.

    Raises `SettingError` for a value out of its range.
    """

    frames: int
    fps: Fraction
    speed: Track
    spin: Track
    drift: Track
    loop: bool
    level: float
    dream: DreamSettings

    def __post_init__(self) -> None:
        if self.frames < 1 or self.fps <= 0:
            raise SettingError(f"a trip must have 1 frame or more, but has {self.frames}", setting="seconds")
        if not all(0 < value[0] < math.inf for value in self.speed.values):
            raise SettingError("speed must be above 0: above 1 to go in, below 1 to go out", setting="speed")
        if not 0 <= self.level <= 1:
            raise SettingError(f"level must be from 0 to 1, but is {self.level}", setting="level", value=self.level)


@dataclass(frozen=True)
class _Trip:
    """Where a trip stands: `index` frames are done, of which `image` is the last; `first` is its first, if it is to
    be come back to."""

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
            "deviations": levels.stds,
            "mean": levels.mean,
            "root": levels.root,
            "lengths": self.lengths,
        }
        return state if self.first is None else {**state, "first": self.first}

    @classmethod
    def of(cls, state: State) -> _Trip:
        levels = Levels(state["deviations"], state["mean"], state["root"])
        return cls(int(state["index"]), state["image"], levels, state["lengths"], state.get("first"))


def zoom_frames(
    targets: Targets, begun: Image, settings: ZoomSettings, *, natural: bool = False, state: State | None = None
) -> Iterator[Frame]:
    """Travel into `begun` (1 3 h w), yielding each frame when it is finished.

    `natural` keeps to the colours of natural pictures in place of those of `begun`, as for noise, which has none. With
    the `state` of a frame it goes on behind that one.
    """
    trip = _begin(targets, begun, settings, natural) if state is None else _Trip.of(state)
    targets.take(trip.lengths)
    for index in range(trip.index, settings.frames):
        time = float(index / settings.fps)
        image = trip.image
        if index:
            motion = _motion(settings, index - 1, (image.shape[-2], image.shape[-1]))
            image = moved(image, motion, settings.dream.resampling)
            image = keep_level(image, trip.levels, settings.level)
        if trip.first is not None:
            image = _coming_back(image, trip.first, index, settings)
        score = 0.0
        if index or not settings.loop:  # a closed trip begins with the end of its rehearsal
            image, score = _dream(targets.at(time), image, settings, index)
        trip = replace(trip, index=index + 1, image=image, first=image if settings.loop and not index else trip.first)
        yield Frame(image, index, settings.frames, time, score, trip.state())


def moved(image: Tensor, motion: Tensor, resampling: str = "bicubic") -> Tensor:
    """The picture (1 c h w) seen through `motion`, which takes places in the new picture to places in the old one.

    Places are (x, y, 1) in pixels from the middle; what comes in from outside is the picture mirrored.
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


def _begin(targets: Targets, begun: Image, settings: ZoomSettings, natural: bool) -> _Trip:
    lengths = targets.weigh(begun)
    image = begun
    still = measure(begun)
    if natural:
        root = torch.tensor(COVARIANCE_ROOT)
        values, vectors = torch.linalg.eigh(root @ root.T)
        still = replace(still, mean=torch.tensor(MEAN), root=vectors @ torch.diag(values.sqrt()) @ vectors.T)
    for rehearsed in range(REHEARSAL):
        image, _ = _dream(targets.at(0.0), image, settings, -1 - rehearsed)
    levels = measure(image)
    levels = replace(levels, mean=still.mean, root=still.root * (_contrast(levels) / _contrast(still)))
    return _Trip(0, image if settings.loop else begun, levels, lengths, None)


def _contrast(levels: Levels) -> Tensor:
    return levels.root.square().sum().sqrt()


def _dream(engine: Engine, image: Image, settings: ZoomSettings, index: int) -> tuple[Image, float]:
    dream = replace(settings.dream, seed=seed_of(settings.dream.seed, index))
    return dreamt(engine, image, dream)


def _motion(settings: ZoomSettings, index: int, size: Size) -> Tensor:
    """From places in frame `index + 1` to places in frame `index`; the speeds are those midway between the two."""
    time = float((index + Fraction(1, 2)) / settings.fps)
    seconds = float(1 / settings.fps)
    (speed,), (spin,), (right, down) = at(settings.speed, time), at(settings.spin, time), at(settings.drift, time)
    angle, scale = math.radians(spin * seconds), speed**-seconds
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    x, y = right * seconds * size[1], down * seconds * size[0]
    return torch.tensor([[cosine, -sine, x], [sine, cosine, y], [0.0, 0.0, 1.0]], dtype=torch.float64)


def _coming_back(image: Image, first: Image, index: int, settings: ZoomSettings) -> Image:
    """The picture, into which the first frame grows so that it fills the screen when the trip begins again.

    What is seen of the first frame is what the trip's remaining motion will bring onto the screen.
    """
    closing = min(CLOSING, float(settings.frames / settings.fps) / 2)
    done, before = (1 - (settings.frames - each) / float(settings.fps) / closing for each in (index, index - 1))
    if done <= 0:
        return image
    height, width = image.shape[-2:]
    motion = torch.eye(3, dtype=torch.float64)
    for later in range(index, settings.frames):
        motion = motion @ _motion(settings, later, (height, width))
    back = torch.linalg.inv(motion)
    shrunk = max(1.0, float(torch.linalg.det(back[:2, :2]).abs().sqrt()))
    small = (max(1, round(height / shrunk)), max(1, round(width / shrunk)))
    # A picture that is seen shrunk is shrunk before, without aliasing, and enlarged to where it stands.
    seen = moved(resize(resize(first, small), (height, width)).clamp(0, 1), back)
    whole, earlier = _ease(done), _ease(max(0.0, before))
    pull = (whole - earlier) / (1 - earlier)
    return image.lerp(seen, pull * _inside(back, (height, width), soft=FEATHER * (1 - done)))


def _inside(motion: Tensor, size: Size, soft: float) -> Tensor:
    """1 where `motion` leads into the picture, 0 where it leads out, and between them along its edge."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    places = torch.stack((x, y, torch.ones_like(x))).flatten(1).to(motion)
    across, down, _ = (motion @ places).float()
    margin = torch.minimum(1 - across.abs() * 2 / width, 1 - down.abs() * 2 / height).view(1, 1, height, width)
    return (margin / max(soft, 1e-3)).clamp(0, 1)


def _ease(share: float) -> float:
    return share * share * (3 - 2 * share)
