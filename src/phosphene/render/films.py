"""From the recipes of films to their work: frames that are written as they are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch

from phosphene.cluster.crew import Workers
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.gradients.precision import choose_dtype
from phosphene.loops import morph, scenes, video, zoom
from phosphene.loops.parts import Crew, in_order
from phosphene.loops.step import State, Step, pack
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.loops.version1 import arithmetic_for
from phosphene.media import memory
from phosphene.media.video.clip import open_clip
from phosphene.media.video.embed import as_html
from phosphene.media.video.film import Film, FilmSettings
from phosphene.media.video.sound import Sound
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe import BaseRecipe, MorphRecipe, VideoRecipe, ZoomRecipe, dumps, relative_to, resolved
from phosphene.recipe.films import MORPH_SECONDS, ZOOM_SECONDS
from phosphene.recipe.keyframes import Keys, Track, read_keys, read_several, read_track
from phosphene.render import networks, sources
from phosphene.render.environment import about, environment
from phosphene.render.estimate import Load
from phosphene.render.job import Format, Given, Job, Output, Work
from phosphene.render.notebook import LONGEST_SIDE as LONGEST_SIDE_SHOWN
from phosphene.render.shared import shared
from phosphene.render.soundtrack import Soundtrack, open_soundtrack
from phosphene.render.stills import chosen_for, in_colour, name_of
from phosphene.types import Image, Size

R = TypeVar("R", ZoomRecipe, VideoRecipe)

LONGEST_SIDE = 640
"""Of a zoom whose size is not given: at a photograph's own size, each frame would take minutes."""


@dataclass(frozen=True, eq=False)
class FilmWork(Work):
    """The work of a film of `size` (height, width) at `fps` frames per second.

    `frames` is how many there will be, None where that is not known. `time_base` is the seconds of a tick where frames
    say when they are shown; `sound` is what the film will sound like.
    """

    streams: ClassVar[bool] = True
    suffix: ClassVar[str | None] = ".mp4"

    recipe: BaseRecipe
    load: Load | None
    size: Size
    fps: Fraction
    frames: int | None
    begin: Callable[[State | None], Iterator[Step]] = field(repr=False)
    device: torch.device
    time_base: Fraction | None = None
    sound: Sound | None = field(default=None, repr=False)
    workers: Workers | None = None
    undivided: str | None = "a film is one chain, in which each frame begins with the one before it"

    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        return self.begin(state)

    def look(self, step: Step) -> Image:
        """Return the newest frame, or a look at what is being prepared, 1 3 h w."""
        return in_colour(step.image[:1].cpu())

    def paths(self, path: Path) -> list[Path]:
        """Return where the film will be."""
        return [path]

    def result(self, step: Step | None) -> UnwrittenFilm:
        """Return the film, whose frames are made when it is saved."""
        return UnwrittenFilm(self)

    def written(self, path: Path, step: Step | None) -> FilmFile:
        """Return what was written to `path`."""
        return FilmFile(path, self.recipe)

    def output(self, path: Path, format: Format, *, fresh: bool) -> FilmOutput:
        """Open the unfinished film at `path`."""
        return FilmOutput(self, path, format, fresh=fresh)


@dataclass(frozen=True, eq=False)
class UnwrittenFilm:
    """A film that makes its frames when it is saved, since they are too many to be held."""

    work: FilmWork

    def save(self, path: str | os.PathLike[str], **format: Any) -> None:
        """Make the film and write it, in the format that the suffix names, with its recipe inside."""
        Job.of(self.work).save(path, **format)


@dataclass(frozen=True)
class FilmFile:
    """A film that has been written to `path`, and its recipe; in a notebook it shows itself.

    ph.zoom("photo.jpg", seconds=4).save("trip.mp4")
    """

    path: Path
    recipe: BaseRecipe = field(repr=False)

    def _repr_html_(self) -> str:
        return as_html(self.path, LONGEST_SIDE_SHOWN)


