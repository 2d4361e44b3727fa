"""Prints: from a recipe's paper to sizes in pixels, and to the work that carries a picture on to them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from phosphene.cluster.crew import Workers
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops import prints, sheet, torus
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import PhotoBases, canvas_for, laid_on
from phosphene.loops.octaves import Surface
from phosphene.loops.parts import Crew
from phosphene.loops.planes import Store
from phosphene.loops.step import State, Step
from phosphene.media import memory
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe import DreamRecipe, DreamSettings, ImagineRecipe, SheetRecipe
from phosphene.recipe.prints import Layout, PrintSettings, further_sizes, lay_out, read_length, read_paper
from phosphene.render.estimate import Load
from phosphene.render.job import Work
from phosphene.render.large import PrintWork
from phosphene.render.sources import Start
from phosphene.resampling import resize, resize_part
from phosphene.types import Image, Size

if TYPE_CHECKING:
    from phosphene.render.stills import StillWork

LIMIT = 2**34
"""Most pixels of a print: 17 gigapixels, of some 600 GB on the disk."""


@dataclass(frozen=True)
class Print:
    """A print of a picture of size `begun`: its layout, and the sizes of the octaves beyond the picture's own.

    A `tileable` one has edges that join, and is made in memory, whatever its size.
    """

    begun: Size
    layout: Layout
    further: Sequence[Size]
    tileable: bool = False

    @property
    def canvases(self) -> list[Size]:
        """The sizes of the octaves that are too large for memory."""
        return [size for size in self.further if math.prod(size) > prints.IN_MEMORY and not self.tileable]

    def check_memory(self) -> None:
        """Raise `SettingError` if a print in memory is too large for it."""
        memory.check(self.layout.sheet, setting="print")

    def pixels_seen(self, steps: int, count: int = 1) -> int:
        """Return how many pixels the network sees in the further octaves."""
        return steps * count * sum(map(math.prod, self.further))

    def load(self, before: Load | None, steps: int, count: int = 1) -> Load:
        """Return the load of a picture and its print."""
        assert before is not None, "a network makes these pictures"
        return replace(before, pixels=before.pixels + self.pixels_seen(steps, count))

    def is_further(self, image: Image) -> bool:
        """Return whether an image is that of a further octave."""
        return (image.shape[-2], image.shape[-1]) in self.further

    def part(self, image: Tensor) -> Tensor:
        """Return the part of a picture that is printed, at the size of the print, within [0, 1]."""
        size, wanted = (image.shape[-2], image.shape[-1]), self.layout.picture
        if self.tileable:
            return torus.resize_around(image, wanted, clamp=True)
        box = prints.scaled(self.layout.box, self.begun, size)
        every = (0, wanted[0]), (0, wanted[1])
        return resize_part(prints.reader(image), size, wanted, *every, box=box).clamp_(0, 1)

    def on_paper(self, image: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Return the print with the image of a further octave, or with a picture of the size begun."""
        picture = resize(image, self.layout.picture, clamp=True) if self.is_further(image) else self.part(image)
        picture = on_white(picture, None if alpha is None else self.part(alpha).to(picture.device))
        return prints.printed(picture, self.layout.sheet, self.layout.at)


def plan(settings: PrintSettings, size: Size, octave_scale: float, *, tileable: bool = False) -> Print:
    """Return the print that the settings ask for of a picture of this size.

    Raises:
        SettingError: for a print of too many pixels, a safe zone that leaves no room, or a tileable picture that does
            not fill its paper exactly.
    """
    assert settings.print is not None, "there is no print otherwise"
    placement = "crop" if settings.placement == "auto" else settings.placement
    safe = read_length(settings.safe)
    try:
        paper = read_paper(settings.print)
        layout = lay_out(paper, size, bleed=read_length(settings.bleed), safe=safe, placement=placement)
    except ValueError:
        raise SettingError(
            f"safe must leave room for the picture on {settings.print}, but is {settings.safe}",
            setting="safe",
            value=settings.safe,
        ) from None
    if math.prod(layout.sheet) > LIMIT:
        raise SettingError(
            f"print must have at most {LIMIT // 10**9} gigapixels, but {settings.print} has "
            f"{math.prod(layout.sheet) / 1e9:.0f}: ask for fewer dots per inch",
            setting="print",
            value=settings.print,
        )
    if tileable:
        layout = _as_tile(settings, layout, size)
    rows, columns = layout.box
    begun = (rows[1] - rows[0], columns[1] - columns[0])
    return Print(size, layout, further_sizes(begun, layout.picture, octave_scale), tileable)


