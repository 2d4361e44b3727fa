"""From a recipe of training to its work: the dataset found and read, the network built, trained and written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from phosphene.errors import SettingError
from phosphene.gradients.device import choose_device
from phosphene.gradients.precision import choose_dtype
from phosphene.loops.step import State, Step
from phosphene.media import atomic
from phosphene.media.dataset.collection import Collection, check_learnable
from phosphene.media.dataset.store import PictureStore
from phosphene.nets import learnt
from phosphene.nets.base import Net
from phosphene.nets.statistics import measure_statistics
from phosphene.nets.zoo.graph import GraphNet, Structure
from phosphene.recipe import LearnRecipe, dumps, relative_to, resolved
from phosphene.render import boltzmann
from phosphene.render.dataset_work import READING, DatasetWork
from phosphene.render.job import Given
from phosphene.rng import fold_in
from phosphene.training import classifier, data, pictures, plan
from phosphene.training.classifier import Classifier

MEASURED, AT_ONCE = 1024, 64
"""Pictures that the activation statistics are measured from."""


class LearnWork(DatasetWork):
    """The training of one network."""

    suffix = ".pt2"

    def __init__(self, recipe: LearnRecipe, collection: Collection, structure: Structure, start: GraphNet | None):
        super().__init__(recipe, collection)
        self.structure, self.start = structure, start
        self.classifier: Classifier | None = None

    def steps(self, state: State | None) -> Iterator[Step]:
        """Read the pictures, then train, from the beginning or from where `state` was taken."""
        yield from self.read()
        assert self.store is not None, "it is read"
        trained = self._begin(self.store)
        for step in classifier.classifier_steps(trained, state=state or None):
            yield replace(step, progress=READING + (1 - READING) * step.progress)

    def _begin(self, store: PictureStore) -> Classifier:
        """Return the network with what it learns from, before its first step."""
        recipe = self.recipe
        channels = self.structure.table.given
        seen = pictures.TrainingPictures(
            store, self.collection, channels, recipe.held_out, fold_in(recipe.seed, "pictures")
        )
        mirrored = recipe.mirror == "yes" or (recipe.mirror == "auto" and pictures.survives_mirroring(seen))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(fold_in(recipe.seed, "weights"))
            net = self._untrained(seen, mirrored)
        views = pictures.Views(recipe.zoom, recipe.rotate, recipe.tint, mirrored)
        dtype = choose_dtype(recipe.precision, self.device)
        self.classifier = Classifier(net.to(self.device), seen, recipe, views, dtype)
        return self.classifier

    def _untrained(self, seen: pictures.TrainingPictures, mirrored: bool) -> GraphNet:
        if self.start is None:
            mean, std = pictures.mean_and_std(seen)
        else:
            mean, std = self.start.card.input.mean, self.start.card.input.std
        card = self.structure.card(
            "learnt",
            mean=mean,
            std=std,
            title=f"trained on {len(self.collection.classes)} classes of {Path(self.collection.source).name}",
            labels=self._labels(),
            source="phosphene learn",
            licence=self.recipe.licence or self.collection.licence or "unknown",
            mirrored=mirrored,
            closest=self.recipe.zoom[0],
        )
        net = self.structure.untrained(card, with_batch_norm=self.start is None)
        if self.start is not None:
            known = self.start.tensors()
            for name, tensor in net.tensors().items():
                if tensor.shape == known[name].shape:
                    tensor.copy_(known[name])
        assert isinstance(self.recipe.side, int), "the recipe is resolved"
        looks = pictures.statistics(seen) if self.recipe.lessons == "labels" else None
        net.card = replace(card, input=replace(card.input, size=self.recipe.side), pictures=looks)
        return net

    def _labels(self) -> tuple[tuple[str, ...], ...]:
        """Return the names of the network's classes."""
        if self.start is not None and self.recipe.lessons == "itself":
            return self.start.card.labels
        return tuple((each,) for each in self.collection.classes)

    def result(self, step: Step | None) -> Learnt:
        """Return the network as it is after `step`."""
        if self.classifier is None:
            raise SettingError("there is no network before the pictures are read", setting="source")
        return Learnt(self, self.classifier)

    def kept_with(self, step: Step) -> dict[str, bytes]:
        """Return the files that keep the network at a frame of the film of its learning."""
        if self.classifier is None or step.frame is None:
            return {}
        net = self.classifier.finished(best=False)
        facts = {**step.metrics, "step": float(step.step), "steps": float(step.steps or 0)}
        described = learnt.described(net.card, self.structure.table)
        frame = learnt.frame_to_bytes(net.cpu(), facts)
        return {learnt.RUN: json.dumps(described).encode(), learnt.FRAME.format(step.frame.index): frame}


