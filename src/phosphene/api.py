"""The public functions: `dream`, `imagine`, `sheet`, `zoom`, `morph`, `video` and `again`.

    import phosphene as ph
    ph.dream("photo.jpg", target="block11").save("dream.png")

Stills are returned when they are done. Films are returned as jobs, since their frames have to go somewhere:

    ph.zoom("photo.jpg", seconds=10).save("trip.mp4")

Each function NAME has its work as `job(NAME, ...)`, which can be followed, cancelled, kept and continued. Settings are
keyword arguments; `docs/recipe.md` has each one's meaning, range and default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack, overload

from phosphene import options
from phosphene.objectives.base import Objective
from phosphene.recipe import BaseRecipe, DreamRecipe, MorphRecipe, Noise, SheetRecipe, VideoRecipe, ZoomRecipe
from phosphene.render.job import Event, Job
from phosphene.render.picture import Picture, Pictures
from phosphene.render.request import open_job

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from torch import Tensor

    Source: TypeAlias = str | os.PathLike[str] | PIL.Image.Image | np.ndarray | Tensor | Noise

OnEvent = Callable[[Event], object]
StrPath = str | os.PathLike[str]


@overload
def dream(
    source: Source,
    *,
    target: str | Objective | None = None,
    preset: str | None = None,
    on_event: OnEvent | None = None,
    **settings: Unpack[options.DreamOptions],
) -> Picture: ...
@overload
def dream(
    source: list[Any] | tuple[Any, ...],
    *,
    target: str | Objective | None = None,
    preset: str | None = None,
    on_event: OnEvent | None = None,
    **settings: Unpack[options.DreamOptions],
) -> list[Picture]: ...
def dream(
    source: object,
    *,
    target: str | Objective | None = None,
    preset: str | None = None,
    on_event: OnEvent | None = None,
    **settings: Any,
) -> Picture | list[Picture] | Job:
    """Dream on a photograph: bring out what a network sees in it, at all sizes from large to small.

        ph.dream("photo.jpg", target="block11", octaves=4).image.shape    # torch.Size([1, 3, 768, 1024])
        ph.dream(["one.jpg", "two.jpg"])                                  # a list of two; the network is loaded once

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w); or `Noise(noise=(h, w))`; or a list of them. A
            sound's path, or a print too large for memory, gives a `Job`, to be saved.
        target: what to bring out, as text or an expression; None for what suits the network.
        preset: a preset of dreams, to which other settings add.
        on_event: called with each `Event`, for example to show progress; in a notebook that is shown by default.
        settings: those of `DreamRecipe`, such as `steps`, `size` or `seed`; `net` may also be a network itself, as
            `wrap` gives it, and has to be given again to `again`.

    Raises:
        PhospheneError: a subclass, for a source, target or setting that is wrong.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism: Going deeper into neural networks" (2015).
    """
    if not isinstance(source, list | tuple):
        return _only(job("dream", source, target=target, preset=preset, **settings), on_event)
    pictures = Pictures()
    for each in source:
        work = job("dream", each, target=target, preset=preset, **settings)
        settings["net"] = work.net
        pictures.append(_only(work, on_event))
    return pictures


@overload
def imagine(
    target: str | Objective,
    *,
    count: None = None,
    preset: str | None = None,
    on_event: OnEvent | None = None,
    **settings: Unpack[options.ImagineOptions],
) -> Picture: ...
@overload
def imagine(
    target: str | Objective,
    *,
    count: int,
    preset: str | None = None,
    on_event: OnEvent | None = None,
    **settings: Unpack[options.ImagineOptions],
) -> list[Picture]: ...
def imagine(
    target: str | Objective,
    *,
    count: int | None = None,
    preset: str | None = None,
    on_event: OnEvent | None = None,
    **settings: Any,
) -> Picture | list[Picture]:
    """Make a picture of what a network thinks something is, from noise; with a `count`, a list of that many.

        ph.imagine("banana").save("banana.png")
        ph.imagine("goldfish + chihuahua", count=4)    # a list of four

    Args:
        target: a label, a layer, a channel, or a sum of them, as text or an expression.
        count: how many different pictures to make, 1 to 64; None for one that is not in a list.
        preset: a preset of `imagine`, to which other settings add.
        on_event: called with each `Event`.
        settings: those of `ImagineRecipe`, such as `size` or `seed`.

    Raises:
        PhospheneError: a subclass, for a target or setting that is wrong.

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017).
    """
    if count is not None:
        settings["count"] = count
    work = job("imagine", target=target, preset=preset, **settings)
    if work.work.streams:
        sound: Any = work
        return sound
    pictures = _pictures(work, on_event)
    return pictures[0] if count is None and len(pictures) == 1 else pictures


def sheet(
    targets: str | Sequence[str | Objective],
    *,
    on_event: OnEvent | None = None,
    **settings: Unpack[options.SheetOptions],
) -> Picture:
    """Make a picture of each of many things, from noise, side by side on one sheet; faster than one by one.

        ph.sheet("block11:0..63").save("block11.png")
        ph.sheet(["banana", "goldfish", "teapot"], size=192, columns=3)

    Args:
        targets: what to picture, row by row, each as for `imagine`; `layer:0..63` stands for channels 0 to 63.
        on_event: called with each `Event`, whose preview is the sheet so far.
        settings: those of `SheetRecipe`, such as the `size` of each picture, `columns` or `seed`.

    Raises:
        PhospheneError: a subclass, for a target or setting that is wrong.
    """
    return _only(job("sheet", targets=targets, **settings), on_event)


def zoom(
    source: object,
    *,
    target: str | Objective | None = None,
    preset: str | None = None,
    **settings: Unpack[options.ZoomOptions],
) -> Job:
    """Travel endlessly into a photograph: each frame dreams on the last one, moved.

        ph.zoom("photo.jpg", target="0s: block5; 6s: block11", seconds=12).save("trip.mp4")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w); or `Noise(noise=(h, w))`.
        target: what to bring out, as text, which may have keyframes, or an expression; None for what suits the network.
        preset: a preset of zooms, to which other settings add.
        settings: those of `ZoomRecipe`, such as `seconds`, `speed` or `seed`.

    Raises:
        PhospheneError: a subclass, for a source, target or setting that is wrong.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism: Going deeper into neural networks" (2015), "Iterations".
    """
    return job("zoom", source, target=target, preset=preset, **settings)


def morph(ideas: Sequence[str | Objective], **settings: Unpack[options.MorphOptions]) -> Job:
    """Turn one idea into the next, aligned, so that what stands in between is both.

        ph.morph(["banana", "dumbbell", "golden retriever"], loop=True).save("morph.mp4")

    Everything is checked before this returns. All ideas are imagined before the first frame, which takes most of the
    time.

    Args:
        ideas: two or more labels, layers, channels, or sums of them, as text or expressions.
        settings: those of `MorphRecipe`, such as `seconds`, `between` or `seed`.

    Raises:
        PhospheneError: a subclass, for an idea or setting that is wrong.

    Source: Mordvintsev et al., "Differentiable Image Parameterizations" (Distill 2018).
    """
    return job("morph", ideas=ideas, **settings)


def video(source: StrPath, *, target: str | Objective | None = None, **settings: Unpack[options.VideoOptions]) -> Job:
    """Dream on a video clip without flicker: what was dreamt is carried along by the clip's own motion.

        ph.video("walk.mov", target="block11", start=2, end=8).save("dreamt.mp4")

    Everything is checked before this returns; the work is done when the job is saved or iterated. Frames keep their
    times, and the film its sound.

    Args:
        source: the path of a video file.
        target: what to bring out, as text, which may have keyframes (in seconds of the clip), or an expression.
        settings: those of `VideoRecipe`, such as `start`, `keep` or `seed`.

    Raises:
        PhospheneError: a subclass, for a clip, target or setting that is wrong.
    """
    return job("video", source, target=target, **settings)


def basins(
    corners: Sequence[str], *, target: str | Objective | None = None, **settings: Unpack[options.BasinsOptions]
) -> Picture:
    """Iterate steps of dreaming on the plane between three pictures, and show how fast its points settle.

        ph.basins(["cat.jpg", "dog.jpg", "clouds.jpg"]).save("basins.png")

    Args:
        corners: the paths of three pictures.
        target: what steps bring out, as text or an expression; None for what suits the network.
        settings: those of `BasinsRecipe`, such as `size`, `iterations` or `reach`.

    Raises:
        PhospheneError: a subclass, for a picture, target or setting that is wrong.
    """
    return _only(job("basins", corners=corners, target=target, **settings), None)


def iterate(
    formula: str, *, on_event: OnEvent | None = None, **settings: Unpack[options.IterateOptions]
) -> Picture | Job:
    """Make a picture of a function of the plane that is applied again and again; a job of a film with `zoom`.

        ph.iterate("z^2 + c", size="1600x1200").save("m.png")
        ph.iterate("z^2 + c", centre="0,1", zoom=1e-50).save("deep.mp4")

    Args:
        formula: in the language of `docs/fractals.md`.
        on_event: called with each `Event` of a picture.
        settings: those of `IterateRecipe`, such as `centre`, `width` or `palette`.

    Raises:
        PhospheneError: a subclass, for a formula or setting that is wrong.
    """
    work = job("iterate", formula=formula, **settings)
    return work if work.work.streams else _only(work, on_event)


@overload
def again(
    recipe: Picture | DreamRecipe | SheetRecipe,
    *,
    source: object = None,
    look_in: Sequence[StrPath] = (),
    fetch: bool = False,
    on_event: OnEvent | None = None,
    count: None = None,
    target: str | Objective | None = None,
    **settings: Unpack[options.AnyOptions],
) -> Picture: ...
@overload
def again(
    recipe: ZoomRecipe | MorphRecipe | VideoRecipe,
    *,
    source: object = None,
    look_in: Sequence[StrPath] = (),
    fetch: bool = False,
    on_event: OnEvent | None = None,
    count: None = None,
    target: str | Objective | None = None,
    **settings: Unpack[options.AnyOptions],
) -> Job: ...
@overload
def again(
    recipe: StrPath | BaseRecipe | Picture,
    *,
    source: object = None,
    look_in: Sequence[StrPath] = (),
    fetch: bool = False,
    on_event: OnEvent | None = None,
    count: int | None = None,
    target: str | Objective | None = None,
    **settings: Unpack[options.AnyOptions],
) -> Picture | list[Picture] | Job: ...
def again(
    recipe: StrPath | BaseRecipe | Picture,
    *,
    source: object = None,
    look_in: Sequence[StrPath] = (),
    fetch: bool = False,
    on_event: OnEvent | None = None,
    count: int | None = None,
    target: str | Objective | None = None,
    **settings: Any,
) -> Picture | list[Picture] | Job:
    """Render a recipe again, with some settings changed; a film's recipe gives a job.

        ph.again("dream.png", size=4000).save("large.png")

    A recipe of several pictures, or a `count`, gives a list.

    Args:
        recipe: a file that carries one (a picture, a film or .json), a recipe, or a picture.
        source: what to begin with instead of the recipe's own source.
        look_in: folders in which the recipe's source and guides are looked for, after the file's own folder.
        fetch: whether a network that the recipe names may be downloaded.
        on_event: called with each `Event` of a still.
        count: how many pictures an `imagine` recipe makes instead.
        target: what to make instead.
        settings: those to change. Without any, the same machine gives the same pixels.

    Raises:
        RecipeError: if there is no recipe, or its photograph or network is not there any more.
        PhospheneError: another subclass, as `dream` does.
    """
    settings |= {name: value for name, value in (("count", count), ("target", target)) if value is not None}
    work = job(recipe, source, look_in=look_in, fetch=fetch, **settings)
    if work.work.streams:
        return work
    pictures = _pictures(work, on_event)
    return pictures[0] if count is None and len(pictures) == 1 else pictures


def job(
    what: StrPath | BaseRecipe | Picture,
    source: object = None,
    *,
    preset: str | None = None,
    look_in: Sequence[StrPath] = (),
    fetch: bool = False,
    workers: str | int | None = None,
    **settings: Any,
) -> Job:
    """Prepare work of any kind, from settings or from a recipe, as a job that can be followed and continued.

        work = ph.job("dream", "photo.jpg", target="block11")
        for event in work:
            print(f"{event.stage}: {event.progress:.0%}")
        work.result().save("dream.png")

    Args:
        what: a kind of work ("dream", "imagine", "sheet", "zoom", "morph", "video"), a recipe, or a file that has one.
        source: what to begin with; for a recipe, None for its own.
        preset: a preset of the kind, to which other settings add.
        look_in: folders in which a recipe's source and guides are looked for.
        fetch: whether a network that a recipe's file names may be downloaded.
        workers: who does the parts of the work, such as the tiles of a large print or the batches of a sheet: a number
            of processes, "auto", or the address of a Ray cluster; None for this process.
        settings: those of the kind's recipe; for a recipe, those to change.

    Raises:
        PhospheneError: a subclass, for whatever is wrong. Everything is checked before this returns.
    """
    work = open_job(what, source, preset=preset, look_in=look_in, fetch=fetch, workers=workers, **settings)
    for _ in work.prepare():
        pass
    return work


def _only(work: Job, on_event: OnEvent | None) -> Any:
    """Return the picture of a job; the job itself where the result is written while it is made."""
    if work.work.streams:
        return work
    (picture,) = _pictures(work, on_event)
    return picture


def _pictures(work: Job, on_event: OnEvent | None) -> Pictures:
    result = work.run(on_event)
    assert isinstance(result, Pictures), "stills give pictures"
    return result
