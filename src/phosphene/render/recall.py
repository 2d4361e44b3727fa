"""From the recipe of a film of learning to its work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from phosphene.errors import RecipeError
from phosphene.gradients.device import choose_device
from phosphene.gradients.precision import choose_dtype
from phosphene.loops.step import State, Step
from phosphene.loops.version1 import arithmetic_for
from phosphene.nets import learnt
from phosphene.nets.base import Net
from phosphene.recipe import RecallRecipe, Run, resolved
from phosphene.render import sources
from phosphene.render.films import FilmWork
from phosphene.render.job import Given
from phosphene.training import recall


def build_recall(recipe: RecallRecipe, net: Net | None, given: Given) -> FilmWork:
    """Return the work of the film of a network's learning."""
    folder = _folder(recipe, given)
    facts, files = learnt.read_run(folder)
    device = choose_device(recipe.device)
    dtype = choose_dtype(recipe.precision, device)
    size = sources.size_for(recipe.size, (1, 1))
    recipe = resolved(
        recipe,
        source=Run(path=Path(os.path.abspath(folder)).as_posix()),
        precision=str(dtype).removeprefix("torch."),
        size=size,
    )
    arithmetic = arithmetic_for(recipe.version, recipe.seed)

    def load(index: int) -> tuple[Net, dict[str, float]]:
        found, known = learnt.read_frame(facts, files[index])
        return found.to(device), known

    def begin(state: State | None) -> Iterator[Step]:
        return recall.recall_steps(load, len(files), recipe, size=size, dtype=dtype, arithmetic=arithmetic, state=state)

    first, _ = load(0)
    count = min(recipe.most, len(first.card.labels))
    page = recall.page_size(count, size, captions=recipe.captions)
    return FilmWork(recipe, None, page, Fraction(recipe.fps), len(files), begin, device)


def _folder(recipe: RecallRecipe, given: Given) -> Path:
    if given.source is not None:
        return Path(str(given.source))
    if recipe.source.path is None:
        raise RecipeError("the recipe names no run: give its folder with --source", path=given.path)
    for candidate in sources.candidates(recipe.source.path, given.path, given.look_in):
        if candidate.is_dir():
            return candidate
    raise RecipeError(f"the run {recipe.source.path} was not found: name its folder with --look-in", path=given.path)