@dataclass(frozen=True, eq=False)
class Learnt:
    """A network that has learnt, or is learning; `save` writes it, and `net` dreams."""

    work: LearnWork
    classifier: Classifier

    @property
    def net(self) -> Net:
        """The network, ready for dreaming, with activation statistics."""
        net = self.classifier.finished()
        seen = self.classifier.pictures
        sample = torch.from_numpy(seen.sample(MEASURED))
        batches = (seen.take(some.numpy()) for some in sample.split(AT_ONCE))
        net.card = net.card.with_statistics(measure_statistics(net, batches))
        return net

    @property
    def metrics(self) -> dict[str, float]:
        """The share of held-out pictures that the network named right in its test, and of those under attack."""
        return dict(sorted(self.classifier.tests.items()))  # resumed ones come in another order

    def to_bytes(self, folder: Path) -> bytes:
        """Return the file of the network, for a place in `folder`."""
        net = self.net
        assert isinstance(net, GraphNet), "it is one"
        facts = {
            "data": self.work.data_card(self.classifier.pictures),
            "tests": {**self.metrics, "attack": self.classifier.tested_length(), "batches": self.classifier.batch},
            "recipe": json.loads(dumps(relative_to(self.work.recipe, folder))),
        }
        return learnt.to_bytes(net.cpu(), table=self.work.structure.table, facts=facts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network, which `--net PATH` then dreams with; the name must end in .pt2."""
        self.work.check(Path(path))
        data = self.to_bytes(Path(os.path.abspath(path)).parent)
        with atomic.replacing(path) as file:
            file.write(data)


def build_learn(recipe: LearnRecipe, net: Net | None, given: Given) -> DatasetWork:
    """Return the work of training a network on the recipe's dataset."""
    collection, source = data.find(recipe.source, given.source, given.path, given.look_in)
    if recipe.model in ("rbm", "stack"):
        return boltzmann.build(recipe, collection, source)
    itself = recipe.lessons == "itself"
    if itself and recipe.start is None:
        raise SettingError("a network that is its own teacher must be named: --from NET (start=)", setting="lessons")
    check_learnable(collection, classes=not itself)
    start = None if recipe.start is None else data.load_start(recipe.start, given)
    sizes = plan.look_at(collection)
    side = recipe.side
    if side == "auto":
        side = plan.choose_side(sizes) if start is None else start.card.input.size
    further = start is not None
    recipe = resolved(
        recipe,
        source=source,
        side=side,
        model="residual" if recipe.model == "auto" else recipe.model,
        width=plan.choose_width(len(collection)) if recipe.width == "auto" else recipe.width,
        epochs=plan.choose_epochs(len(collection)) if recipe.epochs == "auto" else recipe.epochs,
        rate=(classifier.RATE_FURTHER if further else classifier.RATE) if recipe.rate == "auto" else recipe.rate,
        precision=str(choose_dtype(recipe.precision, choose_device(recipe.device))).removeprefix("torch."),
    )
    channels = (1 if sizes.grey else 3) if start is None else start.card.input.channels
    classes = len(start.card.labels) if start is not None and itself else len(collection.classes)
    return LearnWork(recipe, collection, plan.structure_for(recipe, classes, channels, start), start)