def _as_tile(settings: PrintSettings, layout: Layout, size: Size) -> Layout:
    """Return the layout of a picture whose edges join, all of which fills the paper; raise `SettingError` if it cannot.

    A difference of one pixel comes from rounding, and the picture is stretched by that much.
    """
    if layout.picture != layout.sheet or read_length(settings.bleed):
        raise SettingError(
            "a tileable print ends where its paper does: leave out bleed, safe and placement",
            setting="tileable",
            value=True,
        )
    height, width = (last - first for first, last in layout.box)
    if max(size[0] - height, size[1] - width) > 1:
        raise SettingError(
            f"a tileable picture cannot be cropped, and {size[1]}x{size[0]} has other proportions than "
            f"{settings.print}: give it a size of {width}x{height}",
            setting="size",
            value=size,
        )
    return replace(layout, box=((0, size[0]), (0, size[1])))


def on_white(photo: Tensor, alpha: Tensor | None) -> Tensor:
    """Return a photograph as it is on paper, which is white where the photograph is transparent."""
    return photo if alpha is None else photo * alpha + (1 - alpha)


def dream_print(
    recipe: DreamRecipe,
    work: StillWork,
    engine: Engine,
    start: Start,
    arithmetic: Arithmetic,
    workers: Workers | None = None,
) -> Work:
    """Return the work of a dream's print; `work` is that of the dream itself."""
    planned = plan(recipe, work.size, recipe.octave_scale, tileable=recipe.tileable)
    load = planned.load(work.load, recipe.steps)
    early = planned.canvases or recipe.tileable
    flat = start.alpha if early else None  # otherwise what is transparent is laid on white at the end

    def photo() -> Image:
        return on_white(start.make(), flat).to(engine.device)

    def surface(store: Store | None, crew: Crew | None = None) -> Surface:
        if recipe.tileable:
            begun = torus.seamless(resize(photo(), work.size, clamp=True))
            return torus.print_surface(engine, torus.seamless(photo()), planned.further, recipe, arithmetic, begun)
        image = work.start() if flat is None else resize(photo(), work.size, clamp=True)
        own = PhotoBases(image.to(engine.device), recipe, lambda image: canvas_for(recipe, image))
        box, further = planned.layout.box, planned.further
        return prints.surface_for(engine, photo(), work.size, box, further, recipe, arithmetic, own, store, crew)

    if planned.canvases:
        assert isinstance(recipe.octaves, int), "it is resolved"
        last = recipe.octaves + len(planned.further) - 1

        def on_disk(state: State | None, store: Store, crew: Crew | None) -> Iterator[Step]:
            return prints.print_steps(surface(store, crew), recipe.steps, state)

        return PrintWork(recipe, load, planned.layout, planned.canvases, on_disk, last, engine, workers)
    planned.check_memory()

    def begin(state: State | None) -> Iterator[Step]:
        return prints.print_steps(surface(None), recipe.steps, state)

    def finished(now: Tensor) -> Tensor:
        image = now if planned.is_further(now) else laid_on(work.start(), now, recipe)
        return planned.on_paper(image, None if early else start.alpha)

    def paper() -> Image:
        return planned.on_paper(work.start(), start.alpha)

    size = planned.layout.sheet
    return replace(work, load=load, size=size, start=paper, begin=begin, finished=finished, alpha=None)


