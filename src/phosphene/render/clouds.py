"""From the recipe of what a network sees in a cloud to its work: a picture, or a film."""

from __future__ import annotations

from fractions import Fraction

from phosphene.errors import SettingError
from phosphene.gradients.precision import choose_dtype
from phosphene.knowledge.cloud import CloudLoop
from phosphene.loops.arithmetic import Arithmetic
from phosphene.media import memory
from phosphene.nets.base import Net
from phosphene.recipe import CloudRecipe, resolved
from phosphene.render import networks, sources
from phosphene.render.estimate import Load
from phosphene.render.films import FilmWork
from phosphene.render.job import Given, Work
from phosphene.render.stills import StillWork, name_of


def build_cloud(recipe: CloudRecipe, net: Net, given: Given) -> Work:
    """Return the work of growing a network's readings out of the recipe's picture.

    Raises:
        SettingError: for a network without labels.
    """
    if net.card.classes is None:
        raise SettingError(f"net {net.card.name!r} knows no labels: choose another", setting="net", value=net.card.name)
    arithmetic = Arithmetic(recipe.seed)
    start = sources.start(recipe.source, given.source, given.path, given.look_in, arithmetic)
    size = sources.size_for(recipe.size, start.size)
    if recipe.fps is not None:
        size = sources.even(size)
    memory.check(size)
    device = next(net.parameters()).device
    dtype = choose_dtype(recipe.precision, device)
    recipe = resolved(recipe, source=start.name, net=networks.named(net), precision=name_of(dtype), size=size)
    loop = CloudLoop(net, start.at(size)(), recipe, arithmetic, dtype)
    frames = recipe.rounds * recipe.steps
    load = Load.of(frames * len(loop.places) * net.card.input.size**2, {net.card.classes}, dtype)
    if recipe.fps is None:
        return StillWork(recipe, load, loop.whole, loop.start, loop.steps, lambda image: image, device)
    return FilmWork(recipe, load, loop.whole, Fraction(recipe.fps), frames, loop.steps, device)
