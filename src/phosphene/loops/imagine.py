"""Imagining: a picture of what a network thinks something is, made from noise.

    sketches ── the best go on ──► shape ──► detail, on a canvas of twice the size ──► the size asked for

Each step looks at random views of each picture through a network of which a random part of the channels is missing,
and moves the canvas' parameters by Adam towards what scores higher, is smoother, and responds in every layer about as
photographs do. `docs/imagine.md` tells how the numbers were chosen, with the pictures.

Sources: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017): Fourier canvas, decorrelated colour,
robustness to transformations, diversity. Yin et al., "Dreaming to Distill" (CVPR 2020): usual responses as a prior.
Srivastava et al., "Dropout" (JMLR 2014): thinned networks. Kingma and Ba, "Adam" (ICLR 2015).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.canvas.fourier import FourierCanvas
from phosphene.gradients import precision as precisions
from phosphene.loops.scorer import Augmentation, Scorer
from phosphene.loops.stages import ImagineSettings, Octave, check, is_placed, octaves
from phosphene.loops.step import StillStep as Step
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.types import Image, Scores, Size

MOMENTS = (0.9, 0.99)
"""Adam's decay rates; the second is shorter than usual, for runs of some hundred steps."""

LAST_RATE = 0.05
"""Share of the learning rate that is left at the end of an octave, so that it ends calmly."""

JUDGED = 4
"""Times that sketches are looked at to be compared, each time through another thinned network."""


@dataclass(frozen=True)
class ImagineState:
    """Where a run is: `step` steps of `octave` done, the canvas' spectrum, and Adam's two moments of it."""

    octave: int
    step: int
    spectrum: Tensor
    mean: Tensor
    square: Tensor


def imagine_steps(
    net: Net,
    objective: Objective,
    settings: ImagineSettings | None = None,
    *,
    count: int = 1,
    seed: int = 0,
    size: Size = (384, 384),
    precision: str = "auto",
    state: object = None,
) -> Iterator[Step]:
    """Imagine `count` pictures of what `objective` stands for in `net`, step by step.

        for step in imagine_steps(net, resolve(parse("banana"), net.card)):
            show(step.image)    # n 3 h w, of the octave's own size; the last is of the size asked for

    Args:
        net: any network with a card; where the card has no usual levels, that prior is left out.
        objective: a resolved expression.
        settings: None for the defaults.
        count: pictures to make at once, from 1, kept unlike one another.
        seed: what all chance is drawn from; the same seed gives the same bytes on the same machine.
        size: (height, width) of the finished pictures, each from 1.
        precision: "auto", "bfloat16", "float16" or "float32", in which the network runs.
        state: a step's `state`, to go on from there to the same bytes as without a break.

    Yields:
        A `Step` after each step. While sketching, its image is the best sketch so far of each picture.

    Raises:
        SettingError: for a count, size or precision out of range.
    """
    settings = settings or ImagineSettings()
    check("count", count, count >= 1, "1 or more")
    check("size", size, min(size) >= 1, "1 or more pixels on each side")
    dtype = precisions.choose(precision, next(net.parameters()).device)
    scorer = Scorer(net, objective, augmentation(settings, flip=not is_placed(objective)), dtype)
    plan = octaves(net.card.input.size, objective, settings, count=count, size=size)
    work = sum(octave.cost * octave.steps for octave in plan)
    reached = state if isinstance(state, ImagineState) else _begin(plan[0], settings, seed)
    while True:
        octave = plan[reached.octave]
        canvas = canvas_of(reached.spectrum, octave.size, settings.decay)
        for step in range(reached.step, octave.steps):
            rng = rng_at(seed, reached.octave, step)
            image = canvas()
            scores, direction = scorer(image, octave.view_specs, rng)
            direction += octave.smooth * curvature(image.detach())
            (gradient,) = torch.autograd.grad(image, canvas.spectrum, direction)
            reached = adam(reached, gradient, octave.rate * fall(step / octave.steps, LAST_RATE))
            canvas = canvas_of(reached.spectrum, octave.size, settings.decay)
            with torch.no_grad():
                picture = canvas()[_first_of_each(scores, count)]
            last = reached.octave == len(plan) - 1 and reached.step == octave.steps
            before = sum(each.cost * each.steps for each in plan[: reached.octave])
            yield Step(
                image=resize(picture, size) if last else picture,
                scores=scores,
                octave=reached.octave,
                octaves=len(plan),
                step=reached.step,
                steps=octave.steps,
                progress=(before + octave.cost * reached.step) / work,
                state=reached,
            )
        if reached.octave == len(plan) - 1:
            return
        reached = _next(scorer, plan, reached, settings, seed)


