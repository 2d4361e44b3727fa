"""What all training has in common: pictures are read first; what a killed process left is continued."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from phosphene.errors import OutputError, SettingError
from phosphene.gradients.device import choose_device
from phosphene.loops.step import State, Step
from phosphene.media import atomic
from phosphene.media.dataset.collection import Collection, counts
from phosphene.media.dataset.store import PictureStore, fill
from phosphene.recipe import LearnRecipe
from phosphene.render.environment import environment
from phosphene.render.job import Format, Work
from phosphene.render.kept_output import KeptOutput
from phosphene.training.live import LiveState
from phosphene.training.pictures import TrainingPictures
from phosphene.types import Image

RUN_SUFFIX = ".run"

READING = 0.05
"""Share of the work that reading the pictures is taken for."""

NAMED = 3
"""Files that a note names; the data card names `LISTED`."""

LISTED = 100


class DatasetWork(Work):
    """The training of something on a dataset, whose file ends in `suffix`."""

    suffix: ClassVar[str]

    def __init__(self, recipe: LearnRecipe, collection: Collection) -> None:
        self.recipe: LearnRecipe = recipe
        self.load = None
        self.collection = collection
        self.device = choose_device(recipe.device)
        self.store: PictureStore | None = None

    def read(self) -> Iterator[Step]:
        """Read the pictures, if that is still to be done."""
        if self.store is not None:
            return
        assert isinstance(self.recipe.side, int), "the recipe is resolved"
        blank, count = torch.full((1, 3, self.recipe.side, self.recipe.side), 0.5), len(self.collection)
        for store, done in fill(self.collection, self.recipe.side):
            step = Step("reading pictures", done, count, READING * done / count, blank, torch.zeros(1), {})
            if store.sha256:
                check_read(store, self.collection)
                step = replace(step, note=_complaints(store, self.collection))
                self.store = store
            yield step

    def look(self, step: Step) -> Image:
        """Return the newest pictures that the network saw."""
        return step.image

    def paths(self, path: Path) -> list[Path]:
        """Return where the result will be."""
        return [path]

    def output(self, path: Path, format: Format, *, fresh: bool) -> TrainingOutput:
        """Open a place for the result."""
        return TrainingOutput(self, path, format, fresh=fresh)

    def check(self, path: Path) -> None:
        """Raise `OutputError` unless `path` can be the name of the result."""
        if path.suffix != self.suffix:
            raise OutputError(f"{path} must end in {self.suffix}: {path.stem}{self.suffix}", path=path)

    @abstractmethod
    def kept_with(self, step: Step) -> dict[str, bytes]:
        """Return files to keep in the run's folder beside the result, by name."""

    def data_card(self, seen: TrainingPictures) -> dict[str, Any]:
        """Return where the network's knowledge comes from: counts, hashes, and what was left out."""
        assert self.store is not None, "it is read"
        store, collection = self.store, self.collection
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


class TrainingOutput(KeptOutput):
    """Where a network will be."""

    def __init__(self, work: DatasetWork, path: Path, format: Format, *, fresh: bool) -> None:
        format.refuse("quality", "codec", "crf", kind="networks")
        work.check(path)
        atomic.check(path)
        self._work, self._path = work, path
        super().__init__(path, work.recipe, environment(work.device), fresh=fresh)

    def add(self, step: Step) -> None:
        """Keep what is to be kept beside the result at this step, such as frames of the film of its learning."""
        files = self._work.kept_with(step)
        folder = self._path.with_suffix(RUN_SUFFIX)
        if files:
            with self._folder.refusing():
                folder.mkdir(exist_ok=True)
        for name, contents in files.items():
            with atomic.replacing(folder / name) as file:
                file.write(contents)

    def checkpoint(self, step: Step) -> None:
        """Keep the state, unless there is none yet, or Ctrl-C came in the middle of a step."""
        if _is_current(step.state):
            super().checkpoint(step)

    def finish(self, step: Step | None) -> None:
        """Write the network and remove the work folder."""
        self._work.result(step).save(self._path)
        self._folder.remove()


def _is_current(state: State) -> bool:
    match state:
        case LiveState():
            return state.current
    return bool(state)


def check_read(store: PictureStore, collection: Collection) -> None:
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


def _complaints(store: PictureStore, collection: Collection) -> str | None:
    """Return a sentence that counts and names the files that are not used, or None if all are."""
    parts = []
    for what, several in (("cannot be read", store.unreadable), ("are skipped", collection.skipped)):
        if several:
            named = "; ".join(f"{each.name} ({each.reason})" for each in several[:NAMED])
            more = f" and {len(several) - NAMED} more" if len(several) > NAMED else ""
            parts.append(f"{len(several)} of {len(collection) + len(collection.skipped)} files {what}: {named}{more}")
    return "; ".join(parts) or None
