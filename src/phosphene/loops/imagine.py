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
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.canvas.fourier import FourierCanvas
from phosphene.errors import SettingError
from phosphene.gradients import precision as precisions
from phosphene.loops.beholder import Beholder, Glance, Habits
from phosphene.loops.step import Step
from phosphene.nets.tap import Net
from phosphene.objectives.base import Objective
from phosphene.objectives.features import Neuron
from phosphene.types import Image, Scores, Size

CANVAS = 1.5
"""Side of the first canvas, in native sides of the network: the larger part of it, which is what a view shows, is seen
at about the size that the network was trained on, and there is something finer to see when it comes closer."""

LARGEST = 2048
"""Side of the largest canvas (of a square of as many pixels); what is to be larger is enlarged in the end."""

DETAIL = 4
"""Steps for the shape, for one of each octave of detail; those move the canvas half as far."""

CLOSE = (1.0, 1.75)
"""What half of the views of detail show, in native sides: as close as the canvas' pixels, or less so."""

MOMENTS = (0.9, 0.99)
"""Adam's decay rates; the second is shorter than usual, for runs of some hundred steps."""

LAST_RATE = 0.1
"""Share of the learning rate that is left at the end of an octave, so that it ends calmly."""

JUDGED = 4
"""Times that sketches are looked at to be compared, each time through another thinned network."""