class FilmOutput(Output):
    """A film that is being written."""

    def __init__(self, work: FilmWork, path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("quality", "profile", "also", kind="films")
        settings = FilmSettings(work.size, work.fps, work.time_base, format.codec, format.crf, format.depth)
        there = relative_to(work.recipe, Path(os.path.abspath(path)).parent)
        self.film = Film(
            path,
            settings,
            recipe=dumps(there) if format.with_recipe else None,
            identity=dumps(work.recipe),
            environment=environment(work.device, work.workers),
            about=about(work.recipe),
            fresh=fresh,
        )
        self._sound = work.sound
        self.state = self.film.state
        self.note = self.film.note

    @property
    def due(self) -> bool:
        """Whether a segment is complete."""
        return self.film.due

    def add(self, step: Step) -> None:
        """Write the frame that the step finished, if any."""
        if step.frame is not None:
            self.film.write(in_colour(step.image), step.frame.pts, step.frame.duration)

    def checkpoint(self, step: Step) -> None:
        """Keep the state, unless Ctrl-C came between a frame and its step."""
        frames = 0 if step.frame is None else step.frame.index + 1
        if self.film.frames == frames:
            self.film.checkpoint(pack(step.state), step.progress)

    def finish(self, step: Step | None) -> None:
        """Make the film of all segments, with its sound."""
        self.film.finish(self._sound)

    def close(self) -> None:
        """Let other processes have the place; what was kept stays."""
        self.film.close()


def build_zoom(recipe: ZoomRecipe, net: Net, given: Given) -> FilmWork:
    """Return the work of a zoom into a photograph, or into noise."""
    arithmetic = arithmetic_for(recipe.version, recipe.seed)
    named, keys, guides = _targets(recipe, net, given)
    track = open_soundtrack(recipe.sound, len(keys.values), given)
    start = sources.start(recipe.source, given.source, given.path, given.look_in, arithmetic)
    size = recipe.size
    if size is None:
        size = sources.even(sources.size_for(min(LONGEST_SIDE, max(start.size)), start.size))
    size = sources.size_for(size, start.size)
    memory.check(size)
    engine, undivided = _shared_engine(recipe, net, keys.values, size, given.workers)
    recipe = resolved(
        recipe,
        **chosen_for(recipe, net, engine, start.name, named, guides, size),
        tile=engine.tile,
        seconds=recipe.seconds or (ZOOM_SECONDS if track is None else track.music.seconds),
    )
    if track is not None:
        recipe = _following(recipe, track, {"speed": recipe.speed, "intensity": recipe.intensity})
    weights = _weights(recipe)
    image, natural = start.at(size), not start.natural

    def begin(*, state: State | None, crew: Crew | None) -> Iterator[Step]:
        own = engine if crew is None else engine.sharing(partial(in_order, crew=crew))
        schedule = TargetSchedule(own, keys, weights)
        return zoom.zoom_steps(schedule, image(), recipe, natural=natural, arithmetic=arithmetic, state=state)

    load = Load.of(zoom.pixels_seen(size, recipe), _layers(keys.values), engine.dtype)
    frames, fps = zoom.frame_count(recipe), Fraction(recipe.fps)
    heard = None if track is None else track.sound(float(frames / fps))
    steps = shared(begin, [engine.net], given.workers, engine.dtype)
    return FilmWork(
        recipe,
        load,
        size,
        fps,
        frames,
        steps,
        engine.device,
        sound=heard,
        workers=given.workers,
        undivided=undivided,
    )


def build_morph(recipe: MorphRecipe, net: Net, given: Given) -> FilmWork:
    """Return the work of turning ideas into one another."""
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    ideas = tuple(map(targets, recipe.ideas))
    size = sources.size_for(recipe.size, (1, 1))
    memory.check(size)
    transitions = len(ideas) if recipe.loop else len(ideas) - 1
    track = open_soundtrack(recipe.sound, 1, given)
    device = next(net.parameters()).device
    dtype = choose_dtype(recipe.precision, device)
    others = networks.companions(recipe, recipe.ideas, ideas, given.path, given.look_in)
    recipe = resolved(
        recipe,
        net=networks.named(net),
        ensemble=tuple(networks.named(each) for each, _ in others),
        precision=name_of(dtype),
        guides=targets.guides,
        size=size,
        seconds=recipe.seconds or (MORPH_SECONDS if track is None else track.music.seconds / transitions),
    )
    if track is not None:
        recipe = resolved(recipe, sound=track.name, **track.keys({"pace": recipe.pace}))
    look = networks.imagine_settings(recipe)
    arithmetic = arithmetic_for(recipe.version, recipe.seed)

    def begin(state: State | None) -> Iterator[Step]:
        return morph.morph_steps(
            net, ideas, recipe, look, others=others, size=size, dtype=dtype, arithmetic=arithmetic, state=state
        )

    nets = (net, *(each for each, _ in others))
    load = Load.of(morph.pixels_seen(nets, ideas, recipe, look, size=size), _layers(ideas), dtype)
    frames, fps = morph.frame_count(recipe, len(ideas)), Fraction(recipe.fps)
    heard = None if track is None else track.sound(float(frames / fps))
    together = "what a morph shows is imagined all together"
    return FilmWork(recipe, load, size, fps, frames, begin, device, sound=heard, undivided=together)


def build_video(recipe: VideoRecipe, net: Net, given: Given) -> FilmWork:
    """Return the work of dreaming on a clip."""
    clip = sources.clip(recipe.source, given.source, given.path, given.look_in)
    named, keys, guides = _targets(recipe, net, given)
    section = open_clip(str(clip.path)).section(recipe.start, recipe.end, recipe.every)
    track = open_soundtrack(recipe.sound, len(keys.values), given)
    own = track is not None and track.name.sha256 == clip.sha256
    if track is not None and not own:
        track = replace(track, shift=float(section.start))
    size = sources.size_for(recipe.size, section.clip.size)
    memory.check(size)
    engine = Engine(net, keys.values[0], precision=recipe.precision, tile=recipe.tile)
    recipe = resolved(recipe, **chosen_for(recipe, net, engine, clip, named, guides, size))
    if track is not None:
        recipe = _following(recipe, track, {"intensity": recipe.intensity})
    weights = _weights(recipe)
    arithmetic = arithmetic_for(recipe.version, recipe.seed)

    def begin(*, state: State | None, crew: Crew | None) -> Iterator[Step]:
        schedule = TargetSchedule(engine, keys, weights)
        shown = section.frames(skip=0 if state is None else int(state["index"]))
        known: Any = {"size": size, "frames": section.frame_count, "arithmetic": arithmetic, "state": state}
        if crew is None:
            return video.video_steps(schedule, shown, recipe, **known)
        how: Any = {"precision": recipe.precision, "tile": recipe.tile}
        return scenes.video_in_scenes(schedule, shown, recipe, crew=crew, **known, **how)

    frames = section.frame_count
    length = None if frames is None else float(frames / section.rate)
    seen = None if frames is None else video.pixels_seen(size, recipe, frames)
    return FilmWork(
        recipe,
        None if seen is None else Load.of(seen, _layers(keys.values), engine.dtype),
        size,
        section.rate,
        frames,
        shared(begin, [engine.net], given.workers, engine.dtype),
        engine.device,
        time_base=section.clip.time_base,
        sound=section.sound if track is None or own else track.sound(length),
        workers=given.workers,
        undivided=None,
    )


def _shared_engine(
    recipe: ZoomRecipe, net: Net, objectives: Sequence[Objective], size: Size, workers: Workers | None
) -> tuple[Engine, str | None]:
    """Return a zoom's engine, with tiles if workers are to do them, and why they cannot, if they cannot."""
    first, *others = objectives
    engine = Engine(net, first, precision=recipe.precision, tile=recipe.tile)
    if workers is None:
        return engine, None
    if recipe.tile == 0:
        return engine, "without tiles, all of a frame is done by one process"
    sides = {engine.towards(each).shared_tile(): each for each in (first, *others)}
    if None in sides:
        return engine, "every position of the target's layer sees all of a frame, which has no tiles for that reason"
    deepest = max(side for side in sides if side is not None)
    if recipe.tile == "auto":
        engine = Engine(net, first, precision=recipe.precision, tile=deepest)
    if len(engine.towards(sides[deepest]).tiling(size).tiles) > 1:
        return engine, None
    return engine, (
        f"a frame of {size[1]}x{size[0]} is one tile of {engine.tile} pixels, and smaller ones are not worth it with "
        "this target: choose a larger size, or a lower layer"
    )


def _layers(objectives: Iterable[Objective]) -> set[str]:
    return {name for each in objectives for name in each.layers()}


def _targets(recipe: ZoomRecipe | VideoRecipe, net: Net, given: Given) -> tuple[str, Keys[Objective], dict[str, str]]:
    """Return a film's target as text, what it means at each keyframe, and the hashes of its guides.

    Of targets that are joined by `|`, each is a key, whose time counts for nothing: they have weights of their own.
    """
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides, equalise=recipe.equalise)
    named = recipe.target or networks.default_target(net)
    if recipe.target is None and recipe.sound is not None:
        named = f"{named} | {networks.finer_target(net)}"
    several = read_several(named)
    if len(several) > 1:
        return named, Keys(tuple(map(float, range(len(several)))), tuple(map(targets, several))), targets.guides
    if recipe.weights is not None:
        raise SettingError(
            f'weights are those of targets joined by |, as in "mixed3b | mixed4c", but the target is {named!r}',
            setting="weights",
            value=recipe.weights,
        )
    keys = read_keys(named).map(targets)
    return named, keys, targets.guides


def _weights(recipe: ZoomRecipe | VideoRecipe) -> Track | None:
    """Return the weights of targets that are joined by `|`, None for keyframes."""
    count = len(read_several(recipe.target or ""))
    if count == 1:
        return None
    return read_track(recipe.weights or ",".join("1" * count), count)


def _following(recipe: R, track: Soundtrack, asked: dict[str, str]) -> R:
    """Return the recipe with keyframes from its sound."""
    several = len(read_several(recipe.target or ""))
    return resolved(recipe, sound=track.name, **track.keys(asked, recipe.weights, several))
