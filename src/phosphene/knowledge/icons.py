"""Icons: small pictures of many objectives, a batch of them at a time, each drawn in one stage on a small canvas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from phosphene.canvas.fourier import FourierCanvas
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import Course, ascend, part
from phosphene.loops.imagine import BETAS, LAST_RATE, curvature
from phosphene.loops.scorer import Scorer, ViewSpec
from phosphene.loops.sheet import BATCH, Each
from phosphene.loops.stages import Stage, is_anywhere
from phosphene.loops.step import State, Step, number
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
        state: a step's `state`, to continue after it, to the same bytes.
    """
    side = round(size * TALL / FINE) * FINE
    seen = max(FINE, round(side * SEEN / FINE) * FINE)
    settings = settings.model_copy(update={"diversity": 0.0})
    views = ((ViewSpec(settings.views, (seen, seen), ZOOM),),)
    batches = [objectives[first : first + BATCH] for first in range(0, len(objectives), BATCH)]
    first, icons, inner = 0, torch.zeros(0, 3, size, size), None
    if state is not None:
        first, icons, inner = int(state["batch"]), state["icons"], part(state, "inner.") or None
    if first == len(batches):
        yield Step("icons", 1, 1, 1.0, icons, torch.full((1,), math.nan), _state(first, icons, {}))
    for index, batch in list(enumerate(batches))[first:]:
        each = Each(tuple(batch))
        anywhere = all(map(is_anywhere, batch))
        smooth = settings.smooth if anywhere else 2 * settings.smooth
        stage = Stage("icon", (side, side), len(batch), settings.steps, settings.rate, smooth, settings.decay, views)
        own = arithmetic.at("icons", index)
        course = _course(net, each, settings, stage, own, dtype)
        for step in ascend(course, count=len(batch), size=(side, side), arithmetic=own, state=inner):
            done = (index * BATCH + len(batch) * step.progress) / len(objectives)
            ready, now = icons, _state(index, icons, step.state)
            if step.progress >= 1:
                ready = torch.cat((icons, _middle(step.image, size).cpu()))
                now = _state(index + 1, ready, {})
            stage_name = f"icons {index * BATCH + 1} to {index * BATCH + len(batch)} of {len(objectives)}"
            yield replace(step, stage=stage_name, image=ready, progress=done, state=now)
            icons = ready
        inner = None


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


def _state(batch: int, icons: Tensor, inner: State) -> State:
    return {"batch": number(batch), "icons": icons, **{f"inner.{name}": each for name, each in inner.items()}}
