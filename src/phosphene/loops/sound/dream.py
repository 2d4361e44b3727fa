"""Dreaming of sound: sketches are played to the network, the best joins the sound, and ascent shapes both.

    sketches ── the best are varied ──► one patch for each idea ──► stretch after stretch: ascent on a `WaveCanvas`

What is yielded is a change: what has to be added to the sound, mono and at the rate at which the network hears. A long
sound is done in stretches that overlap, of which only one is held.

Sources: Mordvintsev, Olah and Tyka, "Inceptionism" (2015), for dreaming; Olah, Mordvintsev and Schubert, "Feature
Visualization" (Distill 2017), for the decorrelated canvas and robustness to transformations; Yin et al., "Dreaming to
Distill" (CVPR 2020), for batch norm's statistics as a prior.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.waves import WaveCanvas
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import cosine, part
from phosphene.loops.sound import patch as patches
from phosphene.loops.sound.listener import Listener
from phosphene.loops.step import Frame, State, Step, number
from phosphene.recipe.sounds import SoundSettings
from phosphene.vjp import vjp

STRETCH, OVERLAP = 8.0, 0.5
"""Seconds of a stretch, and of its overlap with the next."""

LONGER = 0.2
"""Share by which stretches may be longer, so that a little more sound does not need another one."""

LEVEL = 0.1
"""Root mean square at which sounds are heard: that of music."""

ROUND, KEPT, LOOKS = 16, 6, 2
"""Sketches in a round, how many of the best are varied in the next, and excerpts of each that are heard."""

LAST_LOOKS = 6
"""Excerpts of each of the best sketches, for the last choice."""

DENSER = 1.5
"""How much longer a sketch takes to play, on average, than the two that are timed (measured: 1 to 2)."""

SKETCH_SECONDS = 5.0
EDGE = 0.03
"""Seconds of the fade of a stretch that meets no other."""

BETAS = (0.9, 0.99)
LAST_RATE = 0.05
SHORTEST = 4096
"""Samples to which a shorter sound is lengthened with silence while it is worked on."""


@dataclass(frozen=True)
class SoundPlan:
    """What is to be heard, and when.

    Attributes:
        samples: length of the sound at the network's rate.
        sketches: sketches for each idea; 0 for none.
        strength: a sketch's loudness relative to that of the sound.
        ideas: how many objectives the listener has.
        weights: the weight of each idea at a time in seconds.
        between: patches between two ideas, which the sound passes through.
        stretch: seconds that are worked on at once.
        overlap: seconds of two stretches that are crossfaded; with 0, each begins and ends in silence.
    """

    samples: int
    sketches: int
    strength: float = 1.0
    ideas: int = 1
    weights: Callable[[float], Tensor] = lambda time: torch.ones(1)
    between: int = 3
    stretch: float = STRETCH
    overlap: float = OVERLAP

    def places(self, rate: int) -> list[tuple[int, int]]:
        """Return where each stretch begins and ends."""
        return stretches(self.samples, rate, self.stretch, self.overlap)


def stretches(samples: int, rate: int, seconds: float = STRETCH, overlap: float = OVERLAP) -> list[tuple[int, int]]:
    """Return where each stretch of a sound begins and ends: all equally long, and about as long as asked for.

    >>> stretches(16000 * 10, 16000)
    [(0, 84000), (76000, 160000)]
    """
    shared = round(overlap * rate)
    count = max(1, math.ceil((samples - shared) / (seconds * rate - shared) - LONGER))
    begins = [round(i * (samples - shared) / count) for i in range(count + 1)]
    return [(begin, min(samples, end + shared)) for begin, end in itertools.pairwise(begins)]


def seconds_needed(listener: Listener, settings: SoundSettings, course: SoundPlan) -> float:
    """Estimate how long `sound_steps` takes on this machine, by timing two sketches and a step of ascent."""
    rate, rng = listener.spec.rate, torch.Generator().manual_seed(0)
    weights = torch.ones(course.ideas)
    total = 0.0
    if course.sketches:
        rounds = -(-course.sketches // ROUND)
        began = time.perf_counter()
        sounds = _mixed(_random(rng)[:2], None, course, 0, rate)
        played = time.perf_counter()
        listener.compare(sounds, weights, LOOKS, rng)
        heard = time.perf_counter()
        sketches, looks = rounds * ROUND + KEPT, rounds * ROUND * LOOKS + KEPT * LAST_LOOKS
        each = DENSER * (played - began) / 2 * sketches + (heard - played) / (2 * LOOKS) * looks
        total += each * course.ideas
    places = course.places(rate)
    if settings.steps:
        alone = SoundPlan(course.samples, 0, ideas=course.ideas, weights=lambda _: weights)
        noise = LEVEL * torch.randn(places[0][1] - places[0][0], generator=rng)
        several = settings.model_copy(update={"steps": 2})
        steps = _stretch(listener, noise, several, alone, 0, 0.0, Arithmetic(0), None)
        next(steps)  # loads libraries
        began = time.perf_counter()
        next(steps)
        total += (time.perf_counter() - began) * settings.steps * len(places)
    return total


def sound_steps(
    listener: Listener,
    source: Callable[[int], Iterator[Tensor]] | None,
    settings: SoundSettings,
    course: SoundPlan,
    *,
    arithmetic: Arithmetic,
    state: State | None = None,
) -> Iterator[Step]:
    """Dream of a sound, step by step.

    Args:
        listener: the network, and what is wanted of it.
        source: returns the stretches of the sound from a number on; None for silence.
        settings: those of the recipe.
        course: what is to be heard, and when.
        arithmetic: the seed's random numbers and optimizers.
        state: a step's `state`, to continue after it, to the same samples as without a break.

    Yields:
        A `Step` after each round of sketches and each step of ascent. Its image is the change so far in this stretch,
        and beneath it the sound as it was, `1 1 2 samples`; a step that finishes a stretch has a `frame` with its
        number.
    """
    rate = listener.spec.rate
    places = course.places(rate)
    rounds = -(-course.sketches // ROUND) * course.ideas
    total = rounds * ROUND + max(1, settings.steps) * settings.views * len(places)
    if settings.steps == 0 and source is not None:
        return
    kept = torch.zeros(course.ideas, patches.SIZE) if state is None else state["patches"]
    first = 0 if state is None else int(state["stretch"])
    if rounds and (state is None or first < 0):
        context = next(source(0)) if source is not None else None
        for step in _sketched(listener, context, course, kept, arithmetic, state, total):
            yield step
            kept = step.state["patches"]
        state = None
    first, gain = max(first, 0), _gains(kept, course, arithmetic.seed, rate) if rounds else torch.zeros(0)
    sounds = source(first) if source is not None else _silence(places[first:])
    for index, sound in enumerate(sounds, start=first):
        begin, end = places[index]
        loud = _level(sound) if source is not None else LEVEL
        sketch = (
            _played(kept, gain, course, arithmetic.seed, begin, end, rate) * loud
            if rounds
            else torch.zeros(end - begin)
        )
        for step in _stretch(
            listener, sound + sketch, settings, course, index, (begin + end) / 2 / rate, arithmetic, state
        ):
            done = rounds * ROUND + (index * max(1, settings.steps) + step.step) * settings.views
            yield Step(
                stage=f"stretch {index + 1} of {len(places)}",
                step=step.step,
                steps=max(1, settings.steps),
                progress=done / total,
                image=_shown(step.image[0, 0, 0, : end - begin] + sketch, sound, course, rate),
                scores=step.scores,
                state={"patches": kept, **step.state},
                frame=Frame(index, begin / rate) if step.step == max(1, settings.steps) else None,
            )
        state = None


def _sketched(
    listener: Listener,
    context: Tensor | None,
    course: SoundPlan,
    kept: Tensor,
    arithmetic: Arithmetic,
    state: State | None,
    total: int,
) -> Iterator[Step]:
    """Choose a patch for each idea: from random ones, then from variations of the best."""
    rate, rounds = listener.spec.rate, -(-course.sketches // ROUND)
    begun = (0, 0) if state is None else (int(state["idea"]), int(state["round"]))
    for idea in range(begun[0], course.ideas):
        pool = torch.zeros(0, patches.SIZE)
        scores = torch.zeros(0)
        first = 0
        if state is not None and idea == begun[0]:
            pool, scores, first = state["pool"], state["pool_scores"], begun[1]
        weights = torch.zeros(course.ideas)
        weights[idea] = 1
        for number_of_round in range(first, rounds):
            rng = arithmetic.rng("sketches", idea, number_of_round)
            fresh = _bred(pool, rng) if number_of_round >= max(1, rounds // 3) else _random(rng)
            heard = listener.compare(_mixed(fresh, context, course, arithmetic.seed, rate), weights, LOOKS, rng)
            pool, scores = torch.cat((pool, fresh)), torch.cat((scores, heard))
            best = scores.topk(min(KEPT, len(scores))).indices
            pool, scores = pool[best], scores[best]
            if number_of_round == rounds - 1:
                again = arithmetic.rng("sketches", idea, "last")
                last = listener.compare(
                    _mixed(pool, context, course, arithmetic.seed, rate), weights, LAST_LOOKS, again
                )
                kept = kept.clone()
                kept[idea] = pool[int(last.argmax())]
            done = (idea * rounds + number_of_round + 1) * ROUND
            yield Step(
                stage="sketches",
                step=number_of_round + 1,
                steps=rounds,
                progress=done / total,
                image=torch.zeros(1, 1, 2, round(SKETCH_SECONDS * rate)),
                scores=scores[:1],
                state={
                    "stretch": number(-1),
                    "idea": number(idea + (number_of_round == rounds - 1)),
                    "round": number((number_of_round + 1) % rounds),
                    "patches": kept,
                    "pool": pool[:0] if number_of_round == rounds - 1 else pool,
                    "pool_scores": scores[:0] if number_of_round == rounds - 1 else scores,
                },
            )


def _random(rng: torch.Generator) -> Tensor:
    return torch.stack([patches.random_patch(rng) for _ in range(ROUND)])


def _bred(pool: Tensor, rng: torch.Generator) -> Tensor:
    """Return variations of the patches in the pool, some of them of two."""
    found = []
    for index in range(ROUND):
        parent = pool[index % len(pool)]
        if index % 3 == 2:
            parent = patches.crossed(parent, pool[int(torch.randint(0, len(pool), (), generator=rng))], rng)
        found.append(patches.mutated(parent, rng))
    return torch.stack(found)


def _mixed(
    sketches: Tensor, context: Tensor | None, course: SoundPlan, seed: int, rate: int
) -> Float[Tensor, "n samples"]:
    """Return the sound of each patch, at the level of music, together with the sound that it is to join."""
    length = round(SKETCH_SECONDS * rate)
    waves = torch.stack([patches.render(each, seed, 0, length, rate) for each in sketches])
    waves = waves / (waves.square().mean(dim=1, keepdim=True).sqrt() + 1e-6)
    if context is not None:
        whole = context.repeat(-(-length // len(context)))[:length]
        waves = whole / _level(whole) + course.strength * waves
    return LEVEL * waves / (waves.square().mean(dim=1, keepdim=True).sqrt() + 1e-6)


def _gains(kept: Tensor, course: SoundPlan, seed: int, rate: int) -> Tensor:
    """Return what each idea's patch is multiplied by to have the strength that is asked for."""
    length = round(SKETCH_SECONDS * rate)
    levels = [float(patches.render(each, seed, 0, length, rate).square().mean().sqrt()) for each in kept]
    return course.strength / (torch.tensor(levels) + 1e-6)


