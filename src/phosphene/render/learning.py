"""From a recipe of training to its work: the dataset found and read, the network built, trained and written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from phosphene.errors import OutputError, SettingError
from phosphene.gradients.device import choose_device
from phosphene.gradients.precision import choose_dtype
from phosphene.loops.step import State, Step, pack
from phosphene.media import atomic
from phosphene.media.dataset.collection import Collection, check_learnable, counts
from phosphene.media.dataset.store import Store, fill
from phosphene.media.work import WorkFolder
from phosphene.nets import learnt
from phosphene.nets.base import Net
from phosphene.nets.statistics import measure_statistics
from phosphene.nets.zoo.graph import GraphNet, Structure
from phosphene.recipe import LearnRecipe, dumps, relative_to, resolved
from phosphene.render.environment import environment
from phosphene.render.job import Format, Given, Output, Work
from phosphene.rng import fold_in
from phosphene.training import classifier, data, pictures, plan
from phosphene.training.classifier import Classifier
from phosphene.training.live import LiveState
from phosphene.types import Image

SUFFIX = ".pt2"
RUN_SUFFIX = ".run"

READING = 0.05
"""Share of the work that reading the pictures is taken for."""

MEASURED, AT_ONCE = 1024, 64
"""Pictures that the activation statistics are measured from."""

NAMED = 3
"""Files that a note names; the data card names `LISTED`."""

LISTED = 100


class LearnWork(Work):
    """The training of one network."""

    def __init__(self, recipe: LearnRecipe, collection: Collection, structure: Structure, start: GraphNet | None):
        self.recipe: LearnRecipe = recipe
        self.load = None
        self.collection, self.structure, self.start = collection, structure, start
        self.device = choose_device(recipe.device)
        self.classifier: Classifier | None = None
        self._store: Store | None = None

    def steps(self, state: State | None) -> Iterator[Step]:
        """Read the pictures, then train, from the beginning or from where `state` was taken."""
        yield from self._read()
        assert self._store is not None, "it is read"
        trained = self._begin(self._store)
        for step in classifier.classifier_steps(trained, state=state or None):
            yield replace(step, progress=READING + (1 - READING) * step.progress)

    def _read(self) -> Iterator[Step]:
        if self._store is not None:
            return
        assert isinstance(self.recipe.side, int), "the recipe is resolved"
        blank, count = torch.full((1, 3, self.recipe.side, self.recipe.side), 0.5), len(self.collection)
        for store, done in fill(self.collection, self.recipe.side):
            step = Step("reading pictures", done, count, READING * done / count, blank, torch.zeros(1), {})
            if store.sha256:
                check_read(store, self.collection)
                step = replace(step, note=_complaints(store, self.collection))
                self._store = store
            yield step

    def _begin(self, store: Store) -> Classifier:
        """Return the network with what it learns from, before its first step."""
        recipe = self.recipe
        channels = self.structure.table.given
        seen = pictures.Pictures(store, self.collection, channels, recipe.held_out, fold_in(recipe.seed, "pictures"))
        mirrored = recipe.mirror == "yes" or (recipe.mirror == "auto" and pictures.survives_mirroring(seen))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(fold_in(recipe.seed, "weights"))
            net = self._untrained(seen, mirrored)
        views = pictures.Views(recipe.zoom, recipe.rotate, recipe.tint, mirrored)
        dtype = choose_dtype(recipe.precision, self.device)
        self.classifier = Classifier(net.to(self.device), seen, recipe, views, dtype)
        return self.classifier

    def _untrained(self, seen: pictures.Pictures, mirrored: bool) -> GraphNet:
        if self.start is None:
            mean, std = pictures.mean_and_std(seen)
        else:
            mean, std = self.start.card.input.mean, self.start.card.input.std
        card = self.structure.card(
            "learnt",
            mean=mean,
            std=std,
            title=f"trained on {len(self.collection.classes)} classes of {Path(self.collection.source).name}",
            labels=tuple((each,) for each in self.collection.classes),
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
        net.card = replace(card, input=replace(card.input, size=self.recipe.side))
        return net

    def look(self, step: Step) -> Image:
        """Return the newest pictures that the network saw."""
        return step.image

    def result(self, step: Step | None) -> Learnt:
        """Return the network as it is after `step`."""
        if self.classifier is None:
            raise SettingError("there is no network before the pictures are read", setting="source")
        return Learnt(self, self.classifier)

    def paths(self, path: Path) -> list[Path]:
        """Return where the network will be."""
        return [path]

    def output(self, path: Path, format: Format, *, fresh: bool) -> LearnOutput:
        """Open a place for the network."""
        return LearnOutput(self, path, format, fresh=fresh)

    def data_card(self) -> dict[str, Any]:
        """Return where the network's knowledge comes from: counts, hashes, and what was left out."""
        assert self._store is not None, "it is read"
        assert self.classifier is not None, "it is read"
        store, collection, seen = self._store, self.collection, self.classifier.pictures
        return {
            "source": Path(collection.source).name,
            "licence": self.recipe.licence or collection.licence or "unknown",
            "sha256": store.sha256,
            "pictures": dict(
                zip(collection.classes, counts(seen.labels.numpy(), len(collection.classes)), strict=True)
            ),
            "training": len(seen.training),
            "held_out": len(seen.held),
            "unreadable": [f"{each.name}: {each.reason}"[:300] for each in store.unreadable[:LISTED]],
            "unreadable_count": len(store.unreadable),
            "skipped": [f"{each.name}: {each.reason}"[:300] for each in collection.skipped[:LISTED]],
            "skipped_count": len(collection.skipped),
        }


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
        """The share of held-out pictures that were named right in the last test, and of those under attack."""
        return dict(self.classifier.test)

    def to_bytes(self, folder: Path) -> bytes:
        """Return the file of the network, for a place in `folder`."""
        net = self.net
        assert isinstance(net, GraphNet), "it is one"
        facts = {
            "data": self.work.data_card(),
            "tests": {**self.metrics, "attack": self.classifier.length(), "batches": self.classifier.batch},
            "recipe": json.loads(dumps(relative_to(self.work.recipe, folder))),
        }
        return learnt.to_bytes(net.cpu(), table=self.work.structure.table, facts=facts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network, which `--net PATH` then dreams with; the name must end in .pt2."""
        check_suffix(Path(path))
        data = self.to_bytes(Path(os.path.abspath(path)).parent)
        with atomic.replacing(path) as file:
            file.write(data)


class LearnOutput(Output):
    """Where the network will be; the work folder beside it has the newest state."""

    due = False

    def __init__(self, work: LearnWork, path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("quality", "codec", "crf", kind="networks")
        check_suffix(path)
        atomic.check(path)
        self._work, self._path = work, path
        facts = {"recipe": hashlib.sha256(dumps(work.recipe).encode("utf-8", "surrogatepass")).hexdigest()}
        self._folder = WorkFolder(path, facts, environment(work.device), fresh=fresh)
        self.state = self._folder.state
        self.note = None
        if self.state is not None:
            changed = ", ".join(self._folder.changed)
            self.note = f"continues unfinished training in {self._folder.folder}" + (
                f"; it was begun with another {changed}, so the last bits of the result may differ" if changed else ""
            )

    def add(self, step: Step) -> None:
        """Keep the network as it is at a frame of the film of its learning, in a folder beside it."""
        if step.frame is None or self._work.classifier is None:
            return
        folder, net = self._path.with_suffix(RUN_SUFFIX), self._work.classifier.finished(best=False)
        with self._folder.refusing():
            folder.mkdir(exist_ok=True)
        facts = {**step.metrics, "step": float(step.step), "steps": float(step.steps or 0)}
        described = learnt.described(net.card, self._work.structure.table)
        files = {learnt.RUN: json.dumps(described).encode(), learnt.FRAME.format(step.frame.index): b""}
        files[learnt.FRAME.format(step.frame.index)] = learnt.frame_to_bytes(net.cpu(), facts)
        for name, contents in files.items():
            with atomic.replacing(folder / name) as file:
                file.write(contents)

    def checkpoint(self, step: Step) -> None:
        """Keep the state, unless there is none yet, or Ctrl-C came in the middle of a step."""
        if _is_current(step.state):
            self._folder.keep_state(self._folder.index + 1, pack(step.state))

    def finish(self, step: Step | None) -> None:
        """Write the network and remove the work folder."""
        self._work.result(step).save(self._path)
        self._folder.remove()

    def close(self) -> None:
        """Let other processes have the place."""
        self._folder.close()


def _is_current(state: State) -> bool:
    match state:
        case LiveState():
            return state.current
    return bool(state)


def check_suffix(path: Path) -> None:
    """Raise `OutputError` unless `path` can be the name of a network."""
    if path.suffix != SUFFIX:
        raise OutputError(f"{path} must end in {SUFFIX}, as exported programs do: {path.stem}{SUFFIX}", path=path)


def check_read(store: Store, collection: Collection) -> None:
    """Raise `SettingError` if too few of the pictures could be read."""
    left = len({int(collection.targets[index]) for index in store.indices})
    wanted = len(collection.classes)
    if len(store.indices) < 2 or left < wanted:
        worst = f"{store.unreadable[0].name}: {store.unreadable[0].reason}" if store.unreadable else ""
        raise SettingError(
            f"{collection.source} has {left} of its {wanted} classes left, and {len(store.indices)} pictures, after "
            f"{len(store.unreadable)} could not be read ({worst})",
            setting="source",
        )


def _complaints(store: Store, collection: Collection) -> str | None:
    """Return a sentence that counts and names what is not used, if there is anything."""
    parts = []
    for what, several in (("cannot be read", store.unreadable), ("are skipped", collection.skipped)):
        if several:
            named = "; ".join(f"{each.name} ({each.reason})" for each in several[:NAMED])
            more = f" and {len(several) - NAMED} more" if len(several) > NAMED else ""
            parts.append(f"{len(several)} of {len(collection) + len(collection.skipped)} files {what}: {named}{more}")
    return "; ".join(parts) or None


def build_learn(recipe: LearnRecipe, net: Net | None, given: Given) -> LearnWork:
    """Return the work of training a network on the recipe's dataset."""
    collection, source = data.find(recipe.source, given.source, given.path, given.look_in)
    check_learnable(collection)
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
    return LearnWork(recipe, collection, plan.structure_for(recipe, len(collection.classes), channels, start), start)