@dataclass(frozen=True)
class ImagineSettings:
    """How to imagine; the defaults make a picture of a label in 10 to 20 s on two cores.

    Attributes:
        steps: of ascent for the shape, from 1; a quarter as many follow for each octave of detail.
        sketches: begun for each picture, of which the best goes on, from 1 (none). Only for classes: what has its
            place anywhere in the picture looks alike from every start.
        sketch_steps: of ascent for the sketches, from 1.
        views: of each picture that a step looks at, from 1; sketches share them.
        rate: how far a step goes, above 0; 1 would be the contrast of a photograph in each wave.
        decay: amplitudes of finer waves fall as frequency to this power, from 0 (white) to 4; photographs: 1.
        zoom: least and greatest share of the picture's height in a view, above 0.
        rotate: the greatest turn of a view in degrees, to either side, 0 to 180.
        tint: how far the views' contrast and colour cast vary, from 0.
        noise: deviation of the noise in the views, from 0; 1 is black to white.
        thin: share of the network's channels that each step leaves out, from 0 to below 1.
        natural: weight of responses like those to photographs, from 0.
        smooth: weight of a smooth picture, from 0.
        diversity: weight of the unlikeness of pictures that are made together, from 0.

    Raises:
        SettingError: for a number out of its range.
    """

    steps: int = 96
    sketches: int = 4
    sketch_steps: int = 24
    views: int = 8
    rate: float = 0.12
    decay: float = 1.3
    zoom: tuple[float, float] = (0.8, 1.0)
    rotate: float = 8.0
    tint: float = 0.1
    noise: float = 0.08
    thin: float = 0.1
    natural: float = 1.0
    smooth: float = 6.0
    diversity: float = 2.0

    def __post_init__(self) -> None:
        for name in ("steps", "sketches", "sketch_steps", "views"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("tint", "noise", "natural", "smooth", "diversity"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < math.inf, "0 or more")
        _check("rate", self.rate, 0 < self.rate < math.inf, "above 0")
        _check("decay", self.decay, 0 <= self.decay <= 4, "from 0 to 4")
        _check("thin", self.thin, 0 <= self.thin < 1, "from 0 to below 1")
        _check("zoom", self.zoom, 0 < self.zoom[0] <= self.zoom[1], "two numbers above 0, the smaller first")
        _check("rotate", self.rotate, 0 <= self.rotate <= 180, "from 0 to 180 degrees")


@dataclass(frozen=True)
class ImagineState:
    """Where a run is: `step` steps of `octave` done, the canvas' spectrum, and Adam's two moments of it."""

    octave: int
    step: int
    spectrum: Tensor
    mean: Tensor
    square: Tensor


@dataclass(frozen=True)
class Octave:
    """One part of the work: so many steps on `pictures` canvases of this size, and what each step looks at."""

    size: Size
    pictures: int
    steps: int
    rate: float
    glances: tuple[Glance, ...]

    @property
    def cost(self) -> int:
        """Of one step: the pixels that the network sees."""
        return self.pictures * sum(glance.views * math.prod(glance.size) for glance in self.glances)


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
        precision: "auto", "bfloat16" or "float32", in which the network runs.
        state: a step's `state`, to go on from there to the same bytes as without a break.

    Yields:
        A `Step` after each step. While sketching, its image is the best sketch so far of each picture.

    Raises:
        SettingError: for a count, size or precision out of range.
    """
    settings = settings or ImagineSettings()
    _check("count", count, count >= 1, "1 or more")
    _check("size", size, min(size) >= 1, "1 or more pixels on each side")
    placed = any(isinstance(leaf, Neuron) for _, leaf in objective.terms())
    dtype = precisions.choose(precision, next(net.parameters()).device)
    beholder = Beholder(net, objective, _habits(settings, flip=not placed), dtype)
    plan = octaves(net.card.native, objective, settings, count=count, size=size)
    work = sum(octave.cost * octave.steps for octave in plan)
    reached = state if isinstance(state, ImagineState) else _begin(plan[0], settings, seed)
    while True:
        octave = plan[reached.octave]
        canvas = _canvas(octave, settings, reached.spectrum)
        for step in range(reached.step, octave.steps):
            chance = _chance(seed, reached.octave, step)
            image = canvas()
            scores, direction = beholder(image, octave.glances, chance)
            (gradient,) = torch.autograd.grad(image, canvas.spectrum, direction)
            reached = _adam(reached, gradient, octave.rate * _fall(step / octave.steps))
            canvas = _canvas(octave, settings, reached.spectrum)
            with torch.no_grad():
                picture = canvas()[_first_of_each(scores, count)]
            last = reached.octave == len(plan) - 1 and reached.step == octave.steps
            before = sum(each.cost * each.steps for each in plan[: reached.octave])
            yield Step(
                image=resize(picture, size) if last else picture,
                score=float(scores.mean()),
                octave=reached.octave,
                octaves=len(plan),
                step=reached.step,
                steps=octave.steps,
                progress=(before + octave.cost * reached.step) / work,
                state=reached,
            )
        if reached.octave == len(plan) - 1:
            return
        reached = _next(beholder, plan, reached, settings, seed)


def octaves(native: int, objective: Objective, settings: ImagineSettings, *, count: int, size: Size) -> list[Octave]:
    """The parts of the work for a network of this native side, in their order.

    A class is a thing of a certain size in the picture: it is sketched, drawn, and refined once. What may be anywhere
    (a channel, a layer) fills a canvas of any size, and is refined until that has half the pixels asked for on each
    side, up to `LARGEST`. A neuron has its place: views of it are not moved far, and see more in each octave instead.
    """
    whole = all(leaf.spatial for _, leaf in objective.terms())
    placed = any(isinstance(leaf, Neuron) for _, leaf in objective.terms())
    side = native * CANVAS
    seen = _shaped(native, size, multiple=native // 4)
    glance = Glance(settings.views, seen, settings.zoom)
    shape = Octave(_shaped(side, size), count, settings.steps, settings.rate, (glance,))
    plan = [shape]
    if settings.sketches > 1 and not whole:
        few = replace(glance, views=math.ceil(settings.views / settings.sketches))
        sketched = replace(shape, pictures=count * settings.sketches, steps=settings.sketch_steps, glances=(few,))
        plan.insert(0, sketched)
    wanted = min(LARGEST, math.sqrt(math.prod(size))) if whole else 0.0
    steps, octave = max(1, settings.steps // DETAIL), 0
    while octave == 0 or side * 1.5 < wanted:
        octave, side = octave + 1, side * 2
        near = native / side
        close = Glance(max(1, settings.views // 2), seen, (CLOSE[0] * near, CLOSE[1] * near))
        glances: tuple[Glance, ...] = (replace(glance, views=max(1, settings.views // 2)), close)
        if placed:
            larger = _shaped(native * 2, size, multiple=native // 4)
            glances = (Glance(max(1, settings.views // 4), larger, settings.zoom),)
        elif octave > 1:  # nothing new to be seen from afar; as many more views as there is more to see
            glances = (replace(close, views=settings.views * 2 ** (octave - 1)),)
        plan.append(Octave(_shaped(side, size), count, steps, settings.rate / 2, glances))
    return plan


def resize(image: Image, size: Size) -> Float[Tensor, "n 3 height width"]:
    """The pictures at another size, bicubic, antialiased where they shrink, within [0, 1]."""
    if image.shape[-2:] == torch.Size(size):
        return image
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _begin(octave: Octave, settings: ImagineSettings, seed: int) -> ImagineState:
    chance = _chance(seed, 0, -1)
    canvas = FourierCanvas(octave.size, octave.pictures, decay=settings.decay, generator=chance)
    return _at_rest(0, canvas.spectrum.detach())


def _next(
    beholder: Beholder, plan: list[Octave], reached: ImagineState, settings: ImagineSettings, seed: int
) -> ImagineState:
    """The beginning of the next octave: the best pictures, on its canvas."""
    old, new = plan[reached.octave], plan[reached.octave + 1]
    with torch.no_grad():
        image = _canvas(old, settings, reached.spectrum)()
    if new.pictures < old.pictures:
        chance = _chance(seed, reached.octave + 1, -1)
        image = image[_first_of_each(beholder.judge(image, old.glances[0], chance, JUDGED), new.pictures)]
    canvas = FourierCanvas.from_image(resize(image, new.size), decay=settings.decay)
    return _at_rest(reached.octave + 1, canvas.spectrum.detach())


def _at_rest(octave: int, spectrum: Tensor) -> ImagineState:
    return ImagineState(octave, 0, spectrum, torch.zeros_like(spectrum), torch.zeros_like(spectrum))


def _canvas(octave: Octave, settings: ImagineSettings, spectrum: Tensor) -> FourierCanvas:
    canvas = FourierCanvas(octave.size, 0, decay=settings.decay, generator=torch.Generator())
    canvas.spectrum = nn.Parameter(spectrum)
    return canvas


def _adam(state: ImagineState, gradient: Tensor, rate: float) -> ImagineState:
    """One step of Adam (Kingma and Ba, algorithm 1), upwards."""
    step = state.step + 1
    mean = state.mean.lerp(gradient, 1 - MOMENTS[0])
    square = state.square.lerp(gradient.square(), 1 - MOMENTS[1])
    unbiased = (square / (1 - MOMENTS[1] ** step)).sqrt() + torch.finfo(square.dtype).tiny
    moved = state.spectrum + rate / (1 - MOMENTS[0] ** step) * mean / unbiased
    return ImagineState(state.octave, step, moved, mean, square)


def _first_of_each(scores: Scores, count: int) -> Tensor:
    """Of pictures in `count` equal groups, the index of the best in each."""
    groups = scores.view(count, -1)
    return groups.argmax(dim=1) + groups.shape[1] * torch.arange(count)


def _shaped(side: float, size: Size, multiple: int = 1) -> Size:
    """A size of the aspect of `size` and of about as many pixels as a square of `side`; multiples of `multiple`."""
    stretch = math.sqrt(size[0] / size[1])
    height, width = (max(1, round(each / multiple)) * multiple for each in (side * stretch, side / stretch))
    return height, width


def _habits(settings: ImagineSettings, *, flip: bool) -> Habits:
    return Habits(
        rotate=settings.rotate,
        flip=flip,
        tint=settings.tint,
        noise=settings.noise,
        thin=settings.thin,
        natural=settings.natural,
        smooth=settings.smooth,
        diversity=settings.diversity,
    )


def _fall(done: float) -> float:
    """Half a cosine, from 1 to `LAST_RATE` (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts)."""
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * done))


def _chance(seed: int, octave: int, step: int) -> torch.Generator:
    # A function of where the loop is, so that there is no hidden state to resume.
    return torch.Generator().manual_seed(random.Random(f"{seed}/{octave}/{step}").getrandbits(63))


def _check(setting: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise SettingError(f"{setting} must be {wanted}, but is {value}", setting=setting, value=value)
