"""From the recipes of sounds to their work: stretches dreamt one after the other, and the file made of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.sound.dream import STRETCH, SoundPlan, seconds_needed, sound_steps, stretches
from phosphene.loops.sound.listener import Listener
from phosphene.loops.step import State, Step
from phosphene.loops.version1 import arithmetic_for
from phosphene.media import atomic
from phosphene.media.image import check_writable, write_image
from phosphene.media.sound import assemble
from phosphene.media.sound.loudness import CEILING, LOSSY_CEILING
from phosphene.media.sound.plot import coloured, plot_sound
from phosphene.media.sound.read import SoundFile, open_sound
from phosphene.media.sound.resample import mixed_down
from phosphene.media.sound.write import FORMATS, check_sound, format_of, writing
from phosphene.nets.base import Net
from phosphene.nets.card import SoundSpec
from phosphene.nets.ops.log_mel import LogMel, band_centres
from phosphene.objectives.base import Objective
from phosphene.recipe import BaseRecipe, dumps, relative_to, resolved
from phosphene.recipe.keyframes import smoothstep
from phosphene.recipe.sounds import DreamSoundRecipe, ImagineSoundRecipe, MorphSoundRecipe, SheetSoundRecipe, Track
from phosphene.render import networks, sources
from phosphene.render.environment import environment
from phosphene.render.estimate import Load
from phosphene.render.job import Format, Given, Job, Work
from phosphene.render.kept_output import KeptOutput
from phosphene.render.sound_film import SoundFilm, SoundShown
from phosphene.types import Image

SHORT_STRETCH = 1.5
"""Seconds of the shortest stretch of a sound that becomes another."""

FINISHING, COPYING = 0.08, 0.01
"""Seconds that mixing, loudness and writing take for a second of sound, and writing alone (measured on sounds of 3 to
11 s: 0.07 to 0.14, and 0.01)."""

MADE_RATE = 44_100
"""Samples per second of a sound that is made from nothing."""


@dataclass(frozen=True, eq=False)
class SoundWork(Work):
    """The work of a sound.

    `places` are the stretches at the network's rate; `source` is the sound that is changed, None for one made of
    nothing, `seconds` its length, and `rate` that of the result. Of a sheet, each stretch is of one of `pictured`, and
    there is a picture of all.
    """

    streams: ClassVar[bool] = True
    has_film: ClassVar[bool] = True
    suffix: ClassVar[str | None] = ".flac"

    recipe: BaseRecipe
    load: Load | None
    begin: Callable[[State | None], Iterator[Step]] = field(repr=False)
    places: list[tuple[int, int]] = field(repr=False)
    spec: SoundSpec
    device: torch.device
    source: SoundFile | None
    seconds: float
    rate: int
    unchanged: bool = False
    pictured: tuple[str, ...] = ()
    timed: Callable[[], float] | None = field(default=None, repr=False)

    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        return self.begin(state)

    def look(self, step: Step) -> Image:
        """Return the spectrogram of the present stretch as it is after `step`, 1 3 h w."""
        wave = step.image[0, 0].sum(dim=0, keepdim=True)
        with torch.no_grad():
            heard = LogMel(self.spec)(wave if wave.shape[1] > self.spec.frame else wave.repeat(1, self.spec.frame))
        return torch.from_numpy(coloured(heard[0, 0])).permute(2, 0, 1)[None].float() / 255

    def paths(self, path: Path) -> list[Path]:
        """Return where the sound will be, and the picture of a sheet."""
        if not self.pictured:
            format_of(path)  # a name that cannot be is told before the work begins
            return [path]
        is_sound = path.suffix.lower() in FORMATS
        return [path if is_sound else path.with_suffix(".flac"), path.with_suffix(".png") if is_sound else path]

    def result(self, step: Step | None) -> UnwrittenSound:
        """Return the sound, which is made when it is saved."""
        return UnwrittenSound(self)

    def output(self, path: Path, format: Format, *, fresh: bool) -> SoundOutput:
        """Open the unfinished sound at `path`."""
        return SoundOutput(self, path, format, fresh=fresh)


@dataclass(frozen=True, eq=False)
class UnwrittenSound:
    """A sound that is made when it is saved, since it may be too long to be held."""

    work: SoundWork

    def save(self, path: str | os.PathLike[str], **format: Any) -> None:
        """Make the sound and write it, in the format that the suffix names, with its recipe inside."""
        Job.of(self.work).save(path, **format)


class SoundOutput(KeptOutput):
    """A sound that is being written: the work folder beside it has the stretches that are done too, as float32."""

    def __init__(self, work: SoundWork, path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("quality", "codec", "crf", kind="sounds")
        channels = work.source.channels if work.source else 1
        own = work.source.depth if work.source else None
        self._depth = max(format.depth, own or 16)
        path, *pictures = work.paths(path)
        lossy = check_sound(path, work.rate, channels, self._depth) == 0
        self._ceiling = LOSSY_CEILING if lossy else CEILING
        atomic.check(path)
        for self._picture in pictures:
            check_writable(self._picture)
        if format.film is not None and work.unchanged:
            raise SettingError("a film shows how a sound is dreamt, but 0 steps change nothing", setting="film")
        self._work, self._path, self._channels = work, path, channels
        there = relative_to(work.recipe, Path(os.path.abspath(path)).parent)
        self._recipe = dumps(there) if format.with_recipe else None
        facts = None if format.film is None else {"film": True}  # for which the spectrograms of all steps are kept
        super().__init__(path, work.recipe, environment(work.device), facts=facts, fresh=fresh, eager=True)
        self._film = None
        if format.film is not None:
            self._film = self._begin_film(format.film)

    def _begin_film(self, path: Path) -> SoundFilm:
        """Open the film; leave nothing behind for a place where none can be written."""
        work, steps = self._work, self._work.recipe.model_dump()["steps"]
        shown = SoundShown(self._folder, work.spec, work.places, steps, work.seconds)
        try:
            return SoundFilm(path, shown, self._recipe, environment(work.device))
        except BaseException:
            if self._folder.state is None:
                self._folder.remove()
            self._folder.close()
            raise

    def add(self, step: Step) -> None:
        """Keep a stretch that is finished."""
        if self._film is not None:
            self._film.add(step)
        if step.frame is not None:
            with self._folder.refusing(), atomic.replacing(self._part(step.frame.index)) as file:
                file.write(step.image[0, 0, 0].cpu().numpy().astype("<f4").tobytes())

    def finish(self, step: Step | None) -> None:
        """Make the sound of all stretches, and remove the work folder."""
        work = self._work
        source: assemble.Blocks = (
            work.source.blocks if work.source else lambda: assemble.silence(work.seconds, work.rate)
        )
        path = self._path if self._film is None else self._folder.folder / f"finished{self._path.suffix}"
        with writing(path, work.rate, self._channels, self._depth, self._recipe) as writer:
            if work.unchanged:
                assemble.copy(writer, source)
            else:
                parts = [self._part(index) for index in range(len(work.places))]
                made = work.source is None
                rates = (work.rate, work.spec.rate)
                change = partial(assemble.joined, parts, work.places)
                assemble.write(writer, source, change, *rates, made=made, ceiling=self._ceiling)
                if work.pictured:
                    write_image(self._picture, _sheet(work, parts), recipe=self._recipe)
        if self._film is not None:
            self._film.finish(path)
            atomic.settle(path, self._path)
        self._folder.remove()

    def close(self) -> None:
        """Let other processes have the place; what was kept stays."""
        if self._film is not None:
            self._film.close()
        super().close()

    def _part(self, index: int) -> Path:
        return self._folder.folder / f"stretch-{index:05d}.f32"


def build_dream(recipe: DreamSoundRecipe, net: Net, given: Given) -> SoundWork:
    """Return the work of a dream on the recipe's sound."""
    spec = hearing(net)
    track = _track(recipe.source, given)
    sound = open_sound(str(track.path))
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    named = recipe.target or networks.default_target(net)
    objective = targets(named)
    samples = _count(sound, spec.rate)
    recipe = resolved(
        recipe, source=track, net=networks.named(net), precision="float32", target=named, guides=targets.guides
    )
    sketches = 0 if all(leaf.spatial for _, leaf in objective.terms()) else recipe.sketches
    course = SoundPlan(samples, sketches, recipe.strength)
    places = stretches(samples, spec.rate)

    def source(first: int) -> Iterator[Tensor]:
        return _cut(mixed_down(sound.blocks(), sound.rate, spec.rate), places, first)

    work = _work(recipe, net, (objective,), course, source)
    return replace(work, source=sound, rate=sound.rate, unchanged=recipe.steps == 0)


