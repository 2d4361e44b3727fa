"""From one idea to the next: pictures that are imagined together, aligned, so that one turns into the other.

    keyframes: the ideas, and between two of them some pictures that are both, by weights
    spectrum of a keyframe = shared + its own        (the shared part makes them alike, and is drawn first)
    frame    = the picture of the spectrum between two keyframes' spectra

Two pictures that were imagined separately can only be cross-faded. With shared parameters, the parts of one stand where
the parts of the other do, and what lies between their parameters is a picture too.

Source: Mordvintsev, Pezzotti, Schubert and Olah, "Differentiable Image Parameterizations" (Distill 2018), "Aligned
feature visualization interpolation".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

from phosphene.canvas.fourier import FourierCanvas
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic, Optimizer
from phosphene.loops.ascent import cosine, part
from phosphene.loops.composition import composed
from phosphene.loops.ensemble import Ensemble, Member
from phosphene.loops.imagine import BETAS, curvature
from phosphene.loops.levels import Levels, keep_level, measure
from phosphene.loops.several import Several
from phosphene.loops.stages import Stage, plan
from phosphene.loops.step import Frame, State, Step, number
from phosphene.loops.typical import typical_of
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe.films import MORPH_SECONDS, MorphSettings
from phosphene.recipe.keyframes import at, read_track, smoothstep
from phosphene.recipe.stills import ImagineSettings
from phosphene.resampling import resize
from phosphene.types import Activations, Image, Scores, Size
from phosphene.vjp import vjp

Ideas = tuple[Objective, ...]

BATCH = 8
"""Keyframes that the network looks at together: this bounds the memory, however many ideas there are."""

LAST_RATE = 0.1
"""Share of the learning rate that is left at the end of a stage."""

FRAME_COST = 4
"""Cost of a frame in views of its own size, to tell how much of the work is done."""


def frame_count(settings: MorphSettings, ideas: int) -> int:
    """Return the number of frames of a morph of this many ideas."""
    return max(2, round((settings.seconds or MORPH_SECONDS) * _transitions(settings, ideas) * Fraction(settings.fps)))


def pixels_seen(
    nets: Sequence[Net], ideas: Ideas, settings: MorphSettings, look: ImagineSettings, *, size: Size
) -> int:
    """Return how many pixels the networks see while they imagine the keyframes, and what the frames cost besides."""
    blends = _Blends(ideas, keyframes(len(ideas), settings.between, loop=settings.loop))
    stages = _plan(nets, blends, look, size)
    return sum(stage.cost * stage.steps for stage in stages) + _frames_cost(settings, len(ideas), size)


def morph_steps(
    net: Net,
    ideas: Ideas,
    settings: MorphSettings,
    look: ImagineSettings,
    *,
    others: Sequence[tuple[Net, Ideas]] = (),
    size: Size,
    dtype: torch.dtype,
    arithmetic: Arithmetic,
    state: State | None = None,
) -> Iterator[Step]:
    """Imagine all keyframes, then make the frames from the first idea to the last, yielding a step for each.

    Args:
        net: the network.
        ideas: two or more resolved objectives.
        settings: those of the recipe.
        look: how the pictures are imagined; `steps`, `views` and `seed` are those of `settings`.
        others: further networks that score the pictures, each with the same ideas as resolved on its card.
        size: (height, width) of the film.
        dtype: the number format that the network runs in.
        arithmetic: the RNGs and optimizers, which also hold the seed.
        state: a step's `state`, to continue after it, to the same bytes.
    """
    work = _Imagining([(net, ideas), *others], settings, look, size, dtype, arithmetic)
    frames = frame_count(settings, len(ideas))
    total = work.cost + _frames_cost(settings, len(ideas), size)
    if state is None or "stage" in state:
        for step in work.steps(state, total):
            state = step.state
            yield step
        assert state is not None, "imagining takes steps"
        spectra, first = work.finished(state["spectra"]), 0
    else:
        spectra, first = state["spectra"], int(state["index"])
    shares = travelled(settings, frames)
    for index in range(first, frames):
        image = resize(_frame(spectra, _position(shares[index], settings, len(ideas)), work.last), size, clamp=True)
        yield Step(
            stage="frame",
            step=index + 1,
            steps=frames,
            progress=(work.cost + FRAME_COST * (index + 1) * math.prod(size)) / total,
            image=image,
            scores=torch.full((1,), math.nan),
            state={"index": number(index + 1), "spectra": spectra},
            frame=Frame(index, float(index / Fraction(settings.fps))),
        )


def keyframes(ideas: int, between: int, *, loop: bool = False) -> Tensor:
    """Return how much each idea counts at each keyframe, `keyframes ideas`; each row adds up to 1.

    >>> keyframes(2, 1)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000]])
    """
    transitions = ideas if loop else ideas - 1
    weights = torch.zeros(transitions * (between + 1) + 1, ideas)
    for row in range(len(weights)):
        idea, step = divmod(row, between + 1)
        share = step / (between + 1)
        weights[row, idea % ideas] += 1 - share
        weights[row, (idea + 1) % ideas] += share
    return weights


class _Blends(Several):
    """The ideas, of which each picture shows another blend."""

    def __init__(self, ideas: Ideas, weights: Tensor) -> None:
        super().__init__(ideas)
        self.weights = weights

    def __call__(self, activations: Activations) -> Scores:
        total = torch.zeros(())
        for idea, weights in zip(self.objectives, self.weights.T, strict=True):
            if weights.any():
                scores = idea(activations)
                total = total + scores * weights.repeat_interleave(len(scores) // len(weights))
        return total


@dataclass(frozen=True)
class _Canvas:
    """The size and decay of the canvases of a stage, whose parameters are rows of one tensor of spectra."""

    size: Size
    decay: float

    def of(self, spectra: Tensor) -> FourierCanvas:
        """Return the canvas of these spectra, `n c h w 2`."""
        return FourierCanvas.from_spectrum(spectra, self.size, decay=self.decay)

    def picture(self, spectrum: Tensor) -> Image:
        """Return the picture of one spectrum."""
        with torch.no_grad():
            return self.of(spectrum.view(1, *spectrum.shape[-4:]))()


class _Imagining:
    """The keyframes being imagined. Row 0 of `spectra` is what they share, the others are each one's own part."""

    def __init__(
        self,
        nets: Sequence[tuple[Net, Ideas]],
        settings: MorphSettings,
        look: ImagineSettings,
        size: Size,
        dtype: torch.dtype,
        arithmetic: Arithmetic,
    ) -> None:
        net, ideas = nets[0]
        weights = keyframes(len(ideas), settings.between, loop=settings.loop)
        self._blends = [_Blends(own, weights) for _, own in nets]
        members = [Member(each, blends) for (each, _), blends in zip(nets, self._blends, strict=True)]
        self._settings, self._look, self._arithmetic = settings, look, arithmetic
        self._stages = _plan([each for each, _ in nets], self._blends[0], look, size)
        composes = not any(leaf.spatial for _, leaf in self._blends[0].terms())
        self._focus, self._calm = (look.focus, look.calm) if composes else (0.0, 0.0)
        self._canvases = [_Canvas(stage.size, stage.decay) for stage in self._stages]
        # Not mirrored: a thing should face the same way in all keyframes, and they are to be alike.
        settings_alone = look.model_copy(update={"diversity": 0.0})  # the pictures are to be alike
        self._ensemble = Ensemble(members, settings_alone, dtype, flip=False)
        self._typical = typical_of(net.card, look.typical) if composes else None
        rng = arithmetic.rng("canvas")
        first = self._stages[0].size
        channels = net.card.input.channels
        start = FourierCanvas(first, 1, channels=channels, decay=look.decay, generator=rng)
        start = start if self._typical is None else start.around(self._typical.mean(first))
        self._shared = start.spectrum.detach()
        noise = FourierCanvas(first, 1, channels=channels, decay=look.decay, generator=rng)().detach()
        self._weights = weights * _units(net, ideas, noise)
        self.last = self._canvases[-1]
        self.cost = sum(stage.cost * stage.steps for stage in self._stages)

    def steps(self, state: State | None, total: float) -> Iterator[Step]:
        """Imagine the keyframes stage by stage; `total` is the cost of all the work."""
        index = 0 if state is None else int(state["stage"])
        spectra = self._start() if state is None else state["spectra"]
        rates = torch.tensor([self._settings.shared] + [1 - self._settings.shared] * len(self._weights))
        rates = rates.view(-1, 1, 1, 1, 1)
        for number_of in range(index, len(self._stages)):
            stage = self._stages[number_of]
            if number_of and (state is None or number_of > index):
                spectra = self._enlarged(spectra, number_of)
            parameter = nn.Parameter(spectra.clone())
            optimizer = self._arithmetic.optimizer(parameter, BETAS)
            first = 0
            if state is not None and number_of == index:
                first = int(state["step"])
                optimizer.resume(part(state, "adam."))
            for step in range(first, stage.steps):
                scores, gradient = self._gradient(parameter.detach(), number_of, step)
                optimizer.step(gradient, rates * (2 * stage.rate * cosine(step / stage.steps, LAST_RATE)))
                spectra = parameter.detach().clone()
                done = sum(each.cost * each.steps for each in self._stages[:number_of]) + stage.cost * (step + 1)
                yield self._report(number_of, step + 1, done / total, spectra, scores, optimizer)

    def finished(self, spectra: Tensor) -> Tensor:
        """Return the spectra of the film: in a loop, the last keyframe is the first one."""
        if self._settings.loop:
            spectra = spectra.clone()
            spectra[-1] = spectra[1]  # the same idea, imagined twice
        return spectra

    def _start(self) -> Tensor:
        return torch.cat((self._shared, torch.zeros(len(self._weights), *self._shared.shape[1:])))

    def _report(
        self, index: int, step: int, progress: float, spectra: Tensor, scores: Scores, optimizer: Optimizer
    ) -> Step:
        state = {"stage": number(index), "step": number(step), "spectra": spectra}
        return Step(
            stage=f"imagining, {self._stages[index].name}",
            step=step,
            steps=self._stages[index].steps,
            progress=progress,
            image=self._canvases[index].picture(spectra[0] + spectra[1]),
            scores=scores,
            state={**state, **{f"adam.{name}": tensor for name, tensor in optimizer.state().items()}},
        )

    def _gradient(self, spectra: Tensor, index: int, step: int) -> tuple[Scores, Tensor]:
        """Return the keyframes' scores, and how the shared spectrum and each keyframe's own should change."""
        stage, canvas = self._stages[index], self._canvases[index]
        rng = self._arithmetic.rng("views", index, step)
        own: list[Tensor] = []
        scores: list[Scores] = []
        for batch in torch.arange(len(self._weights)).split(BATCH):
            pictures = canvas.of(spectra[:1] + spectra[1 + batch])
            image = pictures()
            for blends in self._blends:
                blends.weights = self._weights[batch]
            each, direction = self._ensemble(image, stage.looks, rng)
            smoothing = curvature(image.detach())
            direction = composed(direction, smoothing, smooth=stage.smooth, focus=self._focus, calm=self._calm)
            if self._typical is not None:
                direction = direction.add_(self._typical.pull(image.detach()))
            own += vjp([image], [pictures.spectrum], [direction])
            scores.append(each)
        gradient = torch.cat(own)
        return torch.cat(scores), torch.cat((gradient.mean(dim=0, keepdim=True), gradient))

    def _enlarged(self, spectra: Tensor, index: int) -> Tensor:
        """Return the same pictures on the larger canvas of stage `index`: the shared one, and differences from it."""
        old, new = self._canvases[index - 1], self._canvases[index]

        def grown(spectrum: Tensor) -> Tensor:
            image = old.of(spectrum).resized(new.size)
            return FourierCanvas.from_image(image, decay=new.decay).spectrum.detach()

        shared = grown(spectra[:1])
        return torch.cat((shared, *(grown(spectra[:1] + own) - shared for own in spectra[1:].split(1))))