def resize(image: Image, size: Size) -> Float[Tensor, "n 3 height width"]:
    """The pictures at another size, bicubic, antialiased where they shrink, within [0, 1]."""
    if image.shape[-2:] == torch.Size(size):
        return image
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def curvature(image: Image) -> Image:
    """The discrete Laplacian, borders continued: the direction in which a picture grows smoother fastest.

    It is the negative gradient of half the sum of squared differences between neighbours (Tikhonov).

    >>> curvature(torch.ones(1, 3, 4, 5)).abs().max()
    tensor(0.)
    """
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    beside = padded[..., 1:-1, 2:] + padded[..., 1:-1, :-2]
    above = padded[..., 2:, 1:-1] + padded[..., :-2, 1:-1]
    return beside + above - 4 * image


def _begin(octave: Octave, settings: ImagineSettings, seed: int) -> ImagineState:
    rng = rng_at(seed, 0, -1)
    canvas = FourierCanvas(octave.size, octave.pictures, decay=settings.decay, generator=rng)
    return at_rest(0, canvas.spectrum.detach())


def _next(
    scorer: Scorer, plan: list[Octave], reached: ImagineState, settings: ImagineSettings, seed: int
) -> ImagineState:
    """The beginning of the next octave: the best pictures, on its canvas."""
    old, new = plan[reached.octave], plan[reached.octave + 1]
    with torch.no_grad():
        image = canvas_of(reached.spectrum, old.size, settings.decay)()
    if new.pictures < old.pictures:
        rng = rng_at(seed, reached.octave + 1, -1)
        image = image[_first_of_each(scorer.evaluate(image, old.view_specs[0], rng, JUDGED), new.pictures)]
    canvas = FourierCanvas.from_image(resize(image, new.size), decay=settings.decay)
    return at_rest(reached.octave + 1, canvas.spectrum.detach())


def at_rest(octave: int, spectrum: Tensor) -> ImagineState:
    """The beginning of an octave: Adam's moments are zero."""
    return ImagineState(octave, 0, spectrum, torch.zeros_like(spectrum), torch.zeros_like(spectrum))


def canvas_of(spectrum: Tensor, size: Size, decay: float) -> FourierCanvas:
    """The canvas of this size whose parameters these are."""
    canvas = FourierCanvas(size, 0, decay=decay, generator=torch.Generator())
    canvas.spectrum = nn.Parameter(spectrum)
    return canvas


def adam(
    state: ImagineState, gradient: Tensor, rate: float | Tensor, moments: tuple[float, float] = MOMENTS
) -> ImagineState:
    """One step of Adam (Kingma and Ba, algorithm 1), upwards, with these decay rates of its moments.

    The rate may be a tensor, as one for each picture.
    """
    step = state.step + 1
    mean = state.mean.lerp(gradient, 1 - moments[0])
    square = state.square.lerp(gradient.square(), 1 - moments[1])
    unbiased = (square / (1 - moments[1] ** step)).sqrt() + torch.finfo(square.dtype).tiny
    moved = state.spectrum.detach() + rate / (1 - moments[0] ** step) * mean / unbiased
    return ImagineState(state.octave, step, moved, mean, square)


def _first_of_each(scores: Scores, count: int) -> Tensor:
    """Of pictures in `count` equal groups, the index of the best in each."""
    groups = scores.view(count, -1)
    return groups.argmax(dim=1) + groups.shape[1] * torch.arange(count)


def augmentation(settings: ImagineSettings, *, flip: bool) -> Augmentation:
    """How pictures are looked at while they are imagined with these settings."""
    return Augmentation(
        rotate=settings.rotate,
        flip=flip,
        tint=settings.tint,
        noise=settings.noise,
        thin=settings.thin,
        natural=settings.natural,
        diversity=settings.diversity,
    )


def fall(done: float, last: float) -> float:
    """Half a cosine, from 1 to `last` (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts)."""
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * done))


def rng_at(seed: int, octave: int, step: int) -> torch.Generator:
    """All chance of a step: a function of where the loop is, so that there is no hidden state to resume."""
    return torch.Generator().manual_seed(random.Random(f"{seed}/{octave}/{step}").getrandbits(63))