def build_imagine(recipe: ImagineSoundRecipe, net: Net, given: Given) -> SoundWork:
    """Return the work of making a sound of what the recipe's target stands for."""
    spec = hearing(net)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    objective = targets(recipe.target)
    recipe = resolved(recipe, net=networks.named(net), precision="float32", guides=targets.guides)
    course = SoundPlan(round(recipe.seconds * spec.rate), recipe.sketches)
    return _work(recipe, net, (objective,), course, None)


def build_morph(recipe: MorphSoundRecipe, net: Net, given: Given) -> SoundWork:
    """Return the work of a sound that becomes another."""
    spec = hearing(net)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    ideas = tuple(map(targets, recipe.ideas))
    recipe = resolved(recipe, net=networks.named(net), precision="float32", guides=targets.guides)
    seconds = recipe.seconds * (len(ideas) - 1)

    def weights(time: float) -> Tensor:
        transition, share = divmod(min(max(time / recipe.seconds, 0.0), len(ideas) - 1.0), 1)
        place = transition + smoothstep(share)
        return (1 - (torch.arange(len(ideas)) - place).abs()).clamp(min=0)

    course = SoundPlan(
        round(seconds * spec.rate),
        max(1, recipe.sketches),
        ideas=len(ideas),
        weights=weights,
        between=0,  # two patches at once sound like both; one in between sounds like neither
        stretch=min(STRETCH, max(SHORT_STRETCH, recipe.seconds / 2.5)),  # each is shaped towards what it is to be
    )
    return _work(recipe, net, ideas, course, None)