def _played(kept: Tensor, gain: Tensor, course: SoundPlan, seed: int, begin: int, end: int, rate: int) -> Tensor:
    """Return what the patches play from `begin` to `end`; between two ideas, patches between them play."""
    if course.ideas == 1:
        return gain[0] * patches.render(kept[0], seed, begin, end - begin, rate)
    time = torch.arange(begin, end) / rate
    steps = course.between + 1
    knots = torch.stack([course.weights(float(each)) for each in torch.linspace(begin / rate, end / rate, 64)])
    place = knots @ torch.arange(course.ideas, dtype=torch.float32)
    along = F.interpolate(place[None, None], size=len(time), mode="linear", align_corners=True)[0, 0] * steps
    out = torch.zeros(end - begin)
    for knot in range(steps * (course.ideas - 1) + 1):
        share = (1 - (along - knot).abs()).clamp(min=0)
        if float(share.max()) <= 0:
            continue
        left, right = divmod(knot, steps)
        mixed = kept[left].lerp(kept[min(left + 1, course.ideas - 1)], right / steps)
        volume = gain[left].lerp(gain[min(left + 1, course.ideas - 1)], right / steps)
        out += torch.sin(share * math.pi / 2) * volume * patches.render(mixed, seed, begin, end - begin, rate)
    return out


