"""From the recipes of stills to their work: names found, sizes and number format decided, the loop ready to run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from phosphene.cluster.crew import Workers
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.gradients.precision import choose_dtype
from phosphene.loops import dream, imagine, lucid, torus
from phosphene.loops.ensemble import Member
from phosphene.loops.step import State, Step
from phosphene.loops.version1 import arithmetic_for
from phosphene.media import atomic, memory
from phosphene.media.image import check_writable
from phosphene.media.natural_spectrum import read_magnitudes
from phosphene.nets.base import Net
from phosphene.objectives.masked import MaskedPart
from phosphene.recipe import (
    BaseRecipe,
    DreamRecipe,
    DreamSettings,
    ImagineRecipe,
    SheetRecipe,
    dumps,
    resolved,
)
from phosphene.render import networks, prints, sources
from phosphene.render.environment import environment
from phosphene.render.estimate import Load
from phosphene.render.job import Format, Given, Work
from phosphene.render.kept_output import KeptOutput
from phosphene.render.picture import Picture, Pictures, depth_of, paths
from phosphene.resampling import resize
from phosphene.types import Image, Size


@dataclass(frozen=True, eq=False)
class StillWork(Work):
    """The work of one or more pictures.

    `begin` does the work from a state; `finished` makes pictures of the final `size` of a step's, and `start` those
    before the first step. A fourth channel of pictures is their alpha. `workers` are those that `begin` uses.
    """

    recipe: BaseRecipe
    load: Load | None
    size: Size
    start: Callable[[], Image] = field(repr=False)
    begin: Callable[[State | None], Iterator[Step]] = field(repr=False)
    finished: Callable[[Tensor], Tensor] = field(repr=False)
    device: torch.device
    alpha: Tensor | None = field(default=None, repr=False)
    undivided: str | None = "a picture in memory is done by one process, one above 24 megapixels by workers"
    workers: Workers | None = None

    def steps(self, state: State | None) -> Iterator[Step]:
        """Do the work, from the beginning or from where `state` was taken."""
        return self.begin(state)

    def look(self, step: Step) -> Image:
        """Return the first picture as it is after `step`, 1 3 h w."""
        return self.finished(step.image)[:1, :3].cpu()

    def result(self, step: Step | None) -> Pictures:
        """Return the pictures after `step`, or those of the beginning."""
        images = (self.start() if step is None else self.finished(step.image)).cpu()
        each = zip(images.split(1), self.recipe.pictures(), strict=True)
        return Pictures(
            Picture(image[:, :3], recipe, image[:, 3:] if image.shape[1] == 4 else self.alpha) for image, recipe in each
        )

    def written(self, path: Path, step: Step | None) -> Pictures:
        """Return the pictures that were written to `path`."""
        return self.result(step)

    def paths(self, path: Path) -> list[Path]:
        """Return the files of the pictures; several are numbered from 1."""
        return paths(path, len(self.recipe.pictures()))

    def write_partial(self, path: Path, step: Step) -> list[Path]:
        """Write the pictures as they are after `step`, as NAME.partial with the suffix of `path`."""
        partial = paths(path, len(self.recipe.pictures()), ".partial")
        for picture, place in zip(self.result(step), partial, strict=True):
            picture.save(place)
        return partial

    def output(self, path: Path, format: Format, *, fresh: bool) -> StillOutput:
        """Open a place for the pictures; several are numbered from 1."""
        return StillOutput(self, path, format, fresh=fresh)


class StillOutput(KeptOutput):
    """Where pictures will be."""

    def __init__(self, work: StillWork, path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("codec", "crf", kind="pictures")
        self._work, self._path, self._format = work, path, format
        text = dumps(work.recipe)
        for each in (path, *format.also):
            depth = depth_of(format, each)
            check_writable(each, depth, size=work.size, recipe=text if format.with_recipe else None)
        atomic.check(work.paths(path)[0])
        super().__init__(path, work.recipe, environment(work.device, work.workers), fresh=fresh)

    def finish(self, step: Step | None) -> None:
        """Write the pictures and remove the work folder."""
        how = self._format
        pictures = self._work.result(step)
        for path in (self._path, *how.also):
            depth = depth_of(how, path)
            pictures.save(path, depth, how.quality, profile=how.profile, with_recipe=how.with_recipe)
        self._folder.remove()


def build_dream(recipe: DreamRecipe, net: Net, given: Given) -> Work:
    """Return the work of a dream on the recipe's photograph, or on noise."""
    net = networks.without(net, recipe.without)
    arithmetic = arithmetic_for(recipe.version, recipe.seed)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides, equalise=recipe.equalise)
    named = recipe.target or networks.default_target(net)
    pieces = targets.parts(named)
    engine = Engine(net, pieces[0].objective, precision=recipe.precision, tile=recipe.tile)
    start = sources.start(recipe.source, given.source, given.path, given.look_in, arithmetic)
    size = sources.size_for(recipe.size, start.size)
    memory.check(size)
    image = start.at(size)
    found, mask = sources.mask_for(recipe, size, given.path, given.look_in)
    parts = _parts(recipe, pieces, engine, targets, size)
    if recipe.tileable:
        whole = image
        image = lambda: torus.seamless(whole())  # noqa: E731
    recipe = resolved(recipe, **chosen_for(recipe, net, engine, start.name, named, targets.guides, size), **found)

    def begin(state: State | None) -> Iterator[Step]:
        if recipe.tileable:
            return torus.dream_steps(engine, image(), recipe, arithmetic=arithmetic, state=state)
        return dream.dream_steps(engine, image(), recipe, arithmetic=arithmetic, state=state, mask=mask, parts=parts)

    def finished(now: Tensor) -> Tensor:
        return dream.laid_on(image(), now, recipe)

    layers = {layer for piece in pieces for layer in piece.objective.layers()}
    load = Load.of(dream.pixels_seen(size, recipe) * len(pieces), sorted(layers), engine.dtype)
    alpha = None if start.alpha is None else resize(start.alpha, size, clamp=True)
    work = StillWork(recipe, load, size, image, begin, finished, engine.device, alpha)
    return work if recipe.print is None else prints.dream_print(recipe, work, engine, start, arithmetic, given.workers)


