"""From a recipe to the work that it asks for: names found, sizes and precision decided, the loop ready to run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from phosphene import nets
from phosphene import recipe as recipes
from phosphene.errors import ImageError, RecipeError
from phosphene.gradients import device as devices
from phosphene.gradients import precision as precisions
from phosphene.gradients.engine import Engine
from phosphene.loops import dream, lucid, sheet
from phosphene.loops import imagine as imagining
from phosphene.loops.step import StillStep as Step
from phosphene.media.image import Photograph, read_image
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.objectives.features import Layer
from phosphene.recipe import BaseRecipe, DreamRecipe, ImagineRecipe, NetUsed, Noise, SheetRecipe
from phosphene.render import sources
from phosphene.render.picture import Picture
from phosphene.types import Image, Size

GUIDE_SIDE = 512
"""Longest side in pixels that a guide is shrunk to: every position of the canvas is compared with all of its own."""

S = TypeVar("S", dream.DreamSettings, imagining.ImagineSettings)


@dataclass(frozen=True, eq=False)
class Rendering:
    """Work that can be followed: iterating gives its steps, after each of which there is a picture to be had.

        work = ph.dream_steps("photo.jpg")
        for step in work:
            work.pictures(step)[0].save("so-far.png")

    `recipe` has every setting as it was resolved; `start` is where the work begins, a picture of the final size;
    `finished` makes such pictures of a step's.
    """

    recipe: BaseRecipe
    start: Step
    steps: Iterator[Step] = field(repr=False)
    finished: Callable[[Tensor], Tensor] = field(repr=False)
    alpha: Tensor | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[Step]:
        return self.steps

    def pictures(self, step: Step) -> list[Picture]:
        """The pictures as they are after `step`, of the final size, each with its recipe; one, or `count`."""
        each = self.recipe.pictures()
        images = self.finished(step.image).cpu()
        return [Picture(image[None], own, self.alpha) for image, own in zip(images, each, strict=True)]

    def finish(self, on_step: Callable[[Step], object] | None = None) -> list[Picture]:
        """Do the work, call `on_step` after each step, and give the finished pictures."""
        last = self.start
        for last in self:
            if on_step is not None:
                on_step(last)
        return self.pictures(last)


@dataclass(frozen=True)
class Ground:
    """The network of a recipe, and its target as it is on that network."""

    net: Net
    used: NetUsed
    target: str
    objective: Objective


def ground(request: Any, path: Path | None = None, *, net: Net | None = None, equalise: bool = True) -> Ground:
    """Load the network and resolve the target; `path` is the file that the recipe is from.

    `net` is the recipe's network where the caller has it, as a wrapped one. Without `equalise`, responses are
    not measured against their channels' usual levels, as in 2015.

    Raises `UnknownNameError` and `ExpressionError` for names and targets, and `RecipeError` for other weights.
    """
    net = load_net(request, path) if net is None else net  # the caller's own stays where it is
    target = request.target or usual_target(net)
    return Ground(net, used(net), target, meaning(net, path, equalise=equalise)(target))


def load_net(request: Any, path: Path | None = None) -> Net:
    """The network of a recipe, on its device.

    Raises `UnknownNameError`, `SettingError` for a device that is not there, and `RecipeError` for other weights than
    it names.
    """
    with torch.random.fork_rng(devices=[]):  # making layers draws from it
        net = nets.load(request.net.name)
    card = net.card
    if request.net.sha256 not in (None, card.sha256):
        raise RecipeError(
            f"net {card.name!r} must have the weights {str(request.net.sha256)[:12]}..., but here has "
            f"{card.sha256[:12]}...: give --net {card.name} (net={card.name!r} in Python) to render with these",
            path=path,
        )
    return net.to(devices.choose(request.device))


def usual_target(net: Net) -> str:
    """What is dreamt of where nothing is asked for, as text in the objective language."""
    return str(Layer(net.card.default_target))


def used(net: Net) -> NetUsed:
    """The network as recipes name it."""
    return NetUsed(name=net.card.name, sha256=net.card.sha256)


def meaning(net: Net, path: Path | None = None, *, equalise: bool = True) -> Callable[[str], Objective]:
    """What reads targets as they are on this network, and guides from where the recipe's file `path` says."""
    guides = partial(_read_guide, net, path)
    return lambda target: resolve(parse(target), net.card, guides, normalised=equalise)


def dreaming(request: DreamRecipe, ground: Ground, photo: Photograph | None) -> Rendering:
    """The work of a dream on `photo`, or on the noise that the recipe names."""
    if isinstance(request.source, Noise):
        begun = sources.noise(sources.size_for(request.source.noise, request.source.noise), request.seed)
    else:
        assert photo is not None, "what is no noise has been read"
        begun = photo.image
    size = sources.size_for(request.size, (begun.shape[-2], begun.shape[-1]))
    image = sources.resized(begun, size)
    count = dream.choose_octaves(size, request.octave_scale) if request.octaves == "auto" else request.octaves
    engine = Engine(ground.net, ground.objective, precision=request.precision, tile=request.tile)
    recipe = resolved(request, ground.net, engine.dtype, target=ground.target, size=size, octaves=count)
    steps = dream.octave_steps(engine, image, settings_for(dream.DreamSettings, recipe))
    alpha = None if photo is None or photo.alpha is None else sources.resized(photo.alpha, size)
    return Rendering(recipe, _start(image, count, recipe), steps, partial(_laid_on, image), alpha)


