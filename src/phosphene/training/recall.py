"""The film of learning: what a network imagines for each of its classes, while it learns.

The same canvases go on from frame to frame, a few steps in the network as it was at each: what is seen changes only as
the network does, and things form out of noise around the mean of the pictures that it learns from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from phosphene.canvas.fourier import FourierCanvas
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import Ascent, part
from phosphene.loops.imagine import BETAS, curvature
from phosphene.loops.scorer import Scorer, ViewSpec
from phosphene.loops.sheet import Each, columns_for
from phosphene.loops.stages import CANVAS, shaped
from phosphene.loops.step import Frame, State, Step, number
from phosphene.loops.typical import Typical, typical_of
from phosphene.media.image.lettering import line, line_height
from phosphene.nets.base import Net
from phosphene.nets.card import InputSpec
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.features import Class
from phosphene.recipe.recall import RecallSettings
from phosphene.recipe.stills import ImagineSettings
from phosphene.resampling import resize
from phosphene.types import Image, Scores, Size

GAP = 4
"""White pixels between pictures."""

Load = Callable[[int], tuple[Net, dict[str, float]]]
"""Returns the network as it was in a frame, and what was known of it: the step, its accuracy."""


def recall_steps(
    load: Load,
    frames: int,
    settings: RecallSettings,
    *,
    size: Size,
    dtype: torch.dtype,
    arithmetic: Arithmetic,
    state: State | None = None,
) -> Iterator[Step]:
    """Imagine every class of a network in each frame of its learning; each step yields a finished frame.

    Args:
        load: gives the network of each frame.
        frames: how many there are.
        settings: those of the recipe.
        size: (height, width) of each picture.
        dtype: number format of the network.
        arithmetic: the RNGs and optimizers.
        state: that of a step, to continue after it, to the same bytes.
    """
    first = 0 if state is None else int(state["frame"])
    ascent: Ascent | None = None
    rate = Fraction(settings.fps)
    for index in range(first, frames):
        net, known = load(index)
        labels = [names[0] for names in net.card.labels][: settings.most]
        if ascent is None:
            typical = typical_of(net.card, ImagineSettings().typical)
            canvas, faded = _begun(net.card.input, len(labels), typical, size, arithmetic)
            ascent = Ascent(canvas, BETAS, arithmetic)
            if state is not None:
                ascent.resume(part(state, "ascent."))
        at = arithmetic.at("frame", index)
        scores = _follow(ascent, net, labels, settings, typical, faded, size=size, dtype=dtype, arithmetic=at)
        image = resize(ascent.canvas().detach().float().cpu(), size, clamp=True)
        yield Step(
            stage="film of learning",
            step=index + 1,
            steps=frames,
            progress=(index + 1) / frames,
            image=page(image, labels, title(known)) if settings.captions else page(image, None, None),
            scores=scores.float().cpu(),
            state={"frame": number(index + 1), **{f"ascent.{key}": each for key, each in ascent.state().items()}},
            frame=Frame(index, float(index / rate)),
            metrics=known,
        )


def _begun(
    spec: InputSpec, count: int, typical: Typical | None, size: Size, arithmetic: Arithmetic
) -> tuple[FourierCanvas, Tensor]:
    """Return the canvases that the film begins with, and the spectrum that they would fade to: grey, or the mean."""
    sides = shaped(spec.size * CANVAS, size)
    decay, rng = ImagineSettings().decay, arithmetic.rng("canvas")
    canvas = FourierCanvas(sides, count, channels=spec.channels, decay=decay, generator=rng)
    if typical is None:
        return canvas, torch.zeros(())
    mean = typical.mean(sides)
    return canvas.around(mean), canvas.showing(mean).spectrum.detach()


def _follow(
    ascent: Ascent,
    net: Net,
    labels: Sequence[str],
    settings: RecallSettings,
    typical: Typical | None,
    faded: Tensor,
    *,
    size: Size,
    dtype: torch.dtype,
    arithmetic: Arithmetic,
) -> Scores:
    """Let the canvases follow the network for some steps; return their scores."""
    objectives: tuple[Objective, ...] = tuple(resolve(Class(label), net.card) for label in labels)
    look = ImagineSettings(diversity=0.0, channel_dropout=0.0, seed=settings.seed)
    scorer = Scorer(net, Each(objectives), look, dtype, flip=net.card.mirrored)
    side = net.card.input.size
    views = [ViewSpec(settings.views, shaped(side, size, multiple=side // 4), look.zoom)]
    scores = torch.zeros(len(labels))
    for step in range(settings.steps):

        def direction(image: Image, step: int = step) -> tuple[Scores, Image]:
            found, gradient = scorer(image, views, arithmetic.rng("views", step))
            gradient = gradient.add_(look.smooth * curvature(image))
            return found, gradient if typical is None else gradient.add_(typical.pull(image))

        scores = ascent.step(direction, settings.rate)
        with torch.no_grad():
            for parameter in ascent.canvas.parameters():
                parameter.mul_(1 - settings.fade).add_(settings.fade * faded)
    return scores


def title(known: dict[str, float]) -> str:
    """Return the line above a frame.

    >>> title({"step": 12, "held-out accuracy": 0.987, "robust accuracy": 0.5})
    'step 12: 98.7 % right, 50.0 % under attack'
    """
    text = f"step {known.get('step', 0):.0f}"
    if "held-out accuracy" in known:
        text += f": {known['held-out accuracy']:.1%} right".replace("%", " %")
    if "robust accuracy" in known:
        text += f", {known['robust accuracy']:.1%} under attack".replace("%", " %")
    return text


def page(images: Tensor, labels: Sequence[str] | None, above: str | None) -> Image:
    """Return images, `n c h w`, side by side on white, `1 3 h w`, each with its label beneath, and a line above."""
    count, _, height, width = images.shape
    letters = max(9, min(14, width // 7))
    columns = columns_for(count, (height, width))
    below = 0 if labels is None else line_height(letters)
    rows = -(-count // columns)
    top = GAP if above is None else line_height(letters) + GAP
    whole = torch.ones(1, 3, top + rows * (height + below + GAP), GAP + columns * (width + GAP))
    if above is not None:
        written = line(above, whole.shape[3] - 2 * GAP, letters)
        whole[0, :, GAP // 2 : GAP // 2 + written.shape[1], GAP:-GAP] = written
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        y, x = top + row * (height + below + GAP), GAP + column * (width + GAP)
        whole[0, :, y : y + height, x : x + width] = image
        if labels is not None:
            whole[0, :, y + height : y + height + below, x : x + width] = line(labels[index], width, letters)
    return whole


def page_size(count: int, size: Size, *, captions: bool) -> Size:
    """Return the (height, width) of what `page` gives for `count` images of `size`."""
    labels = [""] * count if captions else None
    whole = page(torch.zeros(count, 1, *size), labels, "" if captions else None)
    return whole.shape[2], whole.shape[3]