def imagined_print(
    recipe: ImagineRecipe,
    work: StillWork,
    net: Net,
    objective: Objective,
    arithmetic: Arithmetic,
    workers: Workers | None = None,
) -> Work:
    """Return the work of an imagined picture's print; `work` is that of the picture, the smallest octave of a dream."""
    settings = DreamSettings(symmetry=recipe.symmetry, seed=recipe.seed)
    planned = plan(recipe, work.size, settings.octave_scale, tileable=recipe.tileable)
    engine = Engine(net, objective, precision=recipe.precision)
    count = len(recipe.pictures())
    load = planned.load(work.load, settings.steps, count)

    def steps(state: State | None, store: Store | None, crew: Crew | None = None) -> Iterator[Step]:
        def surface(picture: Image) -> Surface:
            box, further = planned.layout.box, planned.further
            picture = picture.to(engine.device)
            if recipe.tileable:
                return torus.print_surface(engine, picture, further, settings, arithmetic)
            return prints.surface_for(
                engine, picture, work.size, box, further, settings, arithmetic, store=store, crew=crew
            )

        share = 1 - planned.pixels_seen(settings.steps, count) / load.pixels
        return prints.carried_on(work.begin, work.finished, surface, settings.steps, share, state)

    if planned.canvases:
        if count > 1:
            raise SettingError(
                "count must be 1 for a print that is too large for memory", setting="count", value=recipe.count
            )
        last = len(planned.further) - 1
        return PrintWork(recipe, load, planned.layout, planned.canvases, steps, last, engine, workers)
    planned.check_memory()

    def finished(now: Tensor) -> Tensor:
        return planned.on_paper(now if planned.is_further(now) else work.finished(now))

    def paper() -> Image:
        return planned.on_paper(work.start())

    def begin(state: State | None) -> Iterator[Step]:
        return steps(state, None)

    return replace(work, load=load, size=planned.layout.sheet, start=paper, begin=begin, finished=finished)


def sheet_print(
    recipe: SheetRecipe, work: StillWork, net: Net, objectives: Sequence[Objective], arithmetic: Arithmetic
) -> Work:
    """Return the work of a sheet's print; `work` is that of the sheet, each picture of which is dreamt on.

    Raises:
        SettingError: for a sheet that is to be cropped.
    """
    if recipe.placement == "crop":
        raise SettingError("a sheet is printed as a whole: placement must be fit", setting="placement", value="crop")
    settings = DreamSettings(seed=recipe.seed)
    planned = plan(recipe.model_copy(update={"placement": "fit"}), work.size, settings.octave_scale)
    planned.check_memory()
    layout, count = planned.layout, len(objectives)
    assert isinstance(recipe.columns, int), "it is resolved"
    assert isinstance(recipe.size, tuple), "it is resolved"
    small = sheet.Grid(count, recipe.size, recipe.columns, recipe.gap)
    large = small.within(layout.picture)
    further = further_sizes(small.size, large.size, settings.octave_scale)
    whole = ((0, small.size[0]), (0, small.size[1]))
    load = Print(small.whole, layout, further).load(work.load, settings.steps, count)
    engine = Engine(net, objectives[0], precision=recipe.precision)

    def surface(picture: Image, index: int) -> Surface:
        own = engine.towards(objectives[index])
        place = arithmetic.at("batch", index)
        return prints.surface_for(own, picture.to(own.device), small.size, whole, further, settings, place)

    def placed(paper: Tensor, index: int, image: Tensor) -> Tensor:
        if index < 0:
            cells = small.cells(image)
            return large.placed(large.blank(), range(count), resize(cells, large.size, clamp=True))
        return large.placed(paper, [index], resize(image.cpu(), large.size, clamp=True))

    def begin(state: State | None) -> Iterator[Step]:
        share = 1 - settings.steps * count * sum(map(math.prod, further)) / load.pixels
        return prints.sheet_print_steps(work.begin, small.cells, placed, surface, settings.steps, share, state)

    def finished(now: Tensor) -> Tensor:
        drawn = now if (now.shape[-2], now.shape[-1]) == large.whole else placed(now, -1, now)
        at = ((layout.sheet[0] - large.whole[0]) // 2, (layout.sheet[1] - large.whole[1]) // 2)
        return prints.printed(drawn, layout.sheet, at)

    def paper() -> Image:
        return torch.ones(1, 3, *layout.sheet)

    return replace(work, load=load, size=layout.sheet, start=paper, begin=begin, finished=finished)