def _parts(
    recipe: DreamRecipe, pieces: list[MaskedPart], engine: Engine, targets: networks.Targets, size: Size
) -> list[tuple[Engine, Tensor]]:
    """Return the engine and the mask of each part of a dream; none where its target holds everywhere."""
    if all(piece.path is None for piece in pieces):
        return []
    for name in ("symmetry", "tileable", "print"):
        if getattr(recipe, name):
            raise SettingError(f"masked(...) and {name} exclude each other: leave out one of them", setting="target")
    masks = targets.masks(pieces, size)
    return [(engine.towards(piece.objective), mask) for piece, mask in zip(pieces, masks, strict=True)]


def build_imagine(recipe: ImagineRecipe, net: Net, given: Given) -> Work:
    """Return the work of imagining what the recipe's target stands for."""
    natural, net = natural_of(recipe, net), networks.without(net, recipe.without)
    arithmetic = arithmetic_for(recipe.version, recipe.seed)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    objective = targets(recipe.target)
    size = sources.size_for(recipe.size, (1, 1))
    memory.check(size, recipe.count)
    device = next(net.parameters()).device
    dtype = choose_dtype(recipe.precision, device)
    robustly = recipe.method != "lucid"
    companions = (
        networks.companions(recipe, [recipe.target], [objective], given.path, given.look_in) if robustly else []
    )
    others = [Member(each, own) for each, (own,) in companions]
    recipe = resolved(
        recipe,
        net=networks.named(net),
        ensemble=tuple(networks.named(each) for each, _ in companions),
        precision=name_of(dtype),
        guides=targets.guides,
        size=size,
    )

    def robust(state: State | None) -> Iterator[Step]:
        return imagine.imagine_steps(
            net,
            objective,
            recipe,
            arithmetic=arithmetic,
            others=others,
            count=recipe.count,
            size=size,
            precision=recipe.precision,
            state=state,
            tileable=recipe.tileable,
            natural=natural,
        )

    def as_published(state: State | None) -> Iterator[Step]:
        engine = Engine(net, objective, precision=recipe.precision, tile=0)
        return lucid.lucid_steps(engine, recipe, arithmetic=arithmetic, count=recipe.count, size=size, state=state)

    def finished(images: Tensor) -> Tensor:
        pictures = in_colour(resize(images[:: len(images) // recipe.count], size, clamp=True))
        return pictures if recipe.pick is None else pictures[recipe.pick - 1 : recipe.pick]

    def grey() -> Tensor:
        return torch.full((len(recipe.pictures()), 3, *size), 0.5)

    nets = [each for each, _ in companions]
    seen = (
        imagine.pixels_seen(net, objective, recipe, others=nets, count=recipe.count, size=size)
        if robustly
        else recipe.steps * recipe.count * math.prod(size)
    )
    begin = robust if robustly else as_published
    work = StillWork(recipe, Load.of(seen, objective.layers(), dtype), size, grey, begin, finished, device)
    return (
        work if recipe.print is None else prints.imagined_print(recipe, work, net, objective, arithmetic, given.workers)
    )


def natural_of(recipe: ImagineRecipe | SheetRecipe, net: Net) -> Tensor | None:
    """Return the magnitudes of photographs for the method that keeps to them, or None for others.

    Raises `SettingError` for what a method cannot do.
    """
    cannot = {"lucid": ("tileable",), "maco": ("tileable", "symmetry", "print")}.get(recipe.method, ())
    for name in cannot:
        if getattr(recipe, name, None):
            raise SettingError(
                f"method {recipe.method} and {name} exclude each other: leave out one of them",
                setting=name,
                value=getattr(recipe, name),
            )
    if recipe.method != "maco":
        return None
    if net.card.input.channels != 3:
        raise SettingError(
            f"method maco is for networks of pictures in colour, which {net.card.name!r} is not", setting="method"
        )
    return read_magnitudes()


def chosen_for(
    recipe: DreamSettings, net: Net, engine: Engine, source: object, target: str, guides: object, size: Size
) -> dict[str, object]:
    """Return what dreams write into their recipes of what was left to phosphene to choose."""
    return {
        "source": source,
        "net": networks.named(net),
        "precision": name_of(engine.dtype),
        "target": target,
        "guides": guides,
        "size": size,
        "octaves": octaves_of(recipe, size),
    }


def octaves_of(recipe: DreamSettings, size: Size) -> int:
    """Return the recipe's number of octaves, or the one that fits the size."""
    return dream.choose_octaves(size, recipe.octave_scale) if recipe.octaves == "auto" else recipe.octaves


def in_colour(images: Tensor) -> Tensor:
    """Return images, `n c h w`, as RGB: those of a network of grey pictures have one channel."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def name_of(dtype: torch.dtype) -> str:
    """Return a number format as recipes name it."""
    return str(dtype).removeprefix("torch.")
