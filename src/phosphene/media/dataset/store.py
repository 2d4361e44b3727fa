"""The decoded pictures of a dataset: read once, then any of them at once, in memory or in a file without a name."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from phosphene.errors import ImageError, OutputError
from phosphene.media.dataset.collection import Collection, Skipped

MOST_IN_MEMORY = 1 << 28
"""Bytes of pictures that are kept in memory; more are in a file on the disk."""

CHUNK = 256
"""Pictures that are decoded between two reports."""


@dataclass
class PictureStore:
    """The pictures of a collection that could be read, each `side side 3` of uint8.

    Attributes:
        indices: the places in the collection of the pictures here.
        unreadable: pictures that could not be read, and why.
        sha256: the hash of the contents of all files, in order.
    """

    side: int
    count: int
    indices: list[int] = field(default_factory=list)
    unreadable: list[Skipped] = field(default_factory=list)
    sha256: str = ""
    grey: bool = True
    _array: np.ndarray | None = field(default=None, repr=False)
    _file: int = -1

    def __post_init__(self) -> None:
        if self.count * self._bytes <= MOST_IN_MEMORY:
            self._array = np.empty((self.count, self.side, self.side, 3), np.uint8)
        else:
            try:
                with tempfile.TemporaryFile(dir="/var/tmp" if os.path.isdir("/var/tmp") else None) as file:
                    self._file = os.dup(file.fileno())
            except OSError as problem:
                raise OutputError(f"no room for the decoded pictures: {problem.strerror}") from None

    @property
    def _bytes(self) -> int:
        return self.side * self.side * 3

    def add(self, index: int, picture: np.ndarray) -> None:
        """Append a picture, which is number `index` of the collection."""
        at = len(self.indices)
        self.grey = self.grey and bool((picture == picture[..., :1]).all())
        if self._array is not None:
            self._array[at] = picture
        else:
            os.pwrite(self._file, np.ascontiguousarray(picture).data, at * self._bytes)
        self.indices.append(index)

    def take(self, which: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the pictures at these places of the store, `n side side 3` of uint8."""
        if self._array is not None:
            return self._array[np.asarray(which, dtype=np.int64)]
        found = np.empty((len(which), self.side, self.side, 3), np.uint8)
        for number, at in enumerate(which):
            os.preadv(self._file, [found[number].data], int(at) * self._bytes)
        return found

    def close(self) -> None:
        """Give back what it holds."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


def fill(collection: Collection, side: int, *, workers: int = 2) -> Iterator[tuple[PictureStore, int]]:
    """Read every picture of a collection; yield the store so far, and how many pictures were looked at.

    Pictures that cannot be read are noted and left out.
    """
    store = PictureStore(side, len(collection))
    digest = hashlib.sha256()

    def read(index: int) -> tuple[np.ndarray, bytes] | Skipped:
        try:
            return collection.read(index, side)
        except ImageError as problem:
            return Skipped(collection.name(index), str(problem).replace(f"{problem.path} ", "", 1))

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(collection), CHUNK):
            some = range(start, min(start + CHUNK, len(collection)))
            for index, found in zip(some, pool.map(read, some), strict=True):
                match found:
                    case Skipped():
                        store.unreadable.append(found)
                    case picture, sha256:
                        store.add(index, picture)
                        digest.update(sha256)
            yield store, some.stop
    store.sha256 = digest.hexdigest()
    yield store, len(collection)
