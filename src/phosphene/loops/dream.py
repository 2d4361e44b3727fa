"""Dreaming: gradient ascent on a picture, octave by octave (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

`phosphene.loops.octaves` has the ascent itself: from octave to octave, the detail that was dreamt is enlarged and laid
on the photograph at the new size. The photograph itself is never enlarged, only the detail, so it stays sharp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.base import Canvas
from phosphene.canvas.pixels import PixelCanvas
from phosphene.canvas.symmetric import symmetric
from phosphene.errors import check
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.octaves import Bases, InMemory, octave_steps
from phosphene.loops.step import State, Step
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import resize
from phosphene.transforms import Draw, Transform, shift, with_margin
from phosphene.types import Image, Size

SMALLEST_OCTAVE = 120
"""Shorter side in pixels of the smallest octave that is chosen automatically: shapes of the size that networks see (64
to 150 pixels) then span the picture at least once."""


def choose_octaves(size: Size, octave_scale: float) -> int:
    """Return the number of octaves that brings the shorter side down to `SMALLEST_OCTAVE`, at least 1."""
    return 1 + max(0, math.floor(math.log(min(size) / SMALLEST_OCTAVE, octave_scale)))


def octave_sizes(size: Size, octaves: int, octave_scale: float, resampling: str = "bicubic") -> list[Size]:
    """Return the sizes of the octaves, smallest first; the last is `size`.

    >>> octave_sizes((100, 200), 3, 2.0)
    [(25, 50), (50, 100), (100, 200)]

    With "linear" resampling each is rounded from the next larger one instead of from `size`, as in 2015.
    """
    if resampling == "linear":
        sizes = [size]
        while len(sizes) < octaves:
            height, width = (max(1, round(side / octave_scale)) for side in sizes[0])
            sizes.insert(0, (height, width))
        return sizes
    largest = math.log(max(size) * 4, octave_scale)  # beyond it an octave has a single pixel; powers could overflow
    scales = [octave_scale ** min(power, largest) for power in reversed(range(octaves))]
    return [(max(1, round(size[0] / scale)), max(1, round(size[1] / scale))) for scale in scales]


def pixels_seen(size: Size, settings: DreamSettings) -> int:
    """Return how many pixels the network sees in a dream of `size`, in all steps of all octaves."""
    assert isinstance(settings.octaves, int), "choose_octaves returns one for a size"
    sizes = octave_sizes(size, settings.octaves, settings.octave_scale, settings.resampling)
    margins = 2 * margin_of(settings)
    return settings.steps * sum((height + margins) * (width + margins) for height, width in sizes)


def dream_steps(
    engine: Engine,
    photo: Image,
    settings: DreamSettings,
    *,
    arithmetic: Arithmetic,
    state: State | None = None,
    canvas: Callable[[Image], Canvas] | None = None,
    transform: Callable[[Draw], Transform] | None = None,
    mask: Tensor | None = None,
    parts: Sequence[tuple[Engine, Tensor]] = (),
) -> Iterator[Step]:
    """Dream on `photo`, step by step; the last step's image is the dream at full size.

    Everything is computed on the engine's device, and nothing makes the host wait for it.

    Args:
        engine: the network and the objective.
        photo: `n channels h w`; it is not changed.
        settings: those of the recipe, with a number of octaves.
        arithmetic: the RNGs, which also hold the seed.
        state: a step's `state`, to continue after it, to the same bytes as without a break.
        canvas: makes a canvas that shows an image; by default a `PixelCanvas`, symmetric if the settings say so.
        transform: makes the transform through which the network sees a step's image, from a source of random
            numbers; by default the jitter of the settings.
        mask: how much of each step is taken where, `1 1 h w`, from 0 to 1; None for all of it. A step is as long where
            the mask is 1 as it would be without one, however small that place is.
        parts: engines that share the network, each with an objective that holds in a part of the picture and a mask of
            its own, from 0 to its strength; they replace `engine`'s objective. Where masks overlap, steps add.

    Yields:
        A `Step` after each step; none for 0 steps, where the dream is the photo. From the state of the last step, that
        step again.

    Raises:
        SettingError: if the number of octaves is still "auto".
    """
    make = canvas or partial(canvas_for, settings)
    bases = PhotoBases(photo.to(engine.device), settings, make)
    surface = InMemory(engine, bases, settings, arithmetic, make, transform or jitter_of(settings), mask, parts)
    yield from octave_steps(surface, settings.steps, state)


def dreamt(engine: Engine, photo: Image, settings: DreamSettings, *, arithmetic: Arithmetic) -> tuple[Image, float]:
    """Return the dream on `photo`, on its device, and the mean score of all steps; 0 without any."""
    image, scores = photo, []
    for step in dream_steps(engine, photo, settings, arithmetic=arithmetic):
        image = step.image
        scores.append(step.scores.mean())
    return image.to(photo.device), float(torch.stack(scores).mean()) if scores else 0.0


def stepping(settings: DreamSettings, factor: float) -> DreamSettings:
    """Return the settings with steps that are `factor` times as long."""
    return settings if factor == 1 else settings.model_copy(update={"step_size": settings.step_size * factor})


def laid_on(photo: Image, image: Float[Tensor, "n channels small_h small_w"], settings: DreamSettings) -> Image:
    """Return the image of a small octave at full size: its detail, enlarged, on the photograph, which stays sharp."""
    if image.shape == photo.shape:
        return image
    size = (image.shape[-2], image.shape[-1])
    photo = photo.to(image.device)
    small, full = (canvas_for(settings, each)().detach() for each in (resize(photo, size), photo))
    return resize(image - small, (photo.shape[-2], photo.shape[-1])).add_(full).clamp_(0, 1)


def canvas_for(settings: DreamSettings, image: Image) -> Canvas:
    """Return the canvas that shows `image` and moves as the settings say."""
    pixels = PixelCanvas(image, natural_colour=settings.natural_colour, headroom=settings.headroom)
    return symmetric(pixels, settings.symmetry)


def jitter_of(settings: DreamSettings) -> Callable[[Draw], Transform]:
    """Return what makes the random shift of a step from a source of random numbers."""
    margin = margin_of(settings)
    if margin:
        return lambda draw: with_margin(margin, settings.jitter, draw=draw)
    return lambda draw: shift(settings.jitter, draw=draw)


def margin_of(settings: DreamSettings) -> int:
    """Return the pixels that the network sees beyond each edge: enough for the jitter, or 0 for none at all."""
    return max(settings.margin, settings.jitter) if settings.margin else 0


class PhotoBases(Bases):
    """The photograph at the sizes of the octaves of its own dream.

    Raises:
        SettingError: if the number of octaves is still "auto".
    """

    def __init__(self, photo: Image, settings: DreamSettings, make: Callable[[Image], Canvas]) -> None:
        octaves = settings.octaves
        check("octaves", octaves, isinstance(octaves, int), "a number here: choose_octaves returns one for a size")
        assert isinstance(octaves, int)
        size = (photo.shape[-2], photo.shape[-1])
        self.sizes = octave_sizes(size, octaves, settings.octave_scale, settings.resampling)
        self._photo = photo
        self._resampling = settings.resampling
        self._make = make

    def __getitem__(self, octave: int) -> Image:
        base = self._photo
        if self._resampling == "linear":  # each octave from the next larger one
            for size in reversed(self.sizes[octave:-1]):
                base = resize(base, size, "linear")
        else:
            base = resize(base, self.sizes[octave])
        return self._make(base)().detach()
