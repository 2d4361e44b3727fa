"""The public functions about what networks know: `atlas`, `report`, `microscope`, `cloud` and `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from phosphene import options
from phosphene.api import OnEvent, StrPath, job
from phosphene.objectives.base import Objective
from phosphene.render.job import Job
from phosphene.render.picture import Picture, Pictures

if TYPE_CHECKING:
    from phosphene.api import Source


def atlas(photos: StrPath, **settings: Unpack[options.AtlasOptions]) -> Job:
    """Map everything that a layer tells apart, as a page to zoom into.

        ph.atlas("photos/", layer="block13").save("atlas")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        photos: a folder of pictures, or a CSV.
        settings: those of `AtlasRecipe`: the `layer`, and such as `net`, `columns` or `layout`.

    Raises:
        PhospheneError: a subclass, for a folder, layer or setting that is wrong.

    Source: Carter et al., "Activation Atlas" (Distill 2019).
    """
    return job("atlas", photos, **settings)


def report(target: str | Objective, **settings: Unpack[options.ReportOptions]) -> Job:
    """Tell what a label really means to a network, as a page.

        ph.report("dumbbell", dataset="photos/").save("dumbbell")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        target: a label, or a word above labels.
        settings: those of `ReportRecipe`, such as `net`, `layer` or `dataset`, a folder of pictures some of which show
            the label; without it the parts are those of imaginings.

    Raises:
        PhospheneError: a subclass, for a label, folder or setting that is wrong.

    Source: Neuhaus et al., "Spurious Features Everywhere" (ICCV 2023).
    """
    return job("report", target=str(target), **settings)


def microscope(**settings: Unpack[options.MicroscopeOptions]) -> Job:
    """Show every channel of a network, as a site.

        ph.microscope(net="pocket", dataset="photos/").save("site")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        settings: those of `MicroscopeRecipe`, such as `net`, `layers` or `dataset`, a folder of pictures of which those
            that excite a channel most are shown.

    Raises:
        PhospheneError: a subclass, for a folder or setting that is wrong.
    """
    return job("microscope", **settings)


def cloud(
    source: Source, *, on_event: OnEvent | None = None, **settings: Unpack[options.CloudOptions]
) -> Picture | Job:
    """See things in a picture, as people do in clouds: the best reading of each region grows there.

        ph.cloud("sky.jpg").save("seen.png")
        ph.cloud("sky.jpg", fps=12).save("seen.mp4")

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w); or `Noise(noise=(h, w))`.
        on_event: called with each `Event` of a picture.
        settings: those of `CloudRecipe`, such as `regions`, `rounds` or `seed`; with `fps` a film, as a job.

    Raises:
        PhospheneError: a subclass, for a source or setting that is wrong.
    """
    work = job("cloud", source, **settings)
    if work.work.streams or settings.get("fps") is not None:
        return work
    result = work.run(on_event)
    assert isinstance(result, Pictures), "a picture is asked for"
    return result[0]


def explain(source: Source, **settings: Unpack[options.ExplainOptions]) -> Job:
    """Explain to pupils how a network dreams on a photo, as a page with questions that needs no network.

        ph.explain("cat.jpg", target="block13").save("lesson")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w); or `Noise(noise=(h, w))`.
        settings: those of `ExplainRecipe`, such as `target`, `size` or `steps`.

    Raises:
        PhospheneError: a subclass, for a source, target or setting that is wrong.
    """
    return job("explain", source, **settings)