def imagined(request: ImagineRecipe, ground: Ground) -> Rendering:
    """The work of imagining what the recipe's target stands for."""
    size = sources.size_for(request.size, (1, 1))
    dtype = precisions.choose(request.precision, next(ground.net.parameters()).device)
    recipe = resolved(request, ground.net, dtype, target=ground.target, size=size)
    if recipe.method == "lucid":
        engine = Engine(ground.net, ground.objective, precision=recipe.precision, tile=0)
        steps = lucid.lucid_steps(
            engine,
            steps=recipe.steps,
            rate=recipe.rate,
            decay=recipe.decay,
            count=recipe.count,
            seed=recipe.seed,
            size=size,
        )
    else:
        steps = imagining.imagine_steps(
            ground.net,
            ground.objective,
            settings_for(imagining.ImagineSettings, recipe),
            count=recipe.count,
            seed=recipe.seed,
            size=size,
            precision=recipe.precision,
        )
    grey = torch.full((recipe.count, 3, *size), 0.5)
    return Rendering(recipe, _start(grey, 1, recipe), steps, partial(_picked, recipe, size))


def sheeted(request: SheetRecipe, path: Path | None = None, *, net: Net | None = None) -> Rendering:
    """The work of imagining all that the recipe lists; `path` is the recipe's file, `net` as of `ground`."""
    net = load_net(request, path) if net is None else net
    objectives = tuple(map(meaning(net, path), request.targets))
    size = sources.size_for(request.size, (1, 1))
    columns = sheet.columns_for(len(objectives), size) if request.columns == "auto" else request.columns
    dtype = precisions.choose(request.precision, next(net.parameters()).device)
    recipe = resolved(request, net, dtype, size=size, columns=columns)
    look = imagining.ImagineSettings(steps=recipe.steps, sketches=recipe.sketches, views=recipe.views)
    steps = sheet.sheet_steps(
        net, objectives, look, columns=columns, gap=recipe.gap, seed=recipe.seed, size=size, precision=recipe.precision
    )
    blank = sheet.blank(len(objectives), size, columns, recipe.gap)
    return Rendering(recipe, _start(blank, 1, recipe), steps, lambda image: image)


def _read_guide(net: Net, recipe_path: Path | None, path: str, layer: str) -> Tensor:
    """A guide's features, `c k`; its path is as seen from here, or else from the recipe's folder."""
    try:
        photo = read_image(path)
    except ImageError:
        if recipe_path is None:
            raise
        photo = read_image(recipe_path.parent / path)
    size = photo.size
    if max(size) > GUIDE_SIDE:
        size = sources.size_for(GUIDE_SIDE, size)
    with torch.no_grad():
        guide = sources.resized(photo.image, size).to(next(net.parameters()).device)
        return net(guide, [layer])[layer][0].flatten(1)


R = TypeVar("R", bound=BaseRecipe)


def resolved(request: R, net: Net, dtype: torch.dtype, **found: object) -> R:
    """Return the recipe with everything that was left to phosphene to choose."""
    return recipes.resolved(request, net=used(net), precision=str(dtype).removeprefix("torch."), **found)


def settings_for(kind: type[S], recipe: BaseRecipe) -> S:
    """A loop's settings, each the recipe's of that name."""
    return kind(
        **{each.name: getattr(recipe, {"thin": "channel_dropout"}.get(each.name, each.name)) for each in fields(kind)}
    )


def _start(image: Image, octaves: int, recipe: Any) -> Step:
    return Step(
        image, torch.tensor([math.nan]), octave=0, octaves=octaves, step=0, steps=recipe.steps, progress=0.0, state=None
    )


def _laid_on(photo: Tensor, image: Tensor) -> Tensor:
    """What was dreamt in a small octave, enlarged and laid on the photograph, which stays sharp."""
    if image.shape == photo.shape:
        return image
    photo = photo.to(image.device)
    dreamt = image - dream.resize(photo, (image.shape[-2], image.shape[-1]))
    return dream.resize(dreamt, (photo.shape[-2], photo.shape[-1])).add_(photo).clamp_(0, 1)


def _picked(recipe: ImagineRecipe, size: Size, images: Tensor) -> Tensor:
    """The pictures that the recipe asks for, at full size; while sketches are compared, the first of each."""
    pictures = sources.resized(images[:: len(images) // recipe.count], size)
    return pictures if recipe.pick is None else pictures[recipe.pick - 1 : recipe.pick]
