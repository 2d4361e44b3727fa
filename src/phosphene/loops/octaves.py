"""Ascent octave by octave, on a canvas that is in memory or on a disk: the loop of dreams.

for each octave, smallest first:
    x <- photograph at this size + detail so far, enlarged
    repeat: g <- shaped gradient of the objective, through a random shift of x; x <- x + step * g
    detail <- x - photograph at this size
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from phosphene.canvas.base import Canvas
from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import shapings
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import gradient_through, parameters_of, part
from phosphene.loops.step import State, Step, number
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import resize
from phosphene.transforms import Draw, Transform
from phosphene.types import Image, Scores, Size


class Surface(ABC):
    """The canvas of a dream, octave by octave."""

    sizes: Sequence[Size]

    @abstractmethod
    def enter(self, octave: int, state: State | None) -> Iterator[float]:
        """Begin an octave, from what the one before has left, or go on in it from a state.

        Yields the share of that which is done, where it takes long enough to tell.
        """

    @abstractmethod
    def step(self, octave: int, step: int) -> Iterator[tuple[float, Scores]]:
        """Take a step; yield the share of it that is done and the scores, NaN before they are known, at the end 1."""

    @property
    @abstractmethod
    def image(self) -> Image:
        """The pictures so far, never changed by later steps; smaller than the canvas where that is not in memory."""

    @abstractmethod
    def state(self) -> State:
        """Return what `enter` goes on from, besides the octave and the step."""

    def place(self) -> State | None:
        """Return the state that the canvas is in by itself, if it outlives the process."""
        return None


def octave_steps(surface: Surface, steps: int, state: State | None = None) -> Iterator[Step]:
    """Take `steps` steps in each octave of `surface`.

    Yields:
        A `Step` after each step, and more of them where a step takes long. From the state of the very last step, that
        step again, so that there is always a last image.
    """
    costs = [math.prod(size) for size in surface.sizes]
    begin = 0 if state is None else int(state["octave"])

    def report(octave: int, step: int, share: float, scores: Tensor) -> Step:
        done = sum(costs[:octave]) * steps + costs[octave] * (step + share)
        return Step(
            stage=f"octave {octave + 1} of {len(costs)}",
            step=step + 1,
            steps=steps,
            progress=min(1.0, done / (sum(costs) * steps)) if steps else 1.0,
            image=surface.image,
            scores=scores,
            state={"octave": number(octave), "step": number(step + (share == 1)), **surface.state()},
        )

    for octave in range(begin, len(costs)):
        resumed = state if octave == begin else None
        first = 0 if resumed is None else int(resumed["step"])
        for _ in surface.enter(octave, resumed):
            yield report(octave, 0, 0.0, torch.full((len(surface.image),), math.nan))
        if first == steps > 0 and octave == len(costs) - 1:
            yield report(octave, steps - 1, 1, torch.full((len(surface.image),), math.nan))
        for step in range(first, steps):
            for share, scores in surface.step(octave, step):
                yield report(octave, step, share, scores)


class Bases(ABC):
    """The photograph at the sizes of the octaves, as the canvas shows it."""

    sizes: Sequence[Size]

    @abstractmethod
    def __getitem__(self, octave: int) -> Image:
        """Return the photograph at the size of an octave."""

    def carried(self, octave: int, detail: Tensor) -> Tensor:
        """Return the part of the octave before that this octave shows; all of it, unless it is said otherwise."""
        return detail


class InMemory(Surface):
    """A canvas in memory.

    Args:
        engine: the network and the objective.
        bases: the photograph at the sizes of the octaves.
        settings: those of the dream.
        arithmetic: the RNGs.
        make: makes a canvas that shows an image.
        look: makes the transform through which the network sees a step's image.
        mask: how much of each step is taken where, `1 1 h w`, from 0 to 1, at full size; None for all of it.
        parts: engines for objectives that hold in a part of the picture, each with how much of its step is taken where,
            in place of `engine`'s; none for that alone.
    """

    def __init__(
        self,
        engine: Engine,
        bases: Bases,
        settings: DreamSettings,
        arithmetic: Arithmetic,
        make: Callable[[Image], Canvas],
        look: Callable[[Draw], Transform],
        mask: Tensor | None = None,
        parts: Sequence[tuple[Engine, Tensor]] = (),
    ) -> None:
        self.sizes = bases.sizes
        self._engine, self._bases, self._settings, self._arithmetic = engine, bases, settings, arithmetic
        self._make, self._look = make, look
        self._whole_mask, self._mask = mask, mask
        self._whole_parts, self._parts = parts, parts
        self._canvas: Canvas | None = None
        self._base: Tensor | None = None

    def enter(self, octave: int, state: State | None) -> Iterator[float]:
        detail = None if self._canvas is None else self.detail()
        self._canvas = None  # one image less while the next one is made
        self._base = base = self._bases[octave]
        if self._whole_mask is not None:
            self._mask = resize(self._whole_mask, (base.shape[-2], base.shape[-1]), clamp=True).to(base.device)
        self._parts = [
            (engine, resize(weight, (base.shape[-2], base.shape[-1])).to(base.device))
            for engine, weight in self._whole_parts
        ]
        if state is not None:
            self._canvas = _resumed(self._make(base), state)
        elif detail is None:
            self._canvas = self._make(base)
        else:
            detail = self._bases.carried(octave, detail)
            image = self.resized(detail, (base.shape[-2], base.shape[-1]))
            image = image + base if image is detail else image.add_(base)
            self._canvas = self._make(image.clamp_(0, 1) if self._settings.headroom else image)
        return iter(())

    def step(self, octave: int, step: int) -> Iterator[tuple[float, Scores]]:
        assert self._canvas is not None, "an octave is entered first"
        canvas = self._canvas
        draw = self._arithmetic.draws("jitter", octave, step)
        scores, direction = self._direction(canvas, self._look(draw))
        if self._mask is not None:
            direction = direction * self._mask
        self._canvas = canvas.moved(direction, self._settings.step_size)
        yield 1, scores

    def _direction(self, canvas: Canvas, look: Transform) -> tuple[Scores, Image]:
        """Return the scores and the direction of a step; each part is shaped, weighed, then added."""
        image = canvas().detach()
        if not self._parts:
            scores, gradient = gradient_through(self._engine, image, look)
            return scores, self.shaped(canvas.uphill(gradient))
        found = []
        for engine, weight in self._parts:
            scores, gradient = gradient_through(engine, image, look)
            found.append((scores, self.shaped(canvas.uphill(gradient)) * weight))
        first, *others = found
        return sum((each for each, _ in others), first[0]), sum((each for _, each in others), first[1])

    def resized(self, detail: Tensor, size: Size) -> Tensor:
        """Return what has been dreamt at the size of the next octave."""
        return resize(detail, size, self._settings.resampling)

    def shaped(self, gradient: Image) -> Image:
        """Return the direction of a step; it may use the memory of the gradient."""
        return shapings[self._settings.shaping](gradient)

    @property
    def image(self) -> Image:
        assert self._canvas is not None, "an octave is entered first"
        return self._canvas().detach()

    def leave(self) -> None:
        """Let go of the canvas."""
        self._canvas = self._base = None

    def detail(self) -> Image:
        """Return what has been dreamt: the difference to the photograph."""
        assert self._base is not None, "an octave is entered first"
        return self.image - self._base

    def state(self) -> State:
        assert self._canvas is not None, "an octave is entered first"
        return {f"canvas.{name}": tensor for name, tensor in parameters_of(self._canvas).items()}


def _resumed(canvas: Canvas, state: State) -> Canvas:
    tensors = part(state, "canvas.")
    for name, parameter in canvas.named_parameters():
        parameter.data = tensors[name].to(parameter.device)
    return canvas