def build_sheet(recipe: SheetSoundRecipe, net: Net, given: Given) -> SoundWork:
    """Return the work of a sound of each thing that the recipe lists."""
    spec = hearing(net)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    objectives = tuple(map(targets, recipe.targets))
    recipe = resolved(recipe, net=networks.named(net), precision="float32", guides=targets.guides)

    def weights(time: float) -> Tensor:
        shares = torch.zeros(len(objectives))
        shares[min(int(time / recipe.seconds + 1e-6), len(objectives) - 1)] = 1
        return shares

    samples = round(recipe.seconds * spec.rate) * len(objectives)
    course = SoundPlan(
        samples, recipe.sketches, ideas=len(objectives), weights=weights, between=0, stretch=recipe.seconds, overlap=0
    )
    return replace(_work(recipe, net, objectives, course, None), pictured=recipe.targets)


def _sheet(work: SoundWork, parts: list[Path]) -> Image:
    """Return the spectrograms of a sheet, side by side."""
    centres = band_centres(work.spec).tolist()
    pages = []
    for name, path in zip(work.pictured, parts, strict=True):
        wave = torch.from_numpy(np.fromfile(path, np.float32))
        with torch.no_grad():
            heard = LogMel(work.spec)(wave[None])[0, 0]
        pages.append(plot_sound(heard, len(wave) / work.spec.rate, centres, title=name))
    columns = min(len(pages), work.recipe.model_dump()["columns"])
    blank = torch.ones_like(pages[0])
    pages += [blank] * (-len(pages) % columns)
    rows = [torch.cat(pages[i : i + columns], dim=3) for i in range(0, len(pages), columns)]
    return torch.cat(rows, dim=2)


def hearing(net: Net) -> SoundSpec:
    """Return how the network hears; raise `SettingError` for one that sees."""
    if net.card.input.sound is None:
        raise SettingError(
            f"net {net.card.name!r} sees pictures and does not hear: give --net ear (net='ear' in Python)",
            setting="net",
            value=net.card.name,
        )
    return net.card.input.sound


def _work(
    recipe: DreamSoundRecipe | ImagineSoundRecipe | MorphSoundRecipe | SheetSoundRecipe,
    net: Net,
    objectives: tuple[Objective, ...],
    course: SoundPlan,
    source: Callable[[int], Iterator[Tensor]] | None,
) -> SoundWork:
    spec = hearing(net)
    places = course.places(spec.rate)

    def begin(state: State | None) -> Iterator[Step]:
        listener = Listener(net, objectives, recipe)
        arithmetic: Arithmetic = arithmetic_for(recipe.version, recipe.seed)
        return sound_steps(listener, source, recipe, course, arithmetic=arithmetic, state=state)

    def timed() -> float:
        length = course.samples / spec.rate
        if source is not None and recipe.steps == 0:
            return COPYING * length
        return FINISHING * length + seconds_needed(Listener(net, objectives, recipe), recipe, course)

    excerpts = len(places) * recipe.steps * recipe.views + course.sketches * course.ideas
    layers = {name for objective in objectives for name in objective.layers()}
    return SoundWork(
        recipe,
        Load.of(excerpts * spec.frames * spec.bands * 1.5, layers, torch.float32),
        begin,
        places,
        spec,
        next(net.parameters()).device,
        None,
        course.samples / spec.rate,
        MADE_RATE,
        timed=timed,
    )


def _track(source: Track, given: Given) -> Track:
    if given.source is None:
        return sources.find(source, given.path, given.look_in, _identified, "sound", lambda found: found.sha256)
    if not isinstance(given.source, str | os.PathLike):
        kind = type(given.source).__name__
        raise SettingError(f"a sound must be given by its path, but this is a {kind}", setting="source", value=kind)
    return _identified(Path(given.source))


def _identified(path: Path) -> Track:
    return Track(path=Path(os.path.abspath(path)).as_posix(), sha256=open_sound(path).sha256)


def _count(sound: SoundFile, rate: int) -> int:
    """Return how many samples the sound has at another rate; reads it through, so that what is wrong is found now."""
    return round(sum(len(block) for block in sound.blocks()) * rate / sound.rate)


def _cut(blocks: Iterator[np.ndarray], places: list[tuple[int, int]], first: int) -> Iterator[Tensor]:
    """Yield the stretches from number `first` on."""
    held, at = np.zeros(0, np.float32), 0
    for begin, end in places[first:]:
        while at + len(held) < end and (block := next(blocks, None)) is not None:
            held = np.concatenate((held, block))
            if at < begin:
                gone = min(len(held), begin - at)
                held, at = held[gone:], at + gone
        gone = begin - at
        held, at = held[gone:], begin
        stretch = held[: end - begin]
        yield torch.from_numpy(np.pad(stretch, (0, end - begin - len(stretch))))
