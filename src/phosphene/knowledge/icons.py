"""Icons: small pictures of many objectives, a batch of them at a time, each drawn in one stage on a small canvas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.canvas.fourier import FourierCanvas
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import Course, ascend, part
from phosphene.loops.imagine import BETAS, LAST_RATE, curvature
from phosphene.loops.parts import Crew, done_in, done_state, finished
from phosphene.loops.scorer import Scorer, ViewSpec
from phosphene.loops.sheet import BATCH, Each
from phosphene.loops.stages import Stage, is_anywhere
from phosphene.loops.step import State, Step
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe.stills import ImagineSettings
from phosphene.types import Image, Scores

SEEN, FINE = 0.9, 4
"""Side of a view as a share of the canvas's, and what it is a multiple of."""

ZOOM = (0.8, 1.0)

TALL = 1.25
"""An icon is drawn on a canvas this much larger than itself, and cut out of the middle: borders are drawn worse."""


def icon_steps(
    net: Net,
    objectives: Sequence[Objective],
    settings: ImagineSettings,
    *,
    arithmetic: Arithmetic,
    size: int,
    dtype: torch.dtype,
    crew: Crew | None = None,
    state: State | None = None,
) -> Iterator[Step]:
    """Draw an icon of each objective, step by step; each step's image has those that are finished, `n 3 size size`.

    Args:
        net: any network with a card.
        objectives: resolved expressions, one or more.
        settings: `steps`, `views`, `rate`, `decay`, `smooth`, and those of views.
        arithmetic: the RNGs and optimizers.
        size: side of an icon in pixels.
        dtype: the number format of the network.
        crew: workers that do batches, to the same bytes; None for this process.
        state: a step's `state`, to continue after it, to the same bytes.

    Raises:
        WorkerError: for a batch that fails every time, when the others are done.
    """
    batches = icon_batches(objectives, settings, arithmetic, size, dtype)
    drawn = _Drawn(batches, size, state)
    if not drawn.left:
        yield Step("icons", 1, 1, 1.0, drawn.icons, torch.full((1,), math.nan), drawn.state())
    elif crew is not None:
        left = drawn.left
        for index, (icons, scores) in finished([batches[each] for each in left], crew):
            drawn.add(left[index], icons)
            now = drawn.state()
            yield Step("icons", len(drawn.icons), len(objectives), drawn.share, drawn.icons, scores, now)
    else:
        yield from _one_by_one(net, drawn, {} if state is None else part(state, "inner."))


def _one_by_one(net: Net, drawn: _Drawn, inner: State) -> Iterator[Step]:
    count = sum(len(each.objectives) for each in drawn.batches)
    for index in drawn.left:
        batch, before = drawn.batches[index], drawn.share
        for step in batch.steps(net, inner or None):
            if step.progress >= 1:
                drawn.add(index, batch.finished(step))
            now = drawn.state({} if step.progress >= 1 else step.state)
            stage = f"icons {batch.first + 1} to {batch.first + len(batch.objectives)} of {count}"
            share = before + len(batch.objectives) * step.progress / count
            yield replace(step, stage=stage, image=drawn.icons, progress=share, state=now)
        inner = {}


def icons_in_place(state: State, size: int) -> Image:
    """Return the icons of a state of `icon_steps` up to the last that is finished, black where one before it is not."""
    if not state:
        return torch.zeros(0, 3, size, size)
    icons, done = state["icons"], done_in(state)
    if "done" not in state:
        return icons
    whole = torch.zeros((done[-1] + 1) * BATCH, 3, size, size)
    for index, each in zip(done, icons.split(BATCH), strict=True):
        whole[index * BATCH : index * BATCH + len(each)] = each
    return whole


def icon_batches(
    objectives: Sequence[Objective], settings: ImagineSettings, arithmetic: Arithmetic, size: int, dtype: torch.dtype
) -> list[IconBatch]:
    """Return the batches in which `icon_steps` draws."""
    settings = settings.model_copy(update={"diversity": 0.0})
    return [
        IconBatch(first, tuple(objectives[first : first + BATCH]), settings, arithmetic.at("icons", index), size, dtype)
        for index, first in enumerate(range(0, len(objectives), BATCH))
    ]


