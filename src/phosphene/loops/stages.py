"""The stages of imagining: on which canvases, for how many steps, and which views of them are scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phosphene.loops.scorer import ViewSpec
from phosphene.objectives.base import Objective
from phosphene.recipe.stills import ImagineSettings
from phosphene.types import Size

CANVAS = 1.5
"""Side of the first canvas in input sizes of the network. A view shows the larger part of it at about the size that the
network was trained on, and closer views still have something finer to show."""

LARGEST = 2048
"""Side of the largest canvas, or of a square of as many pixels; larger images are enlarged from it."""

SHARP = 0.25
"""Share of the smoothness prior that is left in a stage of detail with a sharpness of 1."""

CLOSE = (1.0, 1.75)
"""Smallest and largest side of the close views of detail, in input sizes: at most as fine as the canvas's pixels."""

MARGIN = 1.2
"""Least side of a canvas in sides of a view of it: larger views would show nothing more."""

FINE = 4
"""Sides of views that are not a network's input size are multiples of this."""

GROWTH = 1.5
"""Canvases are doubled as long as they are smaller than what is wanted by more than this factor."""


@dataclass(frozen=True)
class Stage:
    """A part of the work: a number of steps on canvases of one size.

    Attributes:
        name: in plain words, as "sketch".
        size: (height, width) of the canvas.
        pictures: images that are worked on at once.
        steps: number of steps.
        rate: the learning rate that the stage begins with.
        smooth: weight of the smoothness prior.
        decay: how much weaker finer waves of the canvas are drawn.
        looks: for each network, the views that each step takes of every image.
    """

    name: str
    size: Size
    pictures: int
    steps: int
    rate: float
    smooth: float
    decay: float
    looks: tuple[tuple[ViewSpec, ...], ...]

    @property
    def cost(self) -> int:
        """The pixels that the networks see in one step."""
        return self.pictures * sum(spec.views * math.prod(spec.size) for specs in self.looks for spec in specs)


def plan(
    input_sizes: Sequence[int],
    objective: Objective,
    settings: ImagineSettings,
    *,
    count: int,
    size: Size,
    closest: float = 0.0,
) -> list[Stage]:
    """Plan the stages for networks of these input sizes, of which the first one's decides the canvases.

    A class is a thing of a certain size in the image: it is sketched, drawn, and refined once. A channel or a layer
    may respond anywhere and fills a canvas of any size, which is doubled until it is about half as large as the size
    asked for, up to `LARGEST`. A neuron has a position: its views are not moved far, and become larger instead of
    closer. Views of a class show no less than the share `closest` of a picture.
    """
    anywhere = is_anywhere(objective)
    side = input_sizes[0] * CANVAS
    looks = tuple((ViewSpec(settings.views, _seen(each, side, size), settings.zoom),) for each in input_sizes)
    rate, smooth, decay = settings.rate, settings.smooth, settings.decay
    shape = Stage("shape", shaped(side, size), count, settings.steps, rate, smooth, decay, looks)
    sketches = [_sketch(shape, settings)] if settings.sketches > 1 and not anywhere else []
    wanted = min(LARGEST, math.sqrt(math.prod(size))) if anywhere else 0.0
    sides = [side * 2]
    while sides[-1] * GROWTH < wanted:
        sides.append(sides[-1] * 2)
    details = [
        replace(
            shape,
            name="detail" if len(sides) == 1 else f"detail {number} of {len(sides)}",
            size=shaped(side, size),
            steps=max(1, int(settings.steps * settings.detail)),
            rate=settings.rate / 2,
            # Grain would drown the detail of a thing, unless it is calmed; a texture may be grainy.
            smooth=(settings.smooth if anywhere or settings.calm else 2 * settings.smooth)
            * (1 - (1 - SHARP) * settings.sharpness),
            decay=settings.decay * (1 - settings.sharpness),
            looks=tuple(
                _detail_views(
                    each,
                    objective,
                    settings,
                    side=side,
                    number=number,
                    size=size,
                    closest=0.0 if anywhere else closest,
                )
                for each in input_sizes
            ),
        )
        for number, side in enumerate(sides, start=1)
    ]
    return [*sketches, shape, *details]


def _sketch(shape: Stage, settings: ImagineSettings) -> Stage:
    """Return the stage that draws several sketches of each image, which share the views."""
    few = tuple((replace(views[0], views=math.ceil(settings.views / settings.sketches)),) for views in shape.looks)
    pictures = shape.pictures * settings.sketches
    return replace(shape, name="sketch", pictures=pictures, steps=settings.sketch_steps, looks=few)


def _detail_views(
    input_size: int,
    objective: Objective,
    settings: ImagineSettings,
    *,
    side: float,
    number: int,
    size: Size,
    closest: float,
) -> tuple[ViewSpec, ...]:
    """Return one network's views of one stage of detail, on a canvas of this side."""
    if is_placed(objective):
        larger = shaped(input_size * 2, size, multiple=input_size // 4)
        return (ViewSpec(max(1, settings.views // 4), larger, settings.zoom),)
    seen = _seen(input_size, side, size)
    near = input_size / side
    close = ViewSpec(max(1, settings.views // 2), seen, (max(closest, CLOSE[0] * near), max(closest, CLOSE[1] * near)))
    if number > 1:  # there is nothing new to be seen from afar, and more to be seen up close
        return (replace(close, views=settings.views * 2 ** (number - 1)),)
    return (ViewSpec(max(1, settings.views // 2), seen, settings.zoom), close)


def _seen(input_size: int, side: float, size: Size) -> Size:
    """Return the size of a view of a whole canvas: the network's input size, unless the canvas is hardly larger."""
    if input_size * MARGIN <= side:
        return shaped(input_size, size, multiple=input_size // 4)
    return shaped(side / MARGIN, size, multiple=FINE)


def is_anywhere(objective: Objective) -> bool:
    """Tell whether the objective responds at any position, as to a texture and unlike to a thing."""
    return all(leaf.spatial for _, leaf in objective.terms())


def is_placed(objective: Objective) -> bool:
    """Tell whether the objective looks at certain positions."""
    return any(leaf.placed_views for _, leaf in objective.terms())


def shaped(side: float, size: Size, multiple: int = 1) -> Size:
    """Return a size of the aspect of `size`, with about as many pixels as a square of `side`.

    >>> shaped(96, (100, 200))
    (68, 136)

    Args:
        side: in pixels.
        size: (height, width) whose aspect is taken.
        multiple: what both sides are to be multiples of.
    """
    stretch = math.sqrt(size[0] / size[1])
    height, width = (max(1, round(each / multiple)) * multiple for each in (side * stretch, side / stretch))
    return height, width
