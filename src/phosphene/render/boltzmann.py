"""From recipes to the work of Boltzmann machines: their training, and their dreams."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from phosphene.errors import SettingError, WeightsError
from phosphene.loops.step import Frame, State, Step, number
from phosphene.media import atomic
from phosphene.media.dataset.collection import Collection, check_learnable
from phosphene.media.image import read_image
from phosphene.nets.base import Net
from phosphene.nets.weights import machine as files
from phosphene.recipe import Dataset, GibbsRecipe, LearnRecipe, NetUsed, dumps, relative_to, resolved
from phosphene.render import sources
from phosphene.render.dataset_work import READING, DatasetWork
from phosphene.render.films import FilmWork
from phosphene.render.job import Given
from phosphene.render.stills import StillWork
from phosphene.resampling import resize
from phosphene.rng import fold_in
from phosphene.training import machines, pictures, plan
from phosphene.training.boltzmann import Machine, Stack
from phosphene.training.machines import Machines
from phosphene.training.recall import page, page_size

SMALLEST, LARGEST = 16, 32
"""Sides of the pictures that machines learn, by default."""

FEW = 10_000


class BoltzmannWork(DatasetWork):
    """The training of a Boltzmann machine, or of a stack of two."""

    suffix = files.SUFFIX

    def __init__(self, recipe: LearnRecipe, collection: Collection, channels: int) -> None:
        super().__init__(recipe, collection)
        self.channels = channels
        self.machines: Machines | None = None

    def steps(self, state: State | None) -> Iterator[Step]:
        """Read the pictures, then train, from the beginning or from where `state` was taken."""
        yield from self.read()
        assert self.store is not None, "it is read"
        seed = fold_in(self.recipe.seed, "pictures")
        seen = pictures.TrainingPictures(self.store, self.collection, self.channels, self.recipe.held_out, seed)
        self.machines = Machines(seen, self.recipe)
        for step in machines.machine_steps(self.machines, state=state or None):
            yield replace(step, progress=READING + (1 - READING) * step.progress)

    def kept_with(self, step: Step) -> dict[str, bytes]:
        """Return nothing: a machine has no film of its learning."""
        return {}

    def result(self, step: Step | None) -> LearntMachine:
        """Return the machines as they are after `step`."""
        if self.machines is None:
            raise SettingError("there is no machine before the pictures are read", setting="source")
        return LearntMachine(self, self.machines)


@dataclass(frozen=True, eq=False)
class LearntMachine:
    """Boltzmann machines that have learnt; `save` writes them."""

    work: BoltzmannWork
    machines: Machines

    @property
    def metrics(self) -> dict[str, float]:
        """Free energies and the share of dead units in the last test."""
        return dict(self.machines.test)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the machines, which `phosphene gibbs` dreams with; the name must end in .rbm."""
        self.work.check(Path(path))
        stack, recipe = self.machines.stack(), self.work.recipe
        card = {
            "depth": len(stack.machines),
            "side": stack.side,
            "channels": stack.channels,
            "std": stack.std,
            "data": self.work.data_card(self.machines.pictures),
            "tests": {name: round(each, 6) for name, each in self.metrics.items()},
            "updates": self.machines.step,
            "recipe": json.loads(dumps(relative_to(recipe, Path(os.path.abspath(path)).parent))),
        }
        tensors = {
            name: tensor for i, each in enumerate(stack.machines) for name, tensor in each.tensors(f"{i}.").items()
        }
        with atomic.replacing(path) as file:
            file.write(files.to_bytes(tensors, card))


def build(recipe: LearnRecipe, collection: Collection, source: Dataset) -> BoltzmannWork:
    """Return the work of training machines on a dataset."""
    if recipe.start is not None:
        raise SettingError("a Boltzmann machine cannot begin from a network: leave out --from", setting="start")
    check_learnable(collection, classes=False)
    sizes = plan.look_at(collection)
    own = max(SMALLEST, min(LARGEST, sizes.height, sizes.width))
    count = len(collection)
    recipe = resolved(
        recipe,
        source=source,
        side=own if recipe.side == "auto" else recipe.side,
        width=(256 if count < FEW else 512) if recipe.width == "auto" else recipe.width,
        epochs=machines.epochs_for(count, recipe.batch) if recipe.epochs == "auto" else recipe.epochs,
        rate=machines.RATE if recipe.rate == "auto" else recipe.rate,
    )
    return BoltzmannWork(recipe, collection, 1 if sizes.grey else 3)


def build_gibbs(recipe: GibbsRecipe, net: Net | None, given: Given) -> StillWork | FilmWork:
    """Return the work of a machine's dream: a sheet of fantasies, or a film of the chains as they wander."""
    path = Path(recipe.net.name)
    parts, card, sha256 = files.read(path)
    if recipe.net.sha256 not in (None, sha256):
        raise WeightsError(f"{path} is another machine than the recipe's: give --net {path} to use it", path=path)
    found = [Machine(**each, gaussian=index == 0) for index, each in enumerate(parts)]
    stack = Stack(tuple(found), float(card["std"]), int(card["side"]), int(card["channels"]))
    size = sources.size_for(recipe.size, (1, 1))
    recipe = resolved(recipe, net=NetUsed(name=recipe.net.name, sha256=sha256), size=size)
    known, where = _clamped(recipe, stack)
    whole = page_size(recipe.count, size, captions=False)
    is_film = recipe.seconds is not None
    frames = round(float(Fraction(recipe.fps)) * recipe.seconds) if recipe.seconds is not None else 1

    def begin(state: State | None) -> Iterator[Step]:
        done = 0 if state is None else int(state["sweep"])
        chains = None if state is None else state["chains"]
        last = recipe.sweeps + (frames - 1) * recipe.every
        chain = stack.chain(recipe.count, seed=recipe.seed, known=known, where=where, sweep=done, state=chains)
        for sweep, (images, units) in enumerate(chain, start=done + 1):
            shown = sweep >= recipe.sweeps and (sweep - recipe.sweeps) % recipe.every == 0
            index = (sweep - recipe.sweeps) // recipe.every
            image = page(resize(images, size, clamp=True), None, None)
            frame = Frame(index, float(index / Fraction(recipe.fps))) if shown and is_film else None
            kept = {"sweep": number(sweep), "chains": units}
            yield Step("Gibbs chain", sweep, last, sweep / last, image, torch.zeros(1), kept, frame)
            if sweep == last:
                return

    device = torch.device("cpu")
    if is_film:
        return FilmWork(recipe, None, whole, Fraction(recipe.fps), frames, begin, device)
    return StillWork(recipe, None, whole, lambda: torch.ones(1, 3, *whole), begin, lambda image: image, device)


def _clamped(recipe: GibbsRecipe, stack: Stack) -> tuple[Tensor | None, Tensor | None]:
    """Return the visible units that are known, and which they are."""
    if recipe.known is None:
        return None, None
    image = resize(read_image(recipe.known).image, (stack.side, stack.side), clamp=True)
    image = image.mean(dim=1, keepdim=True) if stack.channels == 1 else image
    middle = stack.side // 2
    mask = torch.zeros(1, stack.channels, stack.side, stack.side, dtype=torch.bool)
    match recipe.half:
        case "left":
            mask[..., :middle] = True
        case "right":
            mask[..., middle:] = True
        case "top":
            mask[..., :middle, :] = True
        case "bottom":
            mask[..., middle:, :] = True
    return stack.units(image), mask.flatten(1)
