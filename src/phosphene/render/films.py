"""From a film's recipe to the work that it asks for: frames that can be stopped, kept, and gone on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from phosphene import recipe as recipes
from phosphene.gradients import precision as precisions
from phosphene.gradients.engine import Engine
from phosphene.loops import dream
from phosphene.loops.frames import Frame, Targets
from phosphene.loops.morph import MorphSettings, OnProgress, morph_frames
from phosphene.loops.stages import ImagineSettings
from phosphene.loops.step import State, unpack
from phosphene.loops.video import ClipSettings, clip_frames
from phosphene.loops.zoom import ZoomSettings, zoom_frames
from phosphene.media.image import Photograph
from phosphene.media.video.clip import open_clip
from phosphene.media.video.film import Film, FilmSettings
from phosphene.media.video.sound import Sound
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe import BaseRecipe, Noise
from phosphene.recipe.films import MorphRecipe, VideoRecipe, ZoomRecipe
from phosphene.recipe.keyframes import Keys, read_keys, read_track
from phosphene.render import sources
from phosphene.render.stills import load_net, meaning, resolved, settings_for, usual_target
from phosphene.types import Size

StrPath = str | os.PathLike[str]

LONGEST_SIDE = 640
"""Of a trip whose size is not asked for: a photograph's own would take minutes a frame."""


@dataclass(frozen=True)
class Style:
    """How a film is stored: `codec` None for the suffix's usual one, `crf` None for the codec's, `depth` 8 or 16."""

    codec: str | None = None
    crf: int | None = None
    depth: int = 8


class Preparation:
    """Work before the first frame: whoever sets `on_progress` is told the share of it that is done, 0 to 1."""

    def __init__(self) -> None:
        self.on_progress: OnProgress | None = None

    def reached(self, share: float) -> None:
        """Tell whoever wants to know."""
        if self.on_progress is not None:
            self.on_progress(share)


@dataclass(frozen=True, eq=False)
class FilmRendering:
    """A film in the making: iterating gives its frames, each finished, one after another.

        trip = ph.zoom("photo.jpg", seconds=10)
        for frame in trip:
            show(frame.image)                        # 1 3 h w
            kept = frame.saved()                     # bytes, from which another day ...
        for frame in trip.resume(kept): ...          # ... it goes on, to the same bytes as without a break

    `recipe` has every setting as it was resolved. `size` is (height, width), `fps` frames a second, exactly, `frames`
    how many there will be, None where that is not known. `time_base` is the seconds of a tick where frames say when
    they are shown, and `sound` what the film will sound like. `preparation` tells of work before the first frame.
    """

    recipe: BaseRecipe
    size: Size
    fps: Fraction
    frames: int | None
    begin: Callable[[State | None], Iterator[Frame]] = field(repr=False)
    time_base: Fraction | None = None
    sound: Sound | None = field(default=None, repr=False)
    preparation: Preparation = field(default_factory=Preparation, repr=False)

    def __iter__(self) -> Iterator[Frame]:
        return self.begin(None)

    def resume(self, kept: bytes) -> Iterator[Frame]:
        """The frames behind the one whose `saved()` bytes these are; raises `RecipeError` for other bytes."""
        return self.begin(unpack(kept))

    def film(self, path: StrPath, style: Style | None = None, *, fresh: bool = False) -> Film:
        """The unfinished film at `path` that frames are written to; what was begun there is gone on with.

        Raises what `Film` does, as `OutputError` for a place that cannot be written.
        """
        style = style or Style()
        settings = FilmSettings(self.size, self.fps, self.time_base, style.codec, style.crf, style.depth)
        there = recipes.relative_to(self.recipe, Path(os.path.abspath(path)).parent)
        return Film(path, settings, recipe=recipes.dumps(there), fresh=fresh)

    def into(self, film: Film) -> Iterator[Frame]:
        """Write the frames that `film` does not have yet, and give each when it is there; then finish the film.

        However this is stopped, and be it by pulling the plug, doing it again goes on, to the same film.
        """
        last: Frame | None = None
        try:
            for frame in self.begin(None if film.state is None else unpack(film.state)):
                film.write(frame.image, frame.pts, frame.duration)
                last = frame
                if film.due:
                    film.checkpoint(frame.saved())
                yield frame
        except (KeyboardInterrupt, GeneratorExit):
            if last is not None and film.frames == last.index + 1:
                film.checkpoint(last.saved())
            raise
        film.finish(self.sound)

    def save(self, path: StrPath, *, codec: str | None = None, crf: int | None = None, depth: int = 8) -> None:
        """Make the film and write it, in the format that the suffix names, with its recipe inside.

            ph.zoom("photo.jpg", seconds=10).save("trip.mp4")

        Interrupted, it goes on when it is called again: `docs/video-formats.md` tells of formats and codecs. Raises
        `OutputError` for a place that cannot be written, and `SettingError` for what the format cannot hold.
        """
        with self.film(path, Style(codec, crf, depth)) as film:
            for _ in self.into(film):
                pass


