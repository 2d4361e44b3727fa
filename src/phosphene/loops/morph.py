"""From one idea to the next: pictures that are imagined together, aligned, so that one turns into the other.

    stations: ideas, and between two of them some that are both, by weights
    spectrum of a station = shared + its own            (the shared part makes them alike, and is drawn first)
    frame    = the picture of the spectrum between two stations' spectra

Two pictures that were imagined apart can only be cross-faded. With shared parameters the parts of one stand where
the parts of the other do, and what lies between their parameters is a picture too.

Source: Mordvintsev, Pezzotti, Schubert and Olah, "Differentiable Image Parameterizations" (Distill 2018), "Aligned
feature visualization interpolation".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from phosphene.canvas.fourier import FourierCanvas
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.frames import Frame
from phosphene.loops.imagine import adam, at_rest, augmentation, canvas_of, curvature, fall, resize, rng_at
from phosphene.loops.levels import Levels, keep_level, measure
from phosphene.loops.scorer import Scorer
from phosphene.loops.several import Several
from phosphene.loops.stages import ImagineSettings, Octave, octaves
from phosphene.loops.step import State, number
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.types import Activations, Image, Scores, Size

BATCH = 8
"""Stations that the network looks at together: what bounds the memory, however many ideas there are."""

LAST_RATE = 0.1
"""Share of the learning rate that is left at the end of an octave."""


OnProgress = Callable[[float], object]


@dataclass(frozen=True)
class MorphSettings:
    """How ideas become one another.

    `frames` in all at `fps`; `between` stations between two ideas, 0 or more; `shared`, 0 to 1, is how much of a step
    all stations take together. With `loop` the last idea becomes the first one again. `look` is how stations are
    imagined. Raises `SettingError` for a value out of its range.
    """

    frames: int
    fps: Fraction
    size: Size
    between: int
    shared: float
    loop: bool
    seed: int
    look: ImagineSettings

    def __post_init__(self) -> None:
        if self.between < 0:
            raise SettingError(f"between must be 0 or more, but is {self.between}", setting="between")
        if not 0 <= self.shared <= 1:
            raise SettingError(f"shared must be from 0 to 1, but is {self.shared}", setting="shared")


def morph_frames(
    net: Net,
    ideas: tuple[Objective, ...],
    settings: MorphSettings,
    dtype: torch.dtype,
    *,
    state: State | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Iterator[Frame]:
    """Imagine all stations, then yield the frames from the first idea to the last.

    With the `state` of a frame it goes on behind that one, and nothing is imagined again. `on_progress` is told the
    share of the imagining that is done, 0 to 1, after each of its steps.
    """
    weights = keyframes(len(ideas), settings.between, loop=settings.loop)
    if state is None:
        shared, own = _imagined(net, ideas, weights, settings, dtype, on_progress)
        first = 0
    else:
        shared, own, first = state["shared"], state["own"], int(state["index"])
    last = _octaves(net, ideas, weights, settings)[-1]
    levels: dict[int, Levels] = {}
    for index in range(first, settings.frames):
        place = _place(index, settings, len(ideas))
        keyframe = min(int(place), len(own) - 2)
        share = place - keyframe
        for near in (keyframe, keyframe + 1):
            levels.setdefault(near, measure(_picture(shared + own[near], last, settings)))
        image = _picture(shared + torch.lerp(own[keyframe], own[keyframe + 1], share), last, settings)
        # What two pictures do not have in common is fainter between them.
        image = keep_level(image, _between(levels[keyframe], levels[keyframe + 1], share), 1.0)
        image = resize(image, settings.size)
        kept = {"index": number(index + 1), "shared": shared, "own": own}
        yield Frame(image, index, settings.frames, float(index / settings.fps), math.nan, kept)


def keyframes(ideas: int, between: int, *, loop: bool = False) -> Tensor:
    """How much each idea counts at each station, `stations ideas`; each row adds up to 1.

    >>> keyframes(2, 1)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000]])
    """
    ways = ideas if loop else ideas - 1
    weights = torch.zeros(ways * (between + 1) + 1, ideas)
    for row in range(len(weights)):
        idea, part = divmod(row, between + 1)
        share = part / (between + 1)
        weights[row, idea % ideas] += 1 - share
        weights[row, (idea + 1) % ideas] += share
    return weights


class _Aims(Several):
    """The ideas, of which each picture is to show another blend."""

    def __init__(self, ideas: tuple[Objective, ...], weights: Tensor) -> None:
        super().__init__(ideas)
        self.weights = weights

    def __call__(self, activations: Activations) -> Scores:
        total = torch.zeros(())
        for idea, weights in zip(self.objectives, self.weights.T, strict=True):
            if weights.any():
                scores = idea(activations)
                total = total + scores * weights.repeat_interleave(len(scores) // len(weights))
        return total


def _imagined(
    net: Net,
    ideas: tuple[Objective, ...],
    weights: Tensor,
    settings: MorphSettings,
    dtype: torch.dtype,
    on_progress: OnProgress,
) -> tuple[Tensor, Tensor]:
    """The spectra of the stations on the last octave's canvas: what they share, and each one's own."""
    aims = _Aims(ideas, weights)
    # Not mirrored: which way a thing looks is to be the same in all stations, and they are to be alike.
    scorer = Scorer(net, aims, augmentation(replace(settings.look, diversity=0.0), flip=False), dtype)
    plan = _octaves(net, ideas, weights, settings)
    done, work = 0, sum(octave.cost * octave.steps for octave in plan)
    rng = rng_at(settings.seed, 0, -1)
    decay = settings.look.decay
    shared = FourierCanvas(plan[0].size, 1, decay=decay, generator=rng).spectrum.detach()
    spectra = torch.cat((shared, torch.zeros(len(weights), *shared.shape[1:])))
    weights = weights * _units(net, ideas, FourierCanvas(plan[0].size, 1, decay=decay, generator=rng)().detach())
    rates = torch.tensor([settings.shared] + [1 - settings.shared] * len(weights)).view(-1, 1, 1, 1, 1)
    for number_of, octave in enumerate(plan):
        if number_of:
            spectra = _enlarged(spectra, plan[number_of - 1], octave, settings)
        reached = at_rest(number_of, spectra)
        for step in range(octave.steps):
            rng = rng_at(settings.seed, number_of, step)
            gradient = _gradient(scorer, aims, reached.spectrum, weights, octave, settings, rng)
            reached = adam(reached, gradient, rates * (2 * octave.rate * fall(step / octave.steps, LAST_RATE)))
            done += octave.cost
            on_progress(done / work)
        spectra = reached.spectrum
        if settings.loop:
            spectra[-1] = spectra[1]  # the same idea, imagined twice
    return spectra[:1], spectra[1:]


def _gradient(
    scorer: Scorer,
    aims: _Aims,
    spectra: Tensor,
    weights: Tensor,
    octave: Octave,
    settings: MorphSettings,
    rng: torch.Generator,
) -> Tensor:
    """In which direction the shared spectrum, and each station's own, should change."""
    own = []
    for batch in torch.arange(len(weights)).split(BATCH):
        canvas = canvas_of(spectra[:1] + spectra[1 + batch], octave.size, settings.look.decay)
        image = canvas()
        aims.weights = weights[batch]
        _, direction = scorer(image, octave.view_specs, rng)
        direction = direction + octave.smooth * curvature(image.detach())
        (gradient,) = torch.autograd.grad(image, canvas.spectrum, direction)
        own.append(gradient)
    each = torch.cat(own)
    return torch.cat((each.mean(dim=0, keepdim=True), each))


