"""Prints: a picture carried on to a larger size, as the further octaves of a dream.

    a dream       its own octaves, unchanged; then further ones, on the part of the photograph that the print shows
    imagined      the picture is the smallest octave of a dream
    a sheet       each of its pictures is, in its own place

What has been dreamt stays where it is, and finer detail is added to it. Octaves too large for memory are on a disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from phosphene.canvas.base import Canvas
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.dream import PhotoBases, canvas_for, jitter_of
from phosphene.loops.octaves import Bases, InMemory, Surface, octave_steps
from phosphene.loops.on_disk import OnDisk
from phosphene.loops.parts import Crew
from phosphene.loops.planes import Store
from phosphene.loops.step import State, Step, number
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import Interval, Read, Span, resize_part
from phosphene.types import Image, Scores, Size

IN_MEMORY = 24_000_000
"""Pixels of the largest octave that is done in memory; larger ones are done on a disk. It decides the last bits of the
result, so it does not depend on how much memory there is."""

Box = tuple[Span, Span]
"""Rows and columns of a picture, in its pixels."""


class PrintBases(Bases):
    """The photograph at the sizes of a dream's own octaves, and the part of it that is printed at those of the further
    ones.

    Args:
        own: the octaves of the dream itself; None for those of an imagined picture, which has none.
        photo: the photograph in its own size; `n 3 h w`.
        begun: the size of the dream, and `box` the part of it that is printed.
        further: sizes of the further octaves.
        settings: those of the dream.
        make: makes a canvas that shows an image.
    """

    def __init__(
        self,
        own: PhotoBases | None,
        photo: Image,
        begun: Size,
        box: Box,
        further: Sequence[Size],
        settings: DreamSettings,
        make: Callable[[Image], Canvas],
    ) -> None:
        self.count = 0 if own is None else len(own.sizes)
        self.sizes = [*(() if own is None else own.sizes), *further]
        self._own, self._photo, self._begun, self._box = own, photo, begun, box
        self._resampling, self._make = settings.resampling, make

    def __getitem__(self, octave: int) -> Image:
        if self._own is not None and octave < self.count:
            return self._own[octave]
        size = self.sizes[octave]
        photo_size = (self._photo.shape[-2], self._photo.shape[-1])
        part = resize_part(
            reader(self._photo),
            photo_size,
            size,
            (0, size[0]),
            (0, size[1]),
            self._resampling,
            scaled(self._box, self._begun, photo_size),
        )
        return self._make(part.clamp_(0, 1))().detach()

    def carried(self, octave: int, detail: Tensor) -> Tensor:
        """Return what is printed of the dream, where its own octaves end."""
        if octave != self.count:
            return detail
        rows, columns = self._box
        return detail[:, :, slice(*rows), slice(*columns)]


class Relay(Surface):
    """A canvas that is in memory for the octaves before `first`, and then on a disk."""

    def __init__(self, memory: InMemory, bases: PrintBases, disk: OnDisk, first: int) -> None:
        self.sizes = bases.sizes
        self._memory, self._bases, self._disk, self._first = memory, bases, disk, first
        self._now: Surface = memory

    def enter(self, octave: int, state: State | None) -> Iterator[float]:
        if octave < self._first:
            yield from self._memory.enter(octave, state)
            return
        if self._disk.place() is None:
            detail = torch.zeros(1, 3, 1, 1) if octave == 0 else self._bases.carried(octave, self._memory.detail())
            self._disk.begin(detail)
        self._now = self._disk
        self._memory.leave()
        yield from self._disk.enter(octave, state)

    def step(self, octave: int, step: int) -> Iterator[tuple[float, Scores]]:
        return self._now.step(octave, step)

    @property
    def image(self) -> Image:
        return self._now.image

    def state(self) -> State:
        return self._now.state()

    def place(self) -> State | None:
        return self._disk.place()


def surface_for(
    engine: Engine,
    photo: Image,
    begun: Size,
    box: Box,
    further: Sequence[Size],
    settings: DreamSettings,
    arithmetic: Arithmetic,
    own: PhotoBases | None = None,
    store: Store | None = None,
    crew: Crew | None = None,
) -> Surface:
    """Return the canvas of a print, on the disk from the first octave on that does not fit into memory.

    Args:
        engine: the network and the objective.
        photo: in its own size.
        begun, box, further, settings, own: see `PrintBases`.
        arithmetic: the RNGs.
        store: planes on a disk, needed for octaves of more than `IN_MEMORY` pixels.
        crew: workers that compute the tiles of these; None for this process.
    """

    def make(image: Image) -> Canvas:
        return canvas_for(settings, image)

    bases = PrintBases(own, photo, begun, box, further, settings, make)
    memory = InMemory(engine, bases, settings, arithmetic, make, jitter_of(settings))
    first = first_on_disk(bases.sizes, bases.count)
    if first == len(bases.sizes):
        return memory
    assert store is not None, "whoever makes large prints has one"
    photo_size = (photo.shape[-2], photo.shape[-1])
    seen = scaled(box, begun, photo_size)
    disk = OnDisk(engine, reader(photo), photo_size, seen, bases.sizes, first, settings, arithmetic, store, crew=crew)
    return Relay(memory, bases, disk, first)


def first_on_disk(sizes: Sequence[Size], own: int) -> int:
    """Return the first octave that is done on a disk; the `own` octaves of a dream never are."""
    return next((o for o, size in enumerate(sizes) if o >= own and math.prod(size) > IN_MEMORY), len(sizes))


def print_steps(surface: Surface, steps: int, state: State | None) -> Iterator[Step]:
    """Take the steps of a print; go on from where the canvas on the disk is, if there is one."""
    place = surface.place()
    yield from octave_steps(surface, steps, state if place is None else place)


def carried_on(
    first: Callable[[State | None], Iterator[Step]],
    picture_of: Callable[[Image], Image],
    surface: Callable[[Image], Surface],
    steps: int,
    share: float,
    state: State | None,
) -> Iterator[Step]:
    """Make a picture, and then dream on it.

    Args:
        first: makes the picture, from a state.
        picture_of: returns what is dreamt on from the last image.
        surface: makes the canvas of the dream on a picture.
        steps: of each octave of the dream.
        share: of the work, that of making the picture.
        state: a step's `state`, to go on after it.
    """
    if state is not None and "picture" in state:
        picture, inner = state["picture"], part(state, "print.")
    else:
        image: Tensor | None = None
        for step in first(state):
            image = step.image
            yield replace(step, progress=step.progress * share)
        assert image is not None, "there is always a last step"
        picture, inner = picture_of(image), {}
    for step in print_steps(surface(picture), steps, inner or None):
        kept = {f"print.{name}": tensor for name, tensor in step.state.items()}
        yield replace(step, progress=share + (1 - share) * step.progress, state={"picture": picture, **kept})


def sheet_print_steps(
    first: Callable[[State | None], Iterator[Step]],
    pictures_of: Callable[[Image], Image],
    placed: Callable[[Image, int, Image], Image],
    surface: Callable[[Image, int], Surface],
    steps: int,
    share: float,
    state: State | None,
) -> Iterator[Step]:
    """Make a sheet of pictures, and then dream on each in turn.

    Args:
        first: makes the sheet, from a state.
        pictures_of: cuts the sheet into its pictures, `count 3 h w`.
        placed: returns a copy of a larger sheet with the picture of an index in its place.
        surface: makes the canvas of the dream on a picture, of an index.
        steps, share, state: see `carried_on`.
    """
    inner: State | None = None
    if state is not None and "pictures" in state:
        pictures, sheet, index = state["pictures"], state["sheet"], int(state["index"])
        inner = part(state, "print.") or None
    else:
        image: Tensor | None = None
        for step in first(state):
            image = step.image
            yield replace(step, progress=step.progress * share)
        assert image is not None, "there is always a last step"
        pictures, index = pictures_of(image), 0
        sheet = placed(image, -1, image)
    for place in range(index, len(pictures)):
        for step in print_steps(surface(pictures[place : place + 1], place), steps, inner):
            shown = placed(sheet, place, step.image)
            done = step.progress == 1
            kept = {} if done else {f"print.{name}": tensor for name, tensor in step.state.items()}
            yield replace(
                step,
                stage=f"picture {place + 1} of {len(pictures)}, {step.stage}",
                progress=share + (1 - share) * (place + step.progress) / len(pictures),
                image=shown,
                state={"pictures": pictures, "sheet": shown if done else sheet, "index": number(place + done), **kept},
            )
            if done:
                sheet = shown
        inner = None


def scaled(box: Box, size: Size, wanted: Size) -> tuple[Interval, Interval]:
    """Return the same part of a picture at another size."""
    rows, columns = (
        (span[0] * new / old, span[1] * new / old) for span, old, new in zip(box, size, wanted, strict=True)
    )
    return rows, columns


def reader(image: Image) -> Read:
    """Return what reads rows and columns of an image in memory."""
    return lambda rows, columns: image[:, :, slice(*rows), slice(*columns)]


def printed(image: Tensor, sheet: Size, at: tuple[int, int]) -> Tensor:
    """Return an image on white paper, with its upper left corner at `at`; itself if it is as large as the paper."""
    height, width = image.shape[-2:]
    if (height, width) == sheet:
        return image
    paper = torch.ones(*image.shape[:2], *sheet, device=image.device)
    paper[:, :, at[0] : at[0] + height, at[1] : at[1] + width] = image
    return paper
