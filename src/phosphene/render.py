"""The doors: `dream`, `imagine` and `again` give pictures; beneath each is the generator of its steps.

    import phosphene as ph
    ph.dream("photo.jpg", target="mixed4c").save("dream.png")

Settings are keyword arguments; `docs/recipe.md` has each one's meaning, range and default.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import __version__, nets
from phosphene import recipe as recipes
from phosphene import source as sources
from phosphene.errors import RecipeError, SettingError, UnknownNameError
from phosphene.gradients.engine import Engine
from phosphene.loops import octaves
from phosphene.loops.step import Step
from phosphene.media.image import Photograph, read_image
from phosphene.nets.tap import Net
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.picture import Picture
from phosphene.recipe import PRESETS, DreamRecipe, ImagineRecipe, NetUsed, Noise, Photo, R, Recipe
from phosphene.types import Image

OnStep = Callable[[Step], object]
StrPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Rendering:
    """Work that can be followed: iterating gives its steps, after each of which there is a picture to be had.

        work = ph.dream_steps("photo.jpg")
        for step in work:
            work.pictures(step)[0].save("so-far.png")

    `recipe` has every setting as it was resolved; `start` is where the work begins.
    """

    recipe: Recipe
    start: Step
    steps: Iterator[Step] = field(repr=False)
    photo: Image | None = field(default=None, repr=False)
    alpha: Tensor | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[Step]:
        return self.steps

    def pictures(self, step: Step) -> list[Picture]:
        """The pictures as they are after `step`, each with its recipe; one, unless more were asked for.

        All are of the final size: what was dreamt in a small octave is enlarged and laid on the photograph.
        """
        images = step.image if self.photo is None else _at_full_size(step.image, self.photo)
        each = recipes.of_each(self.recipe)
        return [Picture(image[None], own, self.alpha) for image, own in zip(images, each, strict=True)]

    def finish(self, on_step: OnStep | None = None) -> list[Picture]:
        """Do the work, call `on_step` after each step, and give the finished pictures."""
        last = self.start
        for last in self:
            if on_step is not None:
                on_step(last)
        return self.pictures(last)


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
        settings: those of `DreamRecipe`, as `steps`, `size` or `seed`.

    Raises:
        PhospheneError: a subclass, for a source, target or setting that is wrong.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism: Going deeper into neural networks" (2015).
    """
    return dream_steps(source, target=target, preset=preset, **settings).finish(on_step)[0]


def dream_steps(
    source: object, *, target: str | Objective | None = None, preset: str | None = None, **settings: object
) -> Rendering:
    """`dream` as work that can be followed step by step; all is checked before this returns."""
    chosen = {**_preset(preset), **settings}
    if target is not None:
        chosen["target"] = str(target)
    placeholder = recipes.ask(DreamRecipe, chosen, source=Photo())  # what is wrong is said before a file is read
    ground = _ground(placeholder)
    named, photo = sources.given(source)
    return _dream(placeholder.model_copy(update={"source": named}), ground, photo)


