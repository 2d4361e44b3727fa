"""From the recipe of a network's map of the plane to its work."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from phosphene.errors import SettingError
from phosphene.fractals import palette
from phosphene.gradients.engine import Engine
from phosphene.loops import basins
from phosphene.loops.step import State, Step
from phosphene.media.image import read_image
from phosphene.nets.base import Net
from phosphene.recipe import FileSource, resolved
from phosphene.recipe.basins import BasinsRecipe
from phosphene.render import networks, sources
from phosphene.render.job import Given
from phosphene.render.stills import StillWork, name_of
from phosphene.resampling import resize
from phosphene.types import Image

FLAT = 1e-4
"""Height of a triangle of pictures, as a share of its side, below which there is no plane between them."""


def build_basins(recipe: BasinsRecipe, net: Net, given: Given) -> StillWork:
    """Return the work of iterating dream steps on the plane between the recipe's pictures."""
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides)
    named = recipe.target or networks.default_target(net)
    engine = Engine(net, targets(named), precision=recipe.precision, tile=0)
    hashes: dict[str, str] = {}

    def read(path: str, what: str, side: int) -> Image:
        known = FileSource(path=path, sha256=recipe.guides.get(path))
        photo = sources.find(known, given.path, given.look_in, read_image, what, lambda photo: photo.sha256)
        hashes[path] = photo.sha256 or ""
        return resize(photo.image, (side, side), clamp=True)

    first, second, third = (read(path, "picture", recipe.side) for path in recipe.corners)
    _check_apart(first, second, third)
    named_palette = recipe.palette in palette.PALETTES
    colours = (
        palette.named(recipe.palette)
        if named_palette
        else palette.of_picture(read(recipe.palette, "palette", 256)[0].permute(1, 2, 0).numpy())
    )
    size = sources.size_for(recipe.size, (1, 1))
    recipe = resolved(
        recipe,
        net=networks.named(net),
        precision=name_of(engine.dtype),
        target=named,
        guides={**targets.guides, **hashes},
        size=size,
    )
    plane = basins.Plane(engine, (first, second, third))

    def begin(state: State | None) -> Iterator[Step]:
        return basins.basin_steps(plane, recipe, colours, size, state=state)

    return StillWork(recipe, None, size, lambda: torch.zeros(1, 3, *size), begin, lambda image: image, engine.device)


def _check_apart(first: Image, second: Image, third: Image) -> None:
    u, v = (second - first).flatten().double(), (third - first).flatten().double()
    area = (u @ u) * (v @ v) - (u @ v) ** 2
    if float(area) <= FLAT**2 * max(float(u @ u), float(v @ v)) ** 2:
        raise SettingError(
            "the three pictures must differ, and none may be a mixture of the others: give another one",
            setting="corners",
        )
