"""Dreaming: gradient ascent on a picture, octave by octave (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

    for each octave, smallest first:
        x <- photograph at this size + detail so far, enlarged
        repeat: roll x by a random jitter; g <- shaped gradient of the objective; x <- x + step * g; roll back
        detail <- x - photograph at this size

The photograph itself is never enlarged, so it stays sharp; only what was dreamt is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.colour import step_matrix
from phosphene.errors import SettingError, UnknownNameError
from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import shapings, weigh_colours
from phosphene.loops.step import StillStep as Step
from phosphene.types import Image, Size

SMALLEST_OCTAVE = 120
"""Shorter side in pixels of the smallest octave that is chosen by itself: shapes of the size that the network sees
(64 to 150 pixels) then span the picture at least once."""

RESAMPLINGS = ("bicubic", "linear")
"""How octaves are made: bicubic and antialiased, each from the photograph; or as in the 2015 notebook, each from the
next larger one, linearly between corner pixels and not antialiased."""


@dataclass(frozen=True)
class DreamSettings:
    """How a photograph is dreamt on.

    `octaves` sizes, each `octave_scale` times the one before, `steps` in each. A step moves a pixel by `step_size` of
    the range from black to white on average. Before each step the picture is rolled by up to `jitter` pixels.
    `shaping` names one of `phosphene.gradients.shaping.shapings`. `natural_colour` is how much the step follows the
    colours of natural pictures, 0 not at all. `headroom` is the distance to black or white, as a share of the range, at
    which a step is halved, so that dreams do not clip; 0 for hard clipping. `resampling` is one of
    `RESAMPLINGS`. All chance is drawn from `seed`. The defaults of all stand in `phosphene.recipe.DreamRecipe`.

    Raises `SettingError` for a value out of its range.
    """

    octaves: int
    octave_scale: float
    steps: int
    step_size: float
    jitter: int
    shaping: str
    natural_colour: float
    headroom: float
    resampling: str
    seed: int

    def __post_init__(self) -> None:
        _check("octaves", self.octaves, self.octaves >= 1, "at least 1")
        _check("octave_scale", self.octave_scale, 1 < self.octave_scale < math.inf, "more than 1")
        _check("steps", self.steps, self.steps >= 0, "at least 0")
        _check("step_size", self.step_size, 0 <= self.step_size < math.inf, "0 or more")
        _check("jitter", self.jitter, self.jitter >= 0, "at least 0")
        _check("natural_colour", self.natural_colour, 0 <= self.natural_colour <= 4, "from 0 to 4")
        _check("headroom", self.headroom, 0 <= self.headroom <= 1, "from 0 to 1")
        if self.resampling not in RESAMPLINGS:
            raise UnknownNameError("resampling", self.resampling, RESAMPLINGS)
        shapings[self.shaping]  # an unknown name is answered with the nearest


@dataclass(frozen=True)
class DreamState:
    """Where a dream stands: `image` has had `step` steps in `octave`."""

    octave: int
    step: int
    image: Image


def choose_octaves(size: Size, octave_scale: float) -> int:
    """As many octaves as bring the shorter side down to `SMALLEST_OCTAVE`, at least one."""
    return 1 + max(0, math.floor(math.log(min(size) / SMALLEST_OCTAVE, octave_scale)))


def octave_sizes(size: Size, octaves: int, octave_scale: float) -> list[Size]:
    """The sizes of the octaves, smallest first; the last is `size`.

    >>> octave_sizes((100, 200), 3, 2.0)
    [(25, 50), (50, 100), (100, 200)]
    """
    scales = [octave_scale**power for power in reversed(range(octaves))]
    return [(max(1, round(size[0] / scale)), max(1, round(size[1] / scale))) for scale in scales]


def octave_steps(
    engine: Engine, photo: Image, settings: DreamSettings, *, state: DreamState | None = None
) -> Iterator[Step]:
    """Dream on `photo`, yielding after every step; the last step's image is the dream at full size.

    All of it is done on the engine's device, with nothing that would make the host wait for a graphics card.

    With `state` from one of its steps, goes on behind that step and yields the same bytes as if it had never stopped.
    With zero steps it yields nothing: the dream is the photo.
    """
    bases = _Bases(photo.to(engine.device), settings)
    sizes = bases.sizes
    costs = [math.prod(size) for size in sizes]
    matrix = step_matrix(settings.natural_colour)
    detail: Tensor | None = None
    for octave, size in enumerate(sizes):
        if state is not None and octave < state.octave:
            continue
        base = bases(octave)
        first = 0
        if state is not None and octave == state.octave:
            first, image = state.step, state.image.to(engine.device)
        elif detail is None:
            image = base
        else:
            image = resize(detail, size, settings.resampling).add_(base)
            if settings.headroom:
                image.clamp_(0, 1)
        for step in range(first, settings.steps):
            shift = _jitter(settings, octave, step)
            scores, gradient = engine(torch.roll(image, shift, dims=(2, 3)))
            gradient = torch.roll(gradient, (-shift[0], -shift[1]), dims=(2, 3))
            gradient = shapings[settings.shaping](weigh_colours(gradient, matrix))
            image = ascend(image, gradient, settings.step_size, settings.headroom)
            done = sum(costs[:octave]) * settings.steps + costs[octave] * (step + 1)
            yield Step(
                image=image,
                scores=scores,
                octave=octave,
                octaves=settings.octaves,
                step=step + 1,
                steps=settings.steps,
                progress=done / (sum(costs) * settings.steps),
                state=DreamState(octave, step + 1, image),
            )
        detail = image - base


def dreamt(engine: Engine, photo: Image, settings: DreamSettings) -> tuple[Image, float]:
    """The whole of `octave_steps`: the dream, where the photo is, and the mean score of its steps."""
    image, scores = photo, []
    for step in octave_steps(engine, photo, settings):
        image = step.image
        scores.append(step.scores.mean())
    return image.to(photo.device), float(torch.stack(scores).mean()) if scores else 0.0


class _Bases:
    """The photograph at the sizes of the octaves."""

    def __init__(self, photo: Image, settings: DreamSettings) -> None:
        size = (photo.shape[-2], photo.shape[-1])
        self._photo = photo
        self._linear = settings.resampling == "linear"
        self.sizes = octave_sizes(size, settings.octaves, settings.octave_scale)
        if self._linear:
            self.sizes = [size]
            while len(self.sizes) < settings.octaves:
                smaller = [max(1, round(side / settings.octave_scale)) for side in self.sizes[0]]
                self.sizes.insert(0, (smaller[0], smaller[1]))

    def __call__(self, octave: int) -> Image:
        if not self._linear:
            return resize(self._photo, self.sizes[octave])
        base = self._photo
        for size in reversed(self.sizes[octave:-1]):
            base = resize(base, size, "linear")
        return base


def ascend(image: Image, direction: Image, step_size: float, headroom: float) -> Image:
    """One step up: `image + step_size * direction`, clipped to [0, 1]. A new tensor.

    With `headroom` h > 0 a step at distance d from the end of the range that it goes to is d (1 + h) / (d + h) as long:
    all of it at the other end, half of it about h away, nothing at the end itself.
    """
    if headroom == 0:
        return torch.add(image, direction, alpha=step_size).clamp_(0, 1)
    # In planes, so that the temporaries of a large canvas stay a fraction of it.
    moved = torch.empty_like(image)
    planes = zip(image.flatten(0, 1), direction.flatten(0, 1), moved.flatten(0, 1), strict=True)
    for pixels, step, out in planes:
        scaled = torch.where(step > 0, 1 - pixels, pixels)
        scaled.div_(scaled + headroom).mul_(step)
        torch.add(pixels, scaled, alpha=step_size * (1 + headroom), out=out).clamp_(0, 1)
    return moved


def resize(image: Tensor, size: Size, resampling: str = "bicubic") -> Tensor:
    """The picture at another size, by one of `RESAMPLINGS`. Itself where nothing changes."""
    if image.shape[-2:] == torch.Size(size):
        return image
    if resampling == "linear":
        return F.interpolate(image, size, mode="bilinear", align_corners=True)
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)


def _jitter(settings: DreamSettings, octave: int, step: int) -> tuple[int, int]:
    # Chance is a function of where the loop is, so that there is no hidden state to resume.
    rng = random.Random(f"{settings.seed}/{octave}/{step}")
    return rng.randint(-settings.jitter, settings.jitter), rng.randint(-settings.jitter, settings.jitter)


def _check(setting: str, value: float, holds: bool, wanted: str) -> None:
    if not holds:
        raise SettingError(f"{setting} must be {wanted}, but is {value}", setting=setting, value=value)
