"""The pictures to learn from: on the disk, in memory, or phosphene's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from phosphene import nets
from phosphene.errors import ImageError, PhospheneError, RecipeError, SettingError
from phosphene.media.dataset import bundled
from phosphene.media.dataset.collection import Collection
from phosphene.media.dataset.decode import fitted
from phosphene.media.dataset.folder import open_dataset
from phosphene.media.image import as_photograph
from phosphene.nets.base import Net
from phosphene.nets.zoo.graph import GraphNet
from phosphene.recipe.learning import Dataset
from phosphene.training import drawn


def find(source: Dataset, given: object, path: Path | None, look_in: Sequence[Path]) -> tuple[Collection, Dataset]:
    """Return the dataset of a recipe from the file `path`, or what was `given` instead, and its name in recipes.

    Args:
        source: the recipe's.
        given: a folder or CSV, a `Dataset`, any `torch.utils.data.Dataset` of pictures and labels, or None.
        path: the file that the recipe was read from.
        look_in: folders in which the recipe's dataset is looked for.

    Raises:
        PhospheneError: a subclass, if it is missing or not a dataset.
    """
    match given:
        case None | Dataset():
            wanted = source if given is None else given
            found = _own(wanted) if wanted.own else _on_disk(wanted, path, look_in)
        case str() | os.PathLike():
            wanted = Dataset(path=Path(os.path.abspath(given)).as_posix())
            found = open_dataset(Path(given))
        case TorchDataset():
            wanted, found = Dataset(), in_memory(given)
        case _:
            raise SettingError(
                f"a dataset must be a folder, a CSV file or a torch Dataset, not {type(given).__name__}",
                setting="source",
            )
    if source.sha256 is not None and given is None and source.sha256 != found.fingerprint:
        raise RecipeError(f"the dataset {found.source} has changed since the recipe was made", path=path)
    return found, wanted.model_copy(update={"sha256": found.fingerprint})


def _own(source: Dataset) -> Collection:
    if source.own == "digits":
        return bundled.digits()
    return drawn.shapes() if source.own == "shapes" else drawn.letters(source.font)


def _on_disk(source: Dataset, path: Path | None, look_in: Sequence[Path]) -> Collection:
    if source.path is None:
        raise RecipeError(
            "the recipe's dataset was in memory, not on the disk: give it again with --source PATH (source= in Python)",
            path=path,
        )
    own = Path() if path is None else path.parent
    folders = (own, Path(), *look_in)
    for candidate in [own / source.path, *(folder / Path(source.path).name for folder in folders)]:
        if candidate.exists():
            return open_dataset(candidate)
    raise RecipeError(
        f"the dataset {source.path} was not found: name its folder with --look-in (look_in= in Python), or give one "
        "with --source PATH (source=)",
        path=path,
    )


@dataclass(frozen=True)
class MemoryCollection(Collection):
    """The pictures of a `torch.utils.data.Dataset`."""

    dataset: Any = field(kw_only=True, repr=False)

    def name(self, index: int) -> str:
        return f"item {index}"

    def size(self, index: int) -> tuple[int, int]:
        height, width, _ = self._pixels(index).shape
        return height, width

    def read(self, index: int, side: int) -> tuple[np.ndarray, bytes]:
        import hashlib

        pixels = np.ascontiguousarray(self._pixels(index))
        return fitted(pixels, side), hashlib.sha256(pixels.tobytes()).digest()

    def _pixels(self, index: int) -> np.ndarray:
        """Return a picture as `h w 3` of uint8."""
        picture = self.dataset[index][0]
        if isinstance(picture, Tensor) and picture.dim() in (2, 3) and (picture.dim() == 2 or picture.shape[0] == 1):
            picture = picture.expand(3, *picture.shape[-2:])
        try:
            image = as_photograph(picture).image[0]
        except PhospheneError as problem:
            raise ImageError(f"item {index} is not a picture: {problem}") from None
        return (image.permute(1, 2, 0) * 255).round().byte().numpy()


def in_memory(dataset: Any) -> Collection:
    """Return the collection of a torch dataset whose items are (picture, label): PIL images, arrays or tensors.

    Labels are whole numbers; their names are the dataset's `classes`, if it has them. Raises `SettingError` otherwise.
    """
    try:
        count = len(dataset)
    except TypeError:
        raise SettingError(
            "a dataset must have a length, so that its pictures can be shuffled", setting="source"
        ) from None
    labels = []
    for index in range(count):
        item = dataset[index]
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise SettingError(f"item {index} of the dataset must be (picture, label)", setting="source")
        try:
            labels.append(int(item[1]))
        except (TypeError, ValueError):
            raise SettingError(
                f"the label of item {index} must be a whole number, but is {str(item[1])[:60]!r}", setting="source"
            ) from None
    if labels and min(labels) < 0:
        raise SettingError("labels must be 0 or more", setting="source")
    known = getattr(dataset, "classes", None)
    classes = [str(each) for each in known] if known else [str(each) for each in range(max(labels, default=-1) + 1)]
    if labels and max(labels) >= len(classes):
        raise SettingError(f"label {max(labels)} has no name among {len(classes)} classes", setting="source")
    present = sorted(set(labels))  # what never occurs cannot be learnt
    places = {label: place for place, label in enumerate(present)}
    targets = np.array([places[each] for each in labels], dtype=np.int64)
    names = tuple(classes[each] for each in present)
    return MemoryCollection(names, targets, source=type(dataset).__name__, dataset=dataset)


def load_start(name: Any, given: Any) -> GraphNet:
    """Return the network to train further. Raises `SettingError` for one whose structure cannot be continued."""
    if not nets.is_here(name.name) and given.path is not None and not given.fetch:
        raise RecipeError(f"the network {name.name!r} is not on this machine: add --fetch to download it")
    net = nets.load(name.name)
    if isinstance(net, GraphNet):
        return net
    if net.card.name == "pocket":
        return _pocket_as_table(net)
    raise SettingError(
        f"{net.card.name} cannot be trained further: give pocket, lite, a network of `phosphene nets`, or a file that "
        "learn has written",
        setting="start",
    )


def _pocket_as_table(net: Net) -> GraphNet:
    from phosphene.nets.base import ChainNet
    from phosphene.nets.zoo.small import inception, pocket_name

    assert isinstance(net, ChainNet), "pocket is one"
    structure = inception(len(net.card.labels), size=net.card.input.size)
    known = net.by_layer().state_dict()
    tensors = {
        f"{step}.{kind}": known[f"{pocket_name(step)}.{kind}"]
        for step, operation in structure.table.steps.items()
        for kind, _ in operation.named_parameters()
    }
    card = replace(
        structure.card("pocket", mean=net.card.input.mean, std=net.card.input.std, labels=net.card.labels),
        sha256=net.card.sha256,
    )
    return structure.net(card, tensors)