def zooming(request: ZoomRecipe, photo: Photograph | None, path: Path | None = None) -> FilmRendering:
    """The work of a trip into `photo`, or into the noise that the recipe names; `path` is the recipe's file."""
    net = load_net(request, path)
    named, targets = _targets(request, net, path)
    if isinstance(request.source, Noise):
        begun = sources.noise(sources.size_for(request.source.noise, request.source.noise), request.seed)
    else:
        assert photo is not None, "what is no noise has been read"
        begun = photo.image
    own = (begun.shape[-2], begun.shape[-1])
    size = even(sources.size_for(min(LONGEST_SIDE, max(own)), own)) if request.size is None else request.size
    size = sources.size_for(size, own)
    engine = Engine(net, targets.values[0], precision=request.precision, tile=request.tile)
    count = dream.choose_octaves(size, request.octave_scale) if request.octaves == "auto" else request.octaves
    recipe = resolved(request, net, engine.dtype, target=named, size=size, octaves=count)
    fps = Fraction(recipe.fps)
    settings = ZoomSettings(
        frames=max(1, round(recipe.seconds * fps)),
        fps=fps,
        speed=read_track(recipe.speed),
        spin=read_track(recipe.spin),
        drift=read_track(recipe.drift, 2),
        loop=recipe.loop,
        level=recipe.level,
        dream=settings_for(dream.DreamSettings, recipe),
    )

    def begin(state: State | None) -> Iterator[Frame]:
        aims, natural = Targets(engine, targets), isinstance(recipe.source, Noise)
        return zoom_frames(aims, sources.resized(begun, size), settings, natural=natural, state=state)

    return FilmRendering(recipe, size, fps, settings.frames, begin)


def morphing(request: MorphRecipe, path: Path | None = None) -> FilmRendering:
    """The work of turning ideas into one another; `path` is the recipe's file."""
    net = load_net(request, path)
    ideas = tuple(map(meaning(net, path), request.ideas))
    size, fps = sources.size_for(request.size, (1, 1)), Fraction(request.fps)
    dtype = precisions.choose(request.precision, next(net.parameters()).device)
    recipe = resolved(request, net, dtype, size=size)
    ways = len(ideas) if recipe.loop else len(ideas) - 1
    settings = MorphSettings(
        frames=max(2, round(recipe.seconds * ways * fps)),
        fps=fps,
        size=size,
        between=recipe.between,
        shared=recipe.shared,
        loop=recipe.loop,
        seed=recipe.seed,
        look=ImagineSettings(steps=recipe.steps, views=recipe.views, sketches=1, diversity=0.0),
    )

    preparation = Preparation()

    def begin(state: State | None) -> Iterator[Frame]:
        return morph_frames(net, ideas, settings, dtype, state=state, on_progress=preparation.reached)

    return FilmRendering(recipe, size, fps, settings.frames, begin, preparation=preparation)


def dreaming_on(request: VideoRecipe, clip_path: Path, path: Path | None = None) -> FilmRendering:
    """The work of dreaming on the clip at `clip_path`; `path` is the recipe's file."""
    net = load_net(request, path)
    named, targets = _targets(request, net, path)
    section = open_clip(clip_path).section(request.start, request.end, request.every)
    size = sources.size_for(request.size, section.clip.size)
    engine = Engine(net, targets.values[0], precision=request.precision, tile=request.tile)
    count = dream.choose_octaves(size, request.octave_scale) if request.octaves == "auto" else request.octaves
    recipe = resolved(request, net, engine.dtype, target=named, size=size, octaves=count)
    look = settings_for(dream.DreamSettings, recipe)
    settings = ClipSettings(size, recipe.keep, recipe.renew, recipe.first_steps, look)

    def begin(state: State | None) -> Iterator[Frame]:
        frames = section.frames(skip=0 if state is None else int(state["index"]))
        return clip_frames(Targets(engine, targets), frames, settings, frames=section.frame_count, state=state)

    return FilmRendering(
        recipe, size, section.rate, section.frame_count, begin, time_base=section.clip.time_base, sound=section.sound
    )


def even(size: Size) -> Size:
    """The nearest size with even sides, as most players' codecs want them.

    >>> even((427, 640))
    (428, 640)
    """
    height, width = (max(2, 2 * round(side / 2)) for side in size)
    return height, width


def _targets(request: ZoomRecipe | VideoRecipe, net: Net, path: Path | None) -> tuple[str, Keys[Objective]]:
    """A film's target as text, and what it means at each of its keys."""
    named = request.target or usual_target(net)
    return named, read_keys(named).map(meaning(net, path, equalise=request.equalise))
