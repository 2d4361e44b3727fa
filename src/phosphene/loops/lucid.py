"""Feature visualisation as it was published: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017).

A composition: the canvas of lucid, the authors' library, its random transformations, and Adam with its constants, in
the ascent that `phosphene.loops.imagine` uses too. All numbers are those of lucid 0.3 (`optvis/render.py`,
`optvis/transform.py`, `optvis/param`).
"""

from __future__ import annotations

from collections.abc import Iterator

from phosphene.canvas.base import Canvas
from phosphene.canvas.lucid import LucidCanvas
from phosphene.canvas.symmetric import symmetric
from phosphene.errors import check
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import Course, ascend, gradient_through
from phosphene.loops.scorer import ViewSpec
from phosphene.loops.stages import Stage
from phosphene.loops.step import State, Step
from phosphene.recipe.stills import ImagineSettings
from phosphene.transforms import Draw, Transform, compose, crop, pad, rotate, scale
from phosphene.types import Image, Scores, Size

SMALLEST = 16
"""Shorter side in pixels: what the transformations cut off is less."""

PAD, GREY = 12, 0.5
FIRST_JITTER, LAST_JITTER = 8, 4
SCALES = [1 + (i - 5) / 50 for i in range(11)]
ANGLES = [*range(-10, 11), 0, 0, 0, 0, 0]
"""Degrees."""

BETAS = (0.9, 0.999)


def lucid_steps(
    engine: Engine,
    settings: ImagineSettings,
    *,
    arithmetic: Arithmetic,
    count: int = 1,
    size: Size = (128, 128),
    state: State | None = None,
) -> Iterator[Step]:
    """Visualise what maximises the engine's objective, step by step.

    Args:
        engine: the network and the objective.
        settings: `steps`, `rate`, `decay` and `symmetry` are used; lucid's own are 512, 0.05, 1 and None.
        arithmetic: the RNGs and optimizers, which also hold the seed.
        count: number of images, each from other noise.
        size: (height, width) of the canvas, each from 16.
        state: a step's `state`, to continue after it, to the same bytes as without a break.

    Raises:
        SettingError: for a count or size out of range.
    """
    check("count", count, count >= 1, "1 or more")
    check("size", size, min(size) >= SMALLEST, f"{SMALLEST} pixels or more on each side")
    looks = ((ViewSpec(1, size, (1.0, 1.0)),),)
    stage = Stage("shape", size, count, settings.steps, settings.rate, 0.0, settings.decay, looks)

    def canvas(stage: Stage) -> Canvas:
        inner = LucidCanvas(stage.size, stage.pictures, decay=stage.decay, generator=arithmetic.rng("noise"))
        return symmetric(inner, settings.symmetry)

    def look(image: Image, stage: int, step: int) -> tuple[Scores, Image]:
        return gradient_through(engine, image, transforms(arithmetic.draws("transforms", step)))

    course = Course([stage], canvas, look, BETAS, last_rate=1.0)
    return ascend(course, count=count, size=size, arithmetic=arithmetic, state=state)


def transforms(draw: Draw) -> Transform:
    """Return lucid's transformations, the same for all images: padding, jitter, scale, rotation, jitter again."""
    return compose(
        [
            pad(PAD, GREY),
            crop(FIRST_JITTER, draw=draw),
            scale(SCALES, draw=draw),
            rotate(ANGLES, draw=draw),
            crop(LAST_JITTER, draw=draw),
        ]
    )