def again(
    recipe: StrPath | Recipe | Picture,
    *,
    source: object = None,
    on_step: OnStep | None = None,
    **settings: object,
) -> Picture | list[Picture]:
    """Render anew from a recipe, with some settings changed.

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
    pictures = again_steps(recipe, source=source, **settings).finish(on_step)
    return pictures[0] if len(pictures) == 1 else pictures


def again_steps(recipe: StrPath | Recipe | Picture, *, source: object = None, **settings: object) -> Rendering:
    """`again` as work that can be followed step by step; all is checked before this returns."""
    path: Path | None = None
    match recipe:
        case str() | os.PathLike():
            path = Path(recipe)
            known = sources.read_recipe(path)
        case Picture():
            known = recipe.recipe
        case _:
            known = recipe
    changed = recipes.override(known, settings)
    if isinstance(changed, ImagineRecipe):
        if source is not None:
            raise SettingError("source must not be given: an imagined picture begins with none", setting="source")
        return _imagine(changed, _ground(changed, path))
    ground = _ground(changed, path)
    if source is None:
        named, photo = sources.found(changed.source, path)
    else:
        named, photo = sources.given(source)
        changed = recipes.override(changed, {}, source=named)
    return _dream(changed.model_copy(update={"source": named}), ground, photo)


@dataclass(frozen=True)
class _Ground:
    """The network, and the target as it is on it."""

    net: Net
    used: NetUsed
    target: str
    objective: Objective


def _ground(request: Recipe, path: Path | None = None) -> _Ground:
    with torch.random.fork_rng(devices=[]):  # making layers draws from it
        net = nets.load(request.net.name)
    card = net.card
    if request.net.sha256 not in (None, card.sha256):
        raise RecipeError(
            f"net {card.name!r} must have the weights {str(request.net.sha256)[:12]}..., but here has "
            f"{card.sha256[:12]}...: give --net {card.name} (net={card.name!r} in Python) "
            "to render with these",
            path=path,
        )
    target = request.target or card.default_target
    objective = resolve(parse(target), card, partial(_read_guide, net, path))
    return _Ground(net, NetUsed(name=card.name, sha256=card.sha256), target, objective)


def _read_guide(net: Net, recipe_path: Path | None, path: str, layer: str) -> Tensor:
    """A guide's features, `c k`; its path is as seen from here, or else from the recipe's folder."""
    try:
        photo = read_image(path)
    except Exception:
        if recipe_path is None:
            raise
        photo = read_image(recipe_path.parent / path)
    with torch.no_grad():
        return net(photo.image, [layer])[layer][0].flatten(1)


def _preset(name: str | None) -> Mapping[str, object]:
    if name is None:
        return {}
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name].settings


def _dream(request: DreamRecipe, ground: _Ground, photo: Photograph | None) -> Rendering:
    source = request.source
    if isinstance(source, Noise):
        begun = sources.noise(sources.size_for(source.noise, source.noise), request.seed)
    else:
        assert photo is not None, "what is no noise has been read"
        begun = photo.image
    size = sources.size_for(request.size, (begun.shape[-2], begun.shape[-1]))
    image = sources.resized(begun, size)
    engine = Engine(ground.net, ground.objective, precision=request.precision, tile=request.tile)
    count = request.octaves
    if count == "auto":
        count = octaves.choose_octaves(size, request.octave_scale)
    recipe = _resolved(request, ground, engine, size=size, octaves=count)
    settings = octaves.DreamSettings(
        octaves=count,
        octave_scale=request.octave_scale,
        steps=request.steps,
        step_size=request.step_size,
        jitter=request.jitter,
        shaping=request.shaping,
        natural_colour=request.natural_colour,
        seed=request.seed,
    )
    alpha = None if photo is None or photo.alpha is None else sources.resized(photo.alpha, size)
    start = Step(image, math.nan, octave=0, octaves=count, step=0, steps=request.steps, progress=0.0, state=None)
    return Rendering(recipe, start, octaves.octave_steps(engine, image, settings), photo=image, alpha=alpha)


def _imagine(request: ImagineRecipe, ground: _Ground) -> Rendering:
    raise NotImplementedError


def _resolved(request: R, ground: _Ground, engine: Engine, **found: object) -> R:
    """The recipe with all that was found for what was left to phosphene, and these settings listed."""
    found.update(net=ground.used, target=ground.target, precision=str(engine.dtype).removeprefix("torch."))
    chosen = [name for name in found if getattr(request, name) in (None, "auto")]
    automatic = dict.fromkeys((*request.automatic, *chosen))
    return request.model_copy(update={**found, "automatic": tuple(automatic), "phosphene": __version__})


def _at_full_size(image: Image, photo: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n 3 height width"]:
    if image.shape == photo.shape:
        return image
    dreamt = image - octaves.resize(photo, (image.shape[-2], image.shape[-1]))
    return octaves.resize(dreamt, (photo.shape[-2], photo.shape[-1])).add_(photo).clamp_(0, 1)