def _stretch(
    listener: Listener,
    sound: Tensor,
    settings: SoundSettings,
    course: SoundPlan,
    index: int,
    time: float,
    arithmetic: Arithmetic,
    state: State | None,
) -> Iterator[Step]:
    """Change one stretch by ascent; yield the change, not yet cut to the stretch's length."""
    base = F.pad(sound, (0, max(0, SHORTEST - len(sound))))[None]
    loud = _level(base)
    base = base * (LEVEL / loud)
    canvas = WaveCanvas(base, listener.spec.rate)
    optimizers = {name: arithmetic.optimizer(parameter, BETAS) for name, parameter in canvas.named_parameters()}
    first = 0
    if state is not None and int(state["stretch"]) == index and int(state["step"]):
        first = int(state["step"])
        for name, optimizer in optimizers.items():
            with torch.no_grad():
                optimizer.parameter.copy_(state[f"canvas.{name}"])
            optimizer.resume(part(state, f"adam.{name}."))
    middle = course.weights(time)
    if settings.steps == 0:
        blank = torch.zeros(1, 1, *base.shape)
        yield Step("", 1, 1, 0, blank, torch.zeros(1), {"stretch": number(index + 1), "step": number(0)})
        return
    for step in range(first, settings.steps):
        rng = arithmetic.rng("views", index, step)
        wave = base + canvas()
        scores, direction = listener.direction(wave, middle, rng)
        parameters = [optimizer.parameter for optimizer in optimizers.values()]
        gradients = vjp([wave], parameters, [direction])
        rate = settings.step_size * cosine(step / settings.steps, LAST_RATE)
        for optimizer, gradient in zip(optimizers.values(), gradients, strict=True):
            optimizer.step(gradient, rate)
        last = step + 1 == settings.steps
        kept: dict[str, Tensor] = {"stretch": number(index + last), "step": number(0 if last else step + 1)}
        for name, optimizer in ({} if last else optimizers).items():
            kept[f"canvas.{name}"] = optimizer.parameter.detach().clone()
            kept |= {f"adam.{name}.{key}": tensor for key, tensor in optimizer.state().items()}
        with torch.no_grad():
            change = canvas() * (loud / LEVEL)
        yield Step("", step + 1, settings.steps, 0, change[None, None], scores, kept)


def _shown(change: Tensor, sound: Tensor, course: SoundPlan, rate: int) -> Tensor:
    return torch.stack((_edged(change, course, rate), sound))[None, None]


def _edged(change: Tensor, course: SoundPlan, rate: int) -> Tensor:
    """Fade a stretch in and out where it meets no other."""
    if course.overlap:
        return change
    edge = min(round(EDGE * rate), len(change) // 2)
    ramp = torch.linspace(0, 1, edge)
    faded = change.clone()
    faded[:edge] *= ramp
    faded[len(faded) - edge :] *= ramp.flip(0)
    return faded


def _level(sound: Tensor) -> float:
    return float(sound.square().mean().sqrt()) + 1e-4


def _silence(places: list[tuple[int, int]]) -> Iterator[Tensor]:
    for begin, end in places:
        yield torch.zeros(end - begin)
