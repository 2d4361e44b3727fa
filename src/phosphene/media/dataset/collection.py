"""What every dataset of labelled pictures is: classes, one label for each picture, and pictures that can be decoded."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.errors import SettingError
from phosphene.media.dataset.decode import fitted


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Collection(ABC):
    """Labelled pictures.

    Attributes:
        classes: the names of the classes.
        targets: each picture's index in `classes`.
        held: the pictures that the dataset itself keeps for testing; None where it makes no such difference.
        skipped: files that are not part of it, and why.
        source: where it comes from, in a few words.
        licence: its licence, if it is known.
    """

    classes: tuple[str, ...]
    targets: np.ndarray
    held: np.ndarray | None = field(default=None, kw_only=True)
    skipped: tuple[Skipped, ...] = field(default=(), kw_only=True)
    source: str = field(default="", kw_only=True)
    licence: str = field(default="", kw_only=True)

    def __len__(self) -> int:
        return len(self.targets)

    @abstractmethod
    def name(self, index: int) -> str:
        """Return what a picture is called in messages."""

    @abstractmethod
    def size(self, index: int) -> tuple[int, int]:
        """Return a picture's (height, width); raise `ImageError` if it cannot be read."""

    @abstractmethod
    def read(self, index: int, side: int) -> tuple[np.ndarray, bytes]:
        """Return a picture, `side side 3` of uint8, and the SHA-256 of what it was read from.

        It is scaled until it fills the square, and cropped in the middle. Raises `ImageError` if it cannot be read.
        """

    @property
    def fingerprint(self) -> str:
        """A SHA-256 of the dataset's names and labels, which takes no picture to be read."""
        digest = hashlib.sha256(repr(self.classes).encode("utf-8", "surrogatepass"))
        digest.update(self.targets.astype("<i8").tobytes())
        for index in range(len(self)):
            digest.update(self.name(index).encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()


@dataclass(frozen=True)
class ArrayCollection(Collection):
    """Pictures in memory: uint8, `n h w` or `n h w 3`."""

    pixels: np.ndarray = field(kw_only=True, repr=False)

    def name(self, index: int) -> str:
        return f"picture {index}"

    def size(self, index: int) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[2]

    def read(self, index: int, side: int) -> tuple[np.ndarray, bytes]:
        own = np.ascontiguousarray(self.pixels[index])
        colours = own[..., None].repeat(3, axis=-1) if own.ndim == 2 else own
        return fitted(colours, side), hashlib.sha256(own.tobytes()).digest()


def check_learnable(collection: Collection, *, classes: bool = True) -> None:
    """Raise `SettingError` unless there is something to learn; `classes` if classes are to be told apart."""
    count, source = len(collection), collection.source
    if count < 2:
        raise SettingError(f"{source} must have two or more pictures, but has {count}", setting="source")
    if classes and len(collection.classes) < 2:
        raise SettingError(
            f"{source} must have two or more classes (a folder for each), but has {len(collection.classes)}: "
            "only --model rbm learns without classes",
            setting="source",
        )


def counts(targets: Sequence[int] | np.ndarray, classes: int) -> list[int]:
    """Return how many pictures each class has."""
    return np.bincount(np.asarray(targets, dtype=np.int64), minlength=classes).tolist()