def _enlarged(spectra: Tensor, old: Octave, new: Octave, settings: MorphSettings) -> Tensor:
    """The same pictures on a larger canvas: that of what is shared, and each one's difference from it."""
    decay = settings.look.decay

    def grown(each: Tensor) -> Tensor:
        with torch.no_grad():
            image = resize(canvas_of(each, old.size, decay)(), new.size)
        return FourierCanvas.from_image(image, decay=decay).spectrum.detach()

    shared = grown(spectra[:1])
    return torch.cat((shared, *(grown(spectra[:1] + own) - shared for own in spectra[1:].split(1))))


def _units(net: Net, ideas: tuple[Objective, ...], image: Image) -> Tensor:
    """What each idea's weight is multiplied by, so that those of different layers, in different units, are equals."""
    if len({idea.layers() for idea in ideas}) == 1:
        return torch.ones(len(ideas))
    lengths = [Engine(net, idea, precision="float32")(image)[1].abs().mean() for idea in ideas]
    return 1 / torch.stack(lengths).clamp_min(1e-20)


def _octaves(net: Net, ideas: tuple[Objective, ...], weights: Tensor, settings: MorphSettings) -> list[Octave]:
    return octaves(net.card.input.size, _Aims(ideas, weights), settings.look, count=len(weights), size=settings.size)


def _picture(spectrum: Tensor, octave: Octave, settings: MorphSettings) -> Image:
    with torch.no_grad():
        return canvas_of(spectrum.view(1, *spectrum.shape[-4:]), octave.size, settings.look.decay)()


def _place(index: int, settings: MorphSettings, ideas: int) -> float:
    """Which station a frame is at: slow at the ideas, faster between them."""
    ways = ideas if settings.loop else ideas - 1
    whole = settings.frames if settings.loop else max(1, settings.frames - 1)
    way, share = divmod(index / whole * ways, 1)
    return (way + share * share * (3 - 2 * share)) * (settings.between + 1)


def _between(one: Levels, other: Levels, share: float) -> Levels:
    return Levels(one.stds.lerp(other.stds, share), one.mean.lerp(other.mean, share), one.root.lerp(other.root, share))
