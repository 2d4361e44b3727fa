"""The doors to films: `zoom`, `morph` and `video` give frames that can be followed, stopped, gone on with, and written.

    import phosphene as ph
    for frame in ph.zoom("photo.jpg", seconds=10):
        frame.image                                  # 1 3 h w

Settings are keyword arguments; `docs/recipe.md` has each one's meaning, range and default, `docs/motion.md` tells how
films are made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from phosphene import recipe as recipes
from phosphene import source as sources
from phosphene.errors import SettingError
from phosphene.filming import FilmRendering, dreaming_on, morphing, zooming
from phosphene.films import FilmRecipe
from phosphene.objectives.base import Objective
from phosphene.presets import ZOOM_PRESETS, settings_of
from phosphene.recipe import Clip, MorphRecipe, Photo, VideoRecipe, ZoomRecipe


def zoom(
    source: object, *, target: str | Objective | None = None, preset: str | None = None, **settings: object
) -> FilmRendering:
    """Travel into a photograph without end: each frame is the dream of the last one, moved.

        trip = ph.zoom("photo.jpg", target="0s: mixed3b; 6s: mixed4c", seconds=12)
        next(iter(trip)).image.shape                 # torch.Size([1, 3, 428, 640])

    All is checked before this returns; the work is done when frames are asked for.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w); or `Noise(noise=(h, w))`.
        target: what to bring out, as text, which may have keys, or an expression; None for what suits the network.
        preset: a name of `ZOOM_PRESETS`, which other settings add to.
        settings: those of `ZoomRecipe`, as `seconds`, `speed` or `seed`.

    Raises:
        PhospheneError: a subclass, for a source, target or setting that is wrong.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism: Going deeper into neural networks" (2015), "Iterations".
    """
    chosen = {**settings_of(ZOOM_PRESETS, preset), **settings}
    if target is not None:
        chosen["target"] = str(target)
    request = recipes.ask(ZoomRecipe, chosen, source=Photo())  # what is wrong is said before a file is read
    named, photo = sources.given(source)
    return zooming(request.model_copy(update={"source": named}), photo)


def morph(ideas: Sequence[str | Objective], **settings: object) -> FilmRendering:
    """Turn one idea into the next, aligned, so that in between stands something that is both.

        ph.morph(["banana", "dumbbell", "golden retriever"], loop=True).save("morph.mp4")

    All is checked before this returns. Before the first frame all ideas are imagined, which takes most of the time.

    Args:
        ideas: two or more labels, layers, channels, or sums of them, as text or expressions.
        settings: those of `MorphRecipe`, as `seconds`, `between` or `seed`.

    Raises:
        PhospheneError: a subclass, for an idea or setting that is wrong.

    Source: Mordvintsev et al., "Differentiable Image Parameterizations" (Distill 2018).
    """
    return morphing(recipes.ask(MorphRecipe, settings, ideas=tuple(map(str, ideas))))


def video(
    source: str | os.PathLike[str], *, target: str | Objective | None = None, **settings: object
) -> FilmRendering:
    """Dream on a video clip without flicker: what was dreamt is carried along by the clip's own motion.

        ph.video("walk.mov", target="mixed4c", start=2, end=8).save("dreamt.mp4")

    All is checked before this returns; the work is done when frames are asked for. Frames keep their times, and the
    film its sound.

    Args:
        source: the path of a video file.
        target: what to bring out, as text, which may have keys (in seconds of the clip), or an expression.
        settings: those of `VideoRecipe`, as `start`, `keep` or `seed`.

    Raises:
        PhospheneError: a subclass, for a clip, target or setting that is wrong.
    """
    chosen = settings if target is None else {**settings, "target": str(target)}
    request = recipes.ask(VideoRecipe, chosen, source=Clip())
    clip = sources.given_clip(source)
    return dreaming_on(request.model_copy(update={"source": clip}), Path(source))


def film_again(recipe: FilmRecipe, path: Path | None, source: object = None) -> FilmRendering:
    """The film of this recipe, which was found in the file `path`, or one that begins with another `source`."""
    if isinstance(recipe, MorphRecipe):
        if source is not None:
            raise SettingError("a morph begins with no source, so none can be given", setting="source")
        return morphing(recipe, path)
    if isinstance(recipe, VideoRecipe):
        clip = sources.given_clip(source) if source is not None else sources.found_clip(recipe.source, path)
        return dreaming_on(recipe.model_copy(update={"source": clip}), Path(str(clip.path)), path)
    named, photo = sources.found(recipe.source, path) if source is None else sources.given(source)
    return zooming(recipe.model_copy(update={"source": named}), photo, path)