def _plan(nets: Sequence[Net], blends: _Blends, look: ImagineSettings, size: Size) -> list[Stage]:
    alone = look.model_copy(update={"sketches": 1})  # all keyframes begin with the same noise
    sizes = [net.card.input.size for net in nets]
    return plan(sizes, blends, alone, count=len(blends.weights), size=size, closest=nets[0].card.closest)


def _frames_cost(settings: MorphSettings, ideas: int, size: Size) -> int:
    return FRAME_COST * frame_count(settings, ideas) * math.prod(size)


def _units(net: Net, ideas: Ideas, image: Image) -> Tensor:
    """Return the factors that make the weights of ideas in different layers, and so in different units, comparable."""
    if len({idea.layers() for idea in ideas}) == 1:
        return torch.ones(len(ideas))
    lengths = [Engine(net, idea, precision="float32")(image)[1].abs().mean() for idea in ideas]
    return 1 / torch.stack(lengths).clamp_min(1e-20)


def _transitions(settings: MorphSettings, ideas: int) -> int:
    return ideas if settings.loop else ideas - 1


def travelled(settings: MorphSettings, frames: int) -> list[float]:
    """Return the share of the whole way that each frame has come, 0 to 1, at the pace of the settings.

    >>> travelled(MorphSettings(pace="0s: 1; 0.04s: 3"), 4)
    [0.0, 0.25, 0.625, 1.0]
    """
    whole = frames if settings.loop else max(1, frames - 1)
    pace, fps = read_track(settings.pace), Fraction(settings.fps)
    if len(pace.values) == 1:
        return [index / whole for index in range(frames)]
    # Between two frames, the mean pace of both.
    paces = [at(pace, float(index / fps))[0] for index in range(whole + 1)]
    steps = [(paces[index] + paces[index + 1]) / 2 for index in range(whole)]
    sums = [0.0, *itertools.accumulate(steps)]
    return [each / sums[-1] for each in sums[:frames]]


def _position(share: float, settings: MorphSettings, ideas: int) -> float:
    """Return which keyframe is at this share of the way: slow at the ideas, faster between them."""
    transition, share = divmod(share * _transitions(settings, ideas), 1)
    return (transition + smoothstep(share)) * (settings.between + 1)


def _frame(spectra: Tensor, position: float, canvas: _Canvas) -> Image:
    """Return the picture between two keyframes, with levels between theirs."""
    shared, own = spectra[:1], spectra[1:]
    keyframe = min(int(position), len(own) - 2)
    share = position - keyframe
    before, after = (measure(canvas.picture(shared + own[near])) for near in (keyframe, keyframe + 1))
    image = canvas.picture(shared + torch.lerp(own[keyframe], own[keyframe + 1], share))
    # Details that only one of two pictures has are fainter between them.
    return keep_level(image, _between(before, after, share), 1.0)


def _between(one: Levels, other: Levels, share: float) -> Levels:
    return Levels(one.stds.lerp(other.stds, share), one.mean.lerp(other.mean, share), one.root.lerp(other.root, share))
