"""What imagining is asked for, and what it is planned as: which canvases, how many steps, and where each looks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from phosphene.errors import SettingError
from phosphene.loops.scorer import ViewSpec
from phosphene.objectives.base import Objective
from phosphene.objectives.features import Neuron
from phosphene.types import Size

CANVAS = 1.5
"""Side of the first canvas, in native sides of the network: the larger part of it, which is what a view shows, is seen
at about the size that the network was trained on, and there is something finer to see when it comes closer."""

LARGEST = 2048
"""Side of the largest canvas (of a square of as many pixels); what is to be larger is enlarged in the end."""

DETAIL = 4
"""Steps for the shape, for one of each octave of detail; those move the canvas half as far."""

CLOSE = (1.0, 1.75)
"""What half of the views of detail show, in native sides: as close as the canvas' pixels, or less so."""


@dataclass(frozen=True)
class ImagineSettings:
    """How to imagine; the defaults make a picture of a label in 10 to 20 s on two cores.

    Attributes:
        steps: of ascent for the shape, from 1; a quarter as many follow for each octave of detail.
        sketches: begun for each picture, of which the best goes on, from 1 (none). Only for classes: what has its
            place anywhere in the picture looks alike from every start.
        sketch_steps: of ascent for the sketches, from 1.
        views: of each picture that a step looks at, from 1; sketches share them.
        rate: how far a step goes, above 0; 1 would be the contrast of a photograph in each wave.
        decay: amplitudes of finer waves fall as frequency to this power, from 0 (white) to 4; photographs: 1.
        zoom: least and greatest share of the picture's height in a view, above 0.
        rotate: the greatest turn of a view in degrees, to either side, 0 to 180.
        tint: how far the views' contrast and colour cast vary, from 0.
        noise: deviation of the noise in the views, from 0; 1 is black to white.
        thin: share of the network's channels that each step leaves out, from 0 to below 1.
        natural: weight of responses like those to photographs, from 0.
        smooth: weight of a smooth picture, from 0; twice as much in a class's detail.
        diversity: weight of the unlikeness of pictures that are made together, from 0.

    Raises:
        SettingError: for a number out of its range.
    """

    steps: int = 96
    sketches: int = 4
    sketch_steps: int = 24
    views: int = 8
    rate: float = 0.12
    decay: float = 1.3
    zoom: tuple[float, float] = (0.8, 1.0)
    rotate: float = 8.0
    tint: float = 0.1
    noise: float = 0.08
    thin: float = 0.1
    natural: float = 1.0
    smooth: float = 6.0
    diversity: float = 2.0

    def __post_init__(self) -> None:
        for name in ("steps", "sketches", "sketch_steps", "views"):
            check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("tint", "noise", "natural", "smooth", "diversity"):
            check(name, getattr(self, name), 0 <= getattr(self, name) < math.inf, "0 or more")
        check("rate", self.rate, 0 < self.rate < math.inf, "above 0")
        check("decay", self.decay, 0 <= self.decay <= 4, "from 0 to 4")
        check("thin", self.thin, 0 <= self.thin < 1, "from 0 to below 1")
        check("zoom", self.zoom, 0 < self.zoom[0] <= self.zoom[1], "two numbers above 0, the smaller first")
        check("rotate", self.rotate, 0 <= self.rotate <= 180, "from 0 to 180 degrees")


@dataclass(frozen=True)
class Octave:
    """One part of the work: so many steps on `pictures` canvases of this size, and what each step looks at."""

    size: Size
    pictures: int
    steps: int
    rate: float
    smooth: float
    view_specs: tuple[ViewSpec, ...]

    @property
    def cost(self) -> int:
        """Of one step: the pixels that the network sees."""
        return self.pictures * sum(view_spec.views * math.prod(view_spec.size) for view_spec in self.view_specs)


def octaves(
    input_size: int, objective: Objective, settings: ImagineSettings, *, count: int, size: Size
) -> list[Octave]:
    """The parts of the work for a network of this native side, in their order.

    A class is a thing of a certain size in the picture: it is sketched, drawn, and refined once. What may be anywhere
    (a channel, a layer) fills a canvas of any size, and is refined until that has half the pixels asked for on each
    side, up to `LARGEST`. A neuron has its place: views of it are not moved far, and see more in each octave instead.
    """
    whole, placed = is_anywhere(objective), is_placed(objective)
    side = input_size * CANVAS
    seen = _shaped(input_size, size, multiple=input_size // 4)
    view_spec = ViewSpec(settings.views, seen, settings.zoom)
    shape = Octave(_shaped(side, size), count, settings.steps, settings.rate, settings.smooth, (view_spec,))
    plan = [shape]
    if settings.sketches > 1 and not whole:
        few = replace(view_spec, views=math.ceil(settings.views / settings.sketches))
        sketched = replace(shape, pictures=count * settings.sketches, steps=settings.sketch_steps, view_specs=(few,))
        plan.insert(0, sketched)
    wanted = min(LARGEST, math.sqrt(math.prod(size))) if whole else 0.0
    steps, smooth, octave = max(1, settings.steps // DETAIL), settings.smooth, 0
    while octave == 0 or side * 1.5 < wanted:
        octave, side = octave + 1, side * 2
        smooth *= 1 if whole else 2  # a thing's detail would be drowned by grain; a texture may be grainy
        near = input_size / side
        close = ViewSpec(max(1, settings.views // 2), seen, (CLOSE[0] * near, CLOSE[1] * near))
        view_specs: tuple[ViewSpec, ...] = (replace(view_spec, views=max(1, settings.views // 2)), close)
        if placed:
            larger = _shaped(input_size * 2, size, multiple=input_size // 4)
            view_specs = (ViewSpec(max(1, settings.views // 4), larger, settings.zoom),)
        elif octave > 1:  # nothing new to be seen from afar; as many more views as there is more to see
            view_specs = (replace(close, views=settings.views * 2 ** (octave - 1)),)
        plan.append(Octave(_shaped(side, size), count, steps, settings.rate / 2, smooth, view_specs))
    return plan


def is_anywhere(objective: Objective) -> bool:
    """Whether what it looks for may be anywhere in a picture, as textures are and things are not."""
    return all(leaf.spatial for _, leaf in objective.terms())


def is_placed(objective: Objective) -> bool:
    """Whether it looks at a certain place."""
    return any(isinstance(leaf, Neuron) for _, leaf in objective.terms())


def _shaped(side: float, size: Size, multiple: int = 1) -> Size:
    """A size of the aspect of `size` and of about as many pixels as a square of `side`; multiples of `multiple`."""
    stretch = math.sqrt(size[0] / size[1])
    height, width = (max(1, round(each / multiple)) * multiple for each in (side * stretch, side / stretch))
    return height, width


def check(setting: str, value: object, holds: bool, wanted: str) -> None:
    """Raises `SettingError` unless what must hold of a setting holds."""
    if not holds:
        raise SettingError(f"{setting} must be {wanted}, but is {value}", setting=setting, value=value)
