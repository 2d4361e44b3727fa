"""The doors: `dream`, `imagine`, `sheet` and `again` give pictures; beneath each is the generator of its steps.

    import phosphene as ph
    ph.dream("photo.jpg", target="mixed4c").save("dream.png")

Settings are keyword arguments; `docs/recipe.md` has each one's meaning, range and default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from phosphene import recipe as recipes
from phosphene.errors import RecipeError, SettingError
from phosphene.loops.step import StillStep as Step
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.objectives.name import spread
from phosphene.recipe import (
    BaseRecipe,
    Clip,
    DreamRecipe,
    ImagineRecipe,
    MorphRecipe,
    Photo,
    SheetRecipe,
    VideoRecipe,
    ZoomRecipe,
)
from phosphene.recipe.presets import preset_settings
from phosphene.render import sources
from phosphene.render.films import FilmRendering, dreaming_on, morphing, zooming
from phosphene.render.picture import Picture
from phosphene.render.stills import Rendering, dreaming, ground, imagined, sheeted, used

OnStep = Callable[[Step], object]
StrPath = str | os.PathLike[str]


def dream(
    source: object,
    *,
    target: str | Objective | None = None,
    preset: str | None = None,
    on_step: OnStep | None = None,
    **settings: object,
) -> Picture:
    """Dream upon a photograph: bring out what a network sees in it, at all sizes from large to small.

        ph.dream("photo.jpg", target="mixed4c", octaves=4).image.shape    # torch.Size([1, 3, 768, 1024])

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w); or `Noise(noise=(h, w))`.
        target: what to bring out, as text or an expression; None for what suits the network.
        preset: a name of `PRESETS`, which other settings add to.
        on_step: called with each `Step`, as to show it.
        settings: those of `DreamRecipe`, as `steps`, `size` or `seed`; `net` may also be a network itself, as `wrap`
            gives it, and has to be given again to `again`.

    Raises:
        PhospheneError: a subclass, for a source, target or setting that is wrong.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism: Going deeper into neural networks" (2015).
    """
    return dream_steps(source, target=target, preset=preset, **settings).finish(on_step)[0]


def dream_steps(
    source: object, *, target: str | Objective | None = None, preset: str | None = None, **settings: object
) -> Rendering:
    """`dream` as work that can be followed step by step; all is checked before this returns."""
    settings, net = _own_net(settings)
    chosen = {**preset_settings("dream", preset), **settings}
    if target is not None:
        chosen["target"] = str(target)
    request = recipes.validate(DreamRecipe, chosen, source=Photo())  # what is wrong is said before a file is read
    grounded = ground(request, net=net, equalise=request.equalise)
    named, photo = sources.given(source)
    return dreaming(request.model_copy(update={"source": named}), grounded, photo)


def imagine(
    target: str | Objective, *, preset: str | None = None, on_step: OnStep | None = None, **settings: object
) -> Picture | list[Picture]:
    """Make a picture of what a network thinks something is, from noise; a list of them for a `count` above 1.

        ph.imagine("banana").save("banana.png")
        ph.imagine("goldfish + chihuahua", count=4)    # a list of four

    Args:
        target: a label, a layer, a channel, or a sum of them, as text or an expression.
        preset: a name of `IMAGINE_PRESETS`, which other settings add to.
        on_step: called with each `Step`.
        settings: those of `ImagineRecipe`, as `size`, `count` or `seed`.

    Raises:
        PhospheneError: a subclass, for a target or setting that is wrong.

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017).
    """
    return _one_or_list(imagine_steps(target, preset=preset, **settings).finish(on_step))


def imagine_steps(target: str | Objective, *, preset: str | None = None, **settings: object) -> Rendering:
    """`imagine` as work that can be followed step by step; all is checked before this returns."""
    settings, net = _own_net(settings)
    chosen = {**preset_settings("imagine", preset), **settings, "target": str(target)}
    request = recipes.validate(ImagineRecipe, chosen)
    return imagined(request, ground(request, net=net))


def sheet(targets: str | Sequence[str | Objective], *, on_step: OnStep | None = None, **settings: object) -> Picture:
    """Make a picture of each of many things, from noise, side by side on one sheet; faster than one by one.

        ph.sheet("mixed4c:0..63").save("mixed4c.png")
        ph.sheet(["banana", "goldfish", "teapot"], size=192, columns=3)

    Args:
        targets: what to picture, row by row, each as of `imagine`; `layer:0..63` stands for channels 0 to 63.
        on_step: called with each `Step`, whose image is the sheet so far.
        settings: those of `SheetRecipe`, as `size` of each picture, `columns` or `seed`.

    Raises:
        PhospheneError: a subclass, for a target or setting that is wrong.
    """
    return sheet_steps(targets, **settings).finish(on_step)[0]


def sheet_steps(targets: str | Sequence[str | Objective], **settings: object) -> Rendering:
    """`sheet` as work that can be followed step by step; all is checked before this returns."""
    settings, net = _own_net(settings)
    several = [targets] if isinstance(targets, str) else targets
    listed = tuple(each for target in several for each in spread(str(target)))
    return sheeted(recipes.validate(SheetRecipe, settings, targets=listed), net=net)


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
    chosen = {**preset_settings("zoom", preset), **settings}
    if target is not None:
        chosen["target"] = str(target)
    request = recipes.validate(ZoomRecipe, chosen, source=Photo())  # what is wrong is said before a file is read
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
    return morphing(recipes.validate(MorphRecipe, settings, ideas=tuple(map(str, ideas))))


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
    request = recipes.validate(VideoRecipe, chosen, source=Clip())
    clip = sources.given_clip(source)
    return dreaming_on(request.model_copy(update={"source": clip}), Path(source))


def film_again(recipe: BaseRecipe, path: Path | None, source: object = None) -> FilmRendering:
    """The film of this recipe, which was found in the file `path`, or one that begins with another `source`."""
    if isinstance(recipe, MorphRecipe):
        if source is not None:
            raise SettingError("a morph begins with no source, so none can be given", setting="source")
        return morphing(recipe, path)
    if isinstance(recipe, VideoRecipe):
        clip = sources.given_clip(source) if source is not None else sources.found_clip(recipe.source, path)
        return dreaming_on(recipe.model_copy(update={"source": clip}), Path(str(clip.path)), path)
    assert isinstance(recipe, ZoomRecipe)
    named, photo = sources.found(recipe.source, path) if source is None else sources.given(source)
    return zooming(recipe.model_copy(update={"source": named}), photo, path)


def again(
    recipe: StrPath | BaseRecipe | Picture,
    *,
    source: object = None,
    on_step: OnStep | None = None,
    **settings: object,
) -> Picture | list[Picture] | FilmRendering:
    """Render anew from a recipe, with some settings changed; a film's gives its frames.

        ph.again("dream.png", size=4000).save("large.png")

    Args:
        recipe: a file that carries one (PNG, JPEG, WebP, TIFF, AVIF or .json), a recipe, or a picture.
        source: what to begin with instead of the recipe's own source.
        on_step: called with each `Step`.
        settings: those to change. Without any, the same machine gives the same pixels.

    Raises:
        RecipeError: if there is no recipe, or its photograph or network is not there any more.
        PhospheneError: another subclass, as `dream` does.
    """
    known, path = _known(recipe)
    if isinstance(known, ZoomRecipe | MorphRecipe | VideoRecipe):
        return film_again(recipes.override(known, settings), path, source)
    return _one_or_list(again_steps(recipe, source=source, **settings).finish(on_step))


def again_steps(recipe: StrPath | BaseRecipe | Picture, *, source: object = None, **settings: object) -> Rendering:
    """`again` of a picture, as work that can be followed step by step; all is checked before this returns."""
    known, path = _known(recipe)
    settings, net = _own_net(settings)
    changed = recipes.override(known, settings)
    if isinstance(changed, ZoomRecipe | MorphRecipe | VideoRecipe):
        raise RecipeError(f"{path or 'the recipe'} is of a film, which `again` gives frame by frame", path=path)
    if isinstance(changed, ImagineRecipe | SheetRecipe):
        if source is not None:
            raise SettingError("an imagined picture begins with no source, so none can be given", setting="source")
        if isinstance(changed, SheetRecipe):
            return sheeted(changed, path, net=net)
        return imagined(changed, ground(changed, path, net=net))
    assert isinstance(changed, DreamRecipe)
    grounded = ground(changed, path, net=net, equalise=changed.equalise)
    if source is None:
        named, photo = sources.found(changed.source, path)
    else:
        named, photo = sources.given(source)
        changed = recipes.override(changed, {}, source=named)
    return dreaming(changed.model_copy(update={"source": named}), grounded, photo)


def _known(recipe: StrPath | BaseRecipe | Picture) -> tuple[BaseRecipe, Path | None]:
    """The recipe, and the file that it was found in."""
    match recipe:
        case str() | os.PathLike():
            return sources.read_recipe(recipe), Path(recipe)
        case Picture():
            return recipe.recipe, None
        case _:
            return recipe, None


def _own_net(settings: Mapping[str, object]) -> tuple[dict[str, object], Net | None]:
    """The settings with `net` as recipes name it, and the network itself if it was given as such."""
    match settings.get("net"):
        case Net() as net:
            return {**settings, "net": used(net)}, net
        case _:
            return dict(settings), None


def _one_or_list(pictures: list[Picture]) -> Picture | list[Picture]:
    return pictures[0] if len(pictures) == 1 else pictures
