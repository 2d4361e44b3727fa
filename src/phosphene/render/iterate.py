"""From the recipe of a formula to its work: its pictures found, the view and the iterations chosen."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch

from phosphene.errors import SettingError
from phosphene.fractals import palette
from phosphene.fractals.colouring import Colours, as_trap
from phosphene.fractals.escape import Rules
from phosphene.fractals.formula import Formula, parse
from phosphene.fractals.view import EVERYTHING, Scene, Viewport, choose_iterations, choose_orbit_view, choose_view
from phosphene.loops import iterate
from phosphene.loops.iterate import Drawing, Orbits
from phosphene.loops.step import State, Step
from phosphene.media import memory
from phosphene.media.image import Photograph, read_image
from phosphene.nets.base import Net
from phosphene.recipe import FileSource, IterateRecipe, resolved
from phosphene.recipe.iterate import place_of
from phosphene.render import sources
from phosphene.render.films import FilmWork
from phosphene.render.job import Given
from phosphene.render.stills import StillWork
from phosphene.resampling import resize
from phosphene.types import Size

SETTLED = 1e-6
"""The distance of two successive places at which a point has settled."""

ORBIT_ITERATIONS = 500
"""Of orbits, where their number is not given."""

PICTURE_SIDE = 1024
"""Longest side in pixels of the picture of a palette or a trap."""


def build_iterate(recipe: IterateRecipe, net: Net | None, given: Given) -> StillWork | FilmWork:
    """Return the work of a picture or a film of the recipe's formula."""
    formula = parse(recipe.formula)
    size = sources.size_for(recipe.size, (1, 1))
    if recipe.zoom is not None:
        size = sources.even(size)
    memory.check(size)
    pictures = _Pictures(recipe, given)
    colours, rules = _colours(recipe, pictures), _rules(recipe, formula, pictures)
    view = _view(recipe, formula, rules, size)
    end = view if recipe.zoom is None else Viewport(view.centre, recipe.zoom, view.turn)
    iterations = recipe.iterations
    if iterations == "auto":
        orbits = recipe.plot == "orbits"
        iterations = ORBIT_ITERATIONS if orbits else choose_iterations(Scene(formula, rules, end), size)
    rules = _with(rules, iterations)
    found = {"centre": ", ".join(view.centre), "width": view.width, "iterations": iterations}
    recipe = resolved(recipe, size=size, guides=pictures.hashes, **found)
    scene = Scene(formula, rules, view)
    if recipe.plot == "orbits":
        return _orbits(recipe, scene, colours, size)
    drawing = Drawing(scene, colours, recipe.supersample)
    threads, cpu = torch.get_num_threads(), torch.device("cpu")
    if recipe.zoom is not None:

        def filmed(state: State | None) -> Iterator[Step]:
            return iterate.film_steps(drawing, recipe, size, threads=threads, state=state)

        return FilmWork(recipe, None, size, Fraction(recipe.fps), iterate.frame_count(recipe), filmed, cpu)

    def drawn(state: State | None) -> Iterator[Step]:
        return iterate.still_steps(drawing, size, threads=threads, state=state)

    return StillWork(recipe, None, size, lambda: torch.zeros(1, 3, *size), drawn, lambda image: image, cpu)


def _orbits(recipe: IterateRecipe, scene: Scene, colours: Colours, size: Size) -> StillWork:
    if recipe.zoom is not None:
        raise SettingError("orbits are shown in a picture, not in a film: leave out zoom", setting="zoom")
    around = (-EVERYTHING, -EVERYTHING, 2 * EVERYTHING, 2 * EVERYTHING)
    orbits = Orbits(scene, around, size, recipe.seed)
    threads, cpu = torch.get_num_threads(), torch.device("cpu")

    def sampled(state: State | None) -> Iterator[Step]:
        return iterate.orbit_steps(orbits, colours, recipe.samples, threads=threads, state=state)

    return StillWork(recipe, None, size, lambda: torch.zeros(1, 3, *size), sampled, lambda image: image, cpu)


class _Pictures:
    """The pictures that a recipe names; `hashes` collects their SHA-256."""

    def __init__(self, recipe: IterateRecipe, given: Given) -> None:
        self.hashes: dict[str, str] = {}
        self._known, self._given = recipe.guides, given

    def __call__(self, path: str, what: str) -> np.ndarray:
        """Return a picture's pixels, h w 3; raises `RecipeError` or `ImageError`."""
        photo: Photograph = sources.find(
            FileSource(path=path, sha256=self._known.get(path)),
            self._given.path,
            self._given.look_in,
            read_image,
            what,
            lambda photo: photo.sha256,
        )
        assert photo.sha256 is not None, "it was read from a file"
        self.hashes[path] = photo.sha256
        size = sources.size_for(min(PICTURE_SIDE, max(photo.size)), photo.size)
        return resize(photo.image, size, clamp=True)[0].permute(1, 2, 0).numpy()


def _colours(recipe: IterateRecipe, pictures: _Pictures) -> Colours:
    named = recipe.palette in palette.PALETTES
    colours = palette.named(recipe.palette) if named else palette.of_picture(pictures(recipe.palette, "palette"))
    trap = None if recipe.trap is None else as_trap(pictures(recipe.trap, "trap"))
    return Colours(colours, recipe.cycles, recipe.offset, recipe.light, trap)


def _rules(recipe: IterateRecipe, formula: Formula, pictures: _Pictures) -> Rules:
    settles = recipe.until == "settle" or (recipe.until == "auto" and formula.settles)
    trap = None
    if recipe.trap is not None:
        x, y, width = recipe.trap_at
        height, across = pictures(recipe.trap, "trap").shape[:2]
        trap = (x, y, width / 2, width / 2 * height / across)
    orbits = recipe.plot == "orbits"
    return Rules(
        bailout=recipe.bailout,
        settles=SETTLED if settles and not orbits else None,
        trap=None if orbits else trap,
        slopes=not settles and not orbits,
    )


def _with(rules: Rules, iterations: int) -> Rules:
    return Rules(iterations, rules.bailout, rules.settles, rules.trap, rules.slopes)


def _view(recipe: IterateRecipe, formula: Formula, rules: Rules, size: Size) -> Viewport:
    choose = choose_orbit_view if recipe.plot == "orbits" and not formula.parameter else choose_view
    chosen = choose(formula, rules, size) if "auto" in (recipe.centre, recipe.width) else Viewport(("0", "0"), 1.0)
    centre = chosen.centre if recipe.centre == "auto" else place_of(recipe.centre)
    width = chosen.width if recipe.width == "auto" else recipe.width
    return Viewport(centre, width, recipe.turn)