@dataclass(frozen=True)
class IconBatch:
    """Icons that are drawn at once, each of its own objective; `first` is the number of the first."""

    first: int
    objectives: tuple[Objective, ...]
    settings: ImagineSettings
    arithmetic: Arithmetic
    size: int
    dtype: torch.dtype

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"the batch of the icon of {self.objectives[0]}"

    def steps(self, net: Net, state: State | None = None) -> Iterator[Step]:
        """Draw the icons, step by step, on a canvas that is larger."""
        each, settings = Each(self.objectives), self.settings
        side = round(self.size * TALL / FINE) * FINE
        seen = max(FINE, round(side * SEEN / FINE) * FINE)
        views = ((ViewSpec(settings.views, (seen, seen), ZOOM),),)
        smooth = settings.smooth if all(map(is_anywhere, self.objectives)) else 2 * settings.smooth
        count = len(self.objectives)
        stage = Stage("icon", (side, side), count, settings.steps, settings.rate, smooth, settings.decay, views)
        course = _course(net, each, settings, stage, self.arithmetic, self.dtype)
        return ascend(course, count=count, size=(side, side), arithmetic=self.arithmetic, state=state)

    def finished(self, step: Step) -> Image:
        """Return the icons of the last step."""
        return _middle(step.image, self.size).cpu()

    def run(self, net: Net) -> tuple[Image, Scores]:
        """Return the icons and the last scores."""
        for step in self.steps(net):
            last = step
        return self.finished(last), last.scores


class _Drawn:
    """The icons that are finished."""

    def __init__(self, batches: Sequence[IconBatch], size: int, state: State | None) -> None:
        self.batches, self._size = batches, size
        done = [] if state is None else done_in(state)
        lengths = [len(batches[each].objectives) for each in done]
        self._icons = {} if state is None else dict(zip(done, state["icons"].split(lengths), strict=True))

    @property
    def icons(self) -> Image:
        """Those of all batches that are done, in order."""
        return torch.cat(
            [torch.zeros(0, 3, self._size, self._size), *(each for _, each in sorted(self._icons.items()))]
        )

    @property
    def left(self) -> list[int]:
        """The batches that are not done, in order."""
        return [index for index in range(len(self.batches)) if index not in self._icons]

    @property
    def share(self) -> float:
        """The share of the icons that is finished."""
        return len(self.icons) / sum(len(each.objectives) for each in self.batches)

    def add(self, index: int, icons: Image) -> None:
        """Take in the icons of a batch."""
        self._icons[index] = icons

    def state(self, inner: State | None = None) -> State:
        """Return what drawing resumes from, `inner` of the first batch that is not done."""
        own = {f"inner.{name}": each for name, each in (inner or {}).items()}
        return {**done_state(self._icons), "icons": self.icons, **own}


def _course(
    net: Net, objective: Each, settings: ImagineSettings, stage: Stage, arithmetic: Arithmetic, dtype: torch.dtype
) -> Course:
    scorer = Scorer(net, objective, settings, dtype, flip=net.card.mirrored)

    def canvas(stage: Stage) -> FourierCanvas:
        channels, rng = net.card.input.channels, arithmetic.rng("canvas")
        return FourierCanvas(stage.size, stage.pictures, channels=channels, decay=stage.decay, generator=rng)

    def look(image: Image, _: int, step: int) -> tuple[Scores, Image]:
        scores, direction = scorer(image, stage.looks[0], arithmetic.rng("views", step))
        return scores, direction.add_(stage.smooth * curvature(image))

    return Course([stage], canvas, look, BETAS, LAST_RATE)


def _middle(images: Tensor, size: int) -> Image:
    top = (images.shape[-1] - size) // 2
    images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    return images[..., top : top + size, top : top + size].contiguous()
