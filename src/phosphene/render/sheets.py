"""From the recipe of a sheet to its work: one picture for each target and each combination of varied settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from phosphene.errors import SettingError
from phosphene.gradients.precision import choose_dtype
from phosphene.loops import imagine, sheet
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.version1 import arithmetic_for
from phosphene.media import memory
from phosphene.media.image.captions import captioned, captioned_size
from phosphene.nets.base import Net
from phosphene.objectives.expr import parse
from phosphene.recipe import ImagineSettings, SheetRecipe, resolved
from phosphene.recipe.variations import Variation, read_variations
from phosphene.render import networks, prints, sources
from phosphene.render.estimate import Load
from phosphene.render.job import Given, Work
from phosphene.render.shared import shared
from phosphene.render.stills import StillWork, name_of, natural_of


def build_sheet(recipe: SheetRecipe, net: Net, given: Given) -> Work:
    """Return the work of imagining everything that the recipe lists.

    Raises:
        SettingError: for settings that vary and cannot, or captions on a print.
    """
    natural, net = natural_of(recipe, net), networks.without(net, recipe.without)
    varied = read_variations(recipe.vary)
    recipe = recipe.model_copy(update={"targets": networks.spread_all(net, recipe.targets)})
    pictured = _pictured(recipe)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    objectives = tuple(map(targets, pictured))
    count = len(objectives) * len(varied)
    size = sources.size_for(recipe.size, (1, 1))
    memory.check(size, count)
    dtype = choose_dtype(recipe.precision, next(net.parameters()).device)
    others = networks.companions(recipe, pictured, objectives, given.path, given.look_in)
    columns = _columns(recipe, varied, count, size)
    recipe = resolved(
        recipe,
        net=networks.named(net),
        ensemble=tuple(networks.named(each) for each, _ in others),
        precision=name_of(dtype),
        guides=targets.guides,
        size=size,
        columns=columns,
    )
    several = _several(recipe, varied)

    begin = partial(
        sheet.sheet_steps,
        net,
        objectives,
        several[0][0],
        arithmetic=several[0][1],
        others=others,
        columns=columns,
        gap=recipe.gap,
        size=size,
        precision=recipe.precision,
        natural=natural,
        variations=several,
    )

    grid = sheet.Grid(count, size, columns, recipe.gap)
    captions = _captions(recipe, pictured, varied)

    def finished(image: Tensor) -> Tensor:
        return captioned(grid.cells(image), captions, columns, recipe.gap) if captions else image

    nets = [each for each, _ in others]
    seen = sum(
        imagine.pixels_seen(net, each, own, others=nets, count=1, size=size)
        for each in objectives
        for own, _ in several
    )
    load = Load.of(seen, {name for each in objectives for name in each.layers()}, dtype)
    whole = captioned_size(count, size, columns, recipe.gap, len(captions[0])) if captions else grid.whole
    device = next(net.parameters()).device
    steps, blank = shared(begin, [net, *nets], given.workers), lambda: finished(grid.blank())
    work = StillWork(recipe, load, whole, blank, steps, finished, device, None, _undivided(recipe), given.workers)
    return work if recipe.print is None else prints.sheet_print(recipe, work, net, objectives, several[0][1])


def _undivided(recipe: SheetRecipe) -> str | None:
    """Return why workers cannot do a sheet's batches; None if they can."""
    if recipe.print is not None:
        return "the print of a sheet is done by one process"
    if recipe.without is not None:
        return "workers load networks by name, with all channels: leave out without"
    return None


def _pictured(recipe: SheetRecipe) -> tuple[str, ...]:
    """Return the target of each picture: those of the recipe, or their sums over a grid of weights, row by row."""
    if recipe.weights is None:
        return recipe.targets
    if len(recipe.targets) != 2:
        raise SettingError(
            f"weights are those of two targets, but there are {len(recipe.targets)}",
            setting="weights",
            value=recipe.weights,
        )
    first, second = (str(parse(each)) for each in recipe.targets)
    return tuple(f"{x:g}*({first}) + {y:g}*({second})" for y in recipe.weights for x in recipe.weights)


def _columns(recipe: SheetRecipe, varied: Sequence[Variation], count: int, size: tuple[int, int]) -> int:
    """Return the recipe's columns: by default a contact sheet has those of the setting that varies fastest."""
    if recipe.print is not None and _has_captions(recipe):
        name = next(each for each in ("vary", "weights", "captions") if getattr(recipe, each))
        raise SettingError(f"{name} and print exclude each other: leave out one of them", setting=name)
    if recipe.columns != "auto":
        return recipe.columns
    if recipe.vary is None:
        return sheet.columns_for(count, size) if recipe.weights is None else len(recipe.weights)
    last = varied[0].lines[:-1]
    return sum(each.lines[:-1] == last for each in varied)


def _has_captions(recipe: SheetRecipe) -> bool:
    return recipe.captions or recipe.vary is not None or recipe.weights is not None


def _several(recipe: SheetRecipe, varied: Sequence[Variation]) -> list[tuple[ImagineSettings, Arithmetic]]:
    """Return the settings of each variation, and where its random numbers come from."""
    settings = networks.imagine_settings(recipe)
    each_of = [settings.model_copy(update=each.settings) for each in varied]
    return [(own, arithmetic_for(recipe.version, own.seed)) for own in each_of]


def _captions(recipe: SheetRecipe, pictured: Sequence[str], varied: Sequence[Variation]) -> list[tuple[str, ...]]:
    """Return the lines under each picture; none for a sheet without captions."""
    if not _has_captions(recipe):
        return []
    names: list[tuple[str, ...]] = [(each.removeprefix("class:"),) for each in pictured]
    if recipe.weights is not None:
        first, second = (each.removeprefix("class:") for each in recipe.targets)
        names = [(f"{x:g} {first}", f"{y:g} {second}") for y in recipe.weights for x in recipe.weights]
    return [(*name, *each.lines) for name in names for each in varied]
