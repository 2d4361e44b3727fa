"""Ascent on a canvas in stages: Adam moves the parameters, and each stage enlarges the canvas for the next.

    sketch, several of each image ── the best go on ──► shape ──► detail 1, on a larger canvas ──► detail 2 ...

`phosphene.loops.imagine` and `phosphene.loops.lucid` say which stages, which canvas, and how an image is scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from phosphene.canvas.base import Canvas
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.stages import Stage
from phosphene.loops.step import State, Step, number
from phosphene.resampling import resize
from phosphene.transforms import Transform
from phosphene.types import Image, Scores, Size
from phosphene.vjp import vjp


@dataclass(frozen=True)
class Course:
    """How a canvas is moved.

    Attributes:
        stages: the parts of the work, in their order.
        canvas: makes the canvas of a stage, with the noise that the work begins with.
        look: returns, for the images at a stage and step, their scores and the direction in which they should change.
        betas: decay rates of Adam's moments.
        last_rate: share of the learning rate that is left at the end of a stage.
        compare: returns the scores by which the images of a stage are compared, if later stages continue with some.
    """

    stages: Sequence[Stage]
    canvas: Callable[[Stage], Canvas]
    look: Callable[[Image, int, int], tuple[Scores, Image]]
    betas: tuple[float, float]
    last_rate: float
    compare: Callable[[Image, int], Scores] | None = None


class Ascent:
    """A canvas whose parameters are moved by Adam, one step at a time."""

    def __init__(self, canvas: Canvas, betas: tuple[float, float], arithmetic: Arithmetic) -> None:
        self.canvas = canvas
        self.steps = 0
        self._optimizers = {
            name: arithmetic.optimizer(parameter, betas) for name, parameter in canvas.named_parameters()
        }

    def step(self, look: Callable[[Image], tuple[Scores, Image]], rate: float) -> Scores:
        """Take one step in the direction that `look` returns for the images; return its scores."""
        image = self.canvas()
        scores, direction = look(image.detach())
        parameters = [optimizer.parameter for optimizer in self._optimizers.values()]
        gradients = vjp([image], parameters, [direction])
        for optimizer, gradient in zip(self._optimizers.values(), gradients, strict=True):
            optimizer.step(gradient, rate)
        self.canvas.settle()
        self.steps += 1
        return scores

    def state(self) -> State:
        """Return what `resume` continues from; later steps do not change it."""
        state = {"step": number(self.steps)}
        for name, tensor in parameters_of(self.canvas).items():
            state[f"canvas.{name}"] = tensor.clone()
        for name, optimizer in self._optimizers.items():
            state |= {f"adam.{name}.{key}": tensor for key, tensor in optimizer.state().items()}
        return state

    def resume(self, state: State) -> None:
        """Continue from what `state` returned for a canvas of the same kind and size."""
        self.steps = int(state["step"])
        for name, optimizer in self._optimizers.items():
            with torch.no_grad():
                optimizer.parameter.copy_(state[f"canvas.{name}"])
            optimizer.resume(part(state, f"adam.{name}."))


def ascend(
    course: Course, *, count: int, size: Size, arithmetic: Arithmetic, state: State | None = None
) -> Iterator[Step]:
    """Move a canvas uphill, stage by stage, yielding after every step; from the last step's state, that step again.

    Args:
        course: the stages, the canvas, how it is scored, and the optimizer's constants.
        count: number of images; a stage may work on several of each.
        size: (height, width) of the last step's images.
        arithmetic: the seed's RNGs and optimizers.
        state: that of a step, to continue after it.
    """
    stages = course.stages
    work = sum(stage.cost * stage.steps for stage in stages)
    index = 0 if state is None else int(state["stage"])
    ascent = Ascent(course.canvas(stages[index]), course.betas, arithmetic)
    if state is not None:
        ascent.resume(state)

    def report(scores: Scores) -> Step:
        stage, best = stages[index], best_of_each(scores, count)
        is_finished = is_last and ascent.steps == stage.steps
        image = ascent.canvas.resized(size) if is_finished else ascent.canvas().detach()
        before = sum(each.cost * each.steps for each in stages[:index])
        return Step(
            stage=stage.name,
            step=ascent.steps,
            steps=stage.steps,
            progress=(before + stage.cost * ascent.steps) / work,
            image=image[best],
            scores=scores[best],
            state={"stage": number(index), **ascent.state()},
        )

    while True:
        stage = stages[index]
        is_last = index == len(stages) - 1
        if is_last and ascent.steps == stage.steps:  # so that there is always a last image
            yield report(torch.full((stage.pictures,), math.nan))
        for step in range(ascent.steps, stage.steps):
            rate = stage.rate * cosine(step / stage.steps, course.last_rate)
            yield report(ascent.step(partial(_look_at, course, index, step), rate))
        if is_last:
            return
        index += 1
        ascent = Ascent(_next_canvas(course, ascent.canvas, index), course.betas, arithmetic)


def _look_at(course: Course, index: int, step: int, image: Image) -> tuple[Scores, Image]:
    return course.look(image, index, step)


def _next_canvas(course: Course, canvas: Canvas, index: int) -> Canvas:
    """Return the canvas of stage `index`, which shows the best images of the one before."""
    before, stage = course.stages[index - 1], course.stages[index]
    if stage.pictures == before.pictures:
        return course.canvas(stage).showing(canvas.resized(stage.size))
    assert course.compare is not None, "images are chosen between these stages"
    image = canvas().detach()
    best = best_of_each(course.compare(image, index - 1), stage.pictures)
    return canvas.showing(resize(image[best], stage.size, clamp=True))


def best_of_each(scores: Scores, count: int) -> Tensor:
    """Return the index of the best image in each of `count` equal groups.

    >>> best_of_each(torch.tensor([1.0, 3.0, 2.0, 5.0, 4.0, 0.0]), 2)
    tensor([1, 3])
    """
    groups = scores.view(count, -1)
    return groups.argmax(dim=1) + groups.shape[1] * torch.arange(count, device=groups.device)


def cosine(done: float, last: float) -> float:
    """Return a learning rate's share on its way from 1 to `last` along half a cosine.

    Source: Loshchilov and Hutter, "SGDR" (ICLR 2017), without restarts.
    """
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * done))


def gradient_through(engine: Engine, image: Image, transform: Transform) -> tuple[Scores, Image]:
    """Return the engine's scores of the transformed image, and their gradient with respect to the image itself."""
    leaf = image.detach().requires_grad_()
    seen = transform(leaf)
    scores, direction = engine(seen.detach())
    (gradient,) = vjp([seen], [leaf], [direction])
    return scores, gradient


def parameters_of(canvas: Canvas) -> Mapping[str, Tensor]:
    """Return the canvas's parameters as tensors that share their memory."""
    return {name: parameter.detach() for name, parameter in canvas.named_parameters()}


def part(state: State, prefix: str) -> State:
    """Return the entries whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
