"""Imagining: an image of what a network responds to, made from noise.

    sketches ── the best go on ──► shape ──► detail, on a canvas of twice the size ──► the size asked for

Each step scores random views of each image in a network of which some channels are dropped at random, and moves the
canvas's parameters by Adam towards what scores higher, is smoother, and activates every layer about as photographs do.
`docs/imagine.md` tells how the numbers were chosen, with pictures.

Sources: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017): Fourier canvas, decorrelated colour,
robustness to transformations, diversity. Yin et al., "Dreaming to Distill" (CVPR 2020): activation statistics as a
prior. Srivastava et al., "Dropout" (JMLR 2014). Kingma and Ba, "Adam" (ICLR 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.base import Canvas
from phosphene.canvas.fourier import FourierCanvas
from phosphene.canvas.phases import PhaseCanvas
from phosphene.canvas.symmetric import symmetric
from phosphene.errors import check
from phosphene.gradients import precision as precisions
from phosphene.loops import maco, torus
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import Course, ascend
from phosphene.loops.composition import composed
from phosphene.loops.ensemble import Ensemble, Member
from phosphene.loops.scorer import Augment
from phosphene.loops.stages import Stage, is_anywhere, is_placed, plan
from phosphene.loops.step import State, Step
from phosphene.loops.typical import typical_of
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe.stills import ImagineSettings
from phosphene.types import Image, Scores, Size

BETAS = (0.9, 0.99)
"""Decay rates of Adam's moments; the second is shorter than typical, for runs of some hundred steps."""

LAST_RATE = 0.05
"""Share of the learning rate that is left at the end of a stage, so that it ends calmly."""

COMPARISONS = 4
"""Times that sketches are scored to be compared, each time with other channels dropped."""


def pixels_seen(
    net: Net,
    objective: Objective,
    settings: ImagineSettings,
    *,
    others: Sequence[Net] = (),
    count: int,
    size: Size,
) -> int:
    """Return how many pixels the networks see while they imagine `count` images, in the views of all steps."""
    stages = plan(_input_sizes(net, *others), objective, settings, count=count, size=size, closest=net.card.closest)
    return sum(stage.cost * stage.steps for stage in stages)


def imagine_steps(
    net: Net,
    objective: Objective,
    settings: ImagineSettings,
    *,
    arithmetic: Arithmetic,
    others: Sequence[Member] = (),
    count: int = 1,
    size: Size = (384, 384),
    precision: str = "auto",
    state: State | None = None,
    canvas: Callable[[Size, int], Canvas] | None = None,
    augment: Augment | None = None,
    tileable: bool = False,
    natural: Tensor | None = None,
) -> Iterator[Step]:
    """Imagine images that maximise `objective` in `net`, step by step.

        for step in imagine_steps(net, resolve(parse("banana"), net.card), ImagineSettings(), arithmetic=Arithmetic(0)):
            show(step.image)    # n 3 h w, of the stage's own size; the last is of the size asked for

    Args:
        net: any network with a card; without activation statistics on the card, that prior is left out.
        objective: a resolved expression.
        settings: those of the recipe.
        arithmetic: the RNGs and optimizers, which also hold the seed.
        others: further networks that score the images, each with its own resolved objective.
        count: images to make at once, from 1, kept unlike one another.
        size: (height, width) of the finished images, each from 1.
        precision: "auto", "bfloat16", "float16" or "float32", in which the network runs.
        state: a step's `state`, to continue after it, to the same bytes as without a break.
        canvas: makes the canvas for a size and a number of images; a `FourierCanvas` by default.
        augment: makes the transform of one kind of view; `views`, `tint` and `noise` of the settings by default.
        tileable: whether opposite edges of the images join, so that they repeat without a seam.
        natural: the magnitudes of waves in photographs, 3 rows columns, to keep to them (`phosphene.loops.maco`); the
            finished images then have a fourth channel, their opacity.

    Yields:
        A `Step` after each step. While sketching, its image is the best sketch so far of each image.

    Raises:
        SettingError: for a count, size or precision out of range.
    """
    check("count", count, count >= 1, "1 or more")
    check("size", size, min(size) >= 1, "1 or more pixels on each side")
    dtype = precisions.choose_dtype(precision, next(net.parameters()).device)
    members = (Member(net, objective), *others)
    ensemble = Ensemble(members, settings, dtype, flip=net.card.mirrored and not is_placed(objective), augment=augment)
    sizes = _input_sizes(*(each.net for each in members))
    stages = plan(sizes, objective, settings, count=count, size=size, closest=net.card.closest)
    stages = stages if natural is None else maco.natural_stages(stages, size)
    # A texture fills its canvas, and what has a position is where it was asked for.
    composes = not (is_anywhere(objective) or is_placed(objective))
    typical = typical_of(net.card, settings.typical) if composes and not tileable else None
    focus, calm = (settings.focus, settings.calm) if composes and not tileable else (0.0, 0.0)

    def canvas_of(stage: Stage) -> Canvas:
        if canvas is not None:
            return canvas(stage.size, stage.pictures)
        rng, channels = arithmetic.rng("canvas"), net.card.input.channels
        if natural is not None:
            return PhaseCanvas(natural, stage.size, stage.pictures, generator=rng)
        kind = torus.TorusFourierCanvas if tileable else FourierCanvas
        inner = kind(stage.size, stage.pictures, channels=channels, decay=stage.decay, generator=rng)
        inner = inner if typical is None else inner.around(typical.mean(stage.size))
        return symmetric(inner, settings.symmetry)

    def look(image: Image, stage: int, step: int) -> tuple[Scores, Image]:
        now = stages[stage]

        def score(image: Image) -> tuple[Scores, Image]:
            return ensemble(image, now.looks, arithmetic.rng("views", stage, step))

        if tileable:
            scores, direction = torus.around(score, image, arithmetic.rng("roll", stage, step))
            return scores, direction.add_(now.smooth * torus.curvature_around(image))
        scores, direction = score(image)
        direction = composed(direction, curvature(image), smooth=now.smooth, focus=focus, calm=calm)
        return scores, direction if typical is None else direction.add_(typical.pull(image))

    def compare(image: Image, stage: int) -> Scores:
        return ensemble.evaluate(image, stages[stage].looks, arithmetic.rng("sketches", stage + 1), COMPARISONS)

    course = Course(stages, canvas_of, look, BETAS, LAST_RATE, compare)
    steps = ascend(course, count=count, size=size, arithmetic=arithmetic, state=state)
    yield from steps if natural is None else maco.with_opacity(steps, ensemble, stages[-1].looks, arithmetic)


def _input_sizes(*nets: Net) -> list[int]:
    return [net.card.input.size for net in nets]


def curvature(image: Image) -> Image:
    """Return the discrete Laplacian, with borders continued: the direction in which an image becomes smoother.

    It is the negative gradient of half the sum of squared differences between neighbours (Tikhonov).

    >>> import torch
    >>> curvature(torch.ones(1, 3, 4, 5)).abs().max()
    tensor(0.)
    """
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    horizontal = padded[..., 1:-1, 2:] + padded[..., 1:-1, :-2]
    vertical = padded[..., 2:, 1:-1] + padded[..., :-2, 1:-1]
    return horizontal + vertical - 4 * image
