"""Planes of pixels on a disk, mapped into memory: what is worked on comes and goes, and takes none of its own.

    canvas-9          float32, its channels after one another, each row by row
    place             the last place that was committed, and what it writes, as safetensors

Rooms are taken from the disk before they are written to, so that a full disk is an error here and not a signal later.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from phosphene.errors import OutputError
from phosphene.media import atomic
from phosphene.types import Image, Size

CHANNELS = 3
NUMBER = 4
"""Bytes of a float32."""

_PLACE = "place"
_WRITE = "write."


@runtime_checkable
class Written(Protocol):
    """Pixels that belong at (top, left) of the plane `name`."""

    @property
    def name(self) -> str: ...
    @property
    def top(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def pixels(self) -> Tensor: ...


class Planes:
    """The planes in a folder, which is made; see `phosphene.loops.on_disk.Store`.

    Raises:
        OutputError: where the system refuses, a full disk included; what was committed stays.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, np.memmap] = {}
        try:
            folder.mkdir(exist_ok=True)
            for half in folder.glob(".*"):
                half.unlink()
            self._place = self._recovered()
        except OSError as problem:
            raise atomic.refusal(folder, problem) from None

    def create(self, name: str, size: Size, channels: int = CHANNELS) -> None:
        """Make room for a plane, if it is not there."""
        path, count = self.folder / name, math.prod(size) * channels * NUMBER
        if not path.exists() or path.stat().st_size != count:
            self.remove(name)
            try:
                with atomic.replacing(path) as file:
                    _take_room(file.fileno(), count)
            except OSError as problem:
                raise atomic.refusal(path, problem) from None
        self._open[name] = np.memmap(path, np.float32, "r+", shape=(channels, *size))

    def remove(self, name: str) -> None:
        """Remove a plane, if it is there."""
        self._open.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)

    def plane(self, name: str) -> np.memmap:
        """Return a plane, c h w, which is not copied."""
        return self._open[name]

    def read(self, name: str, rows: tuple[int, int], columns: tuple[int, int]) -> Image:
        """Return a copy of rows and columns of a plane, 1 c h w."""
        part = self._open[name][:, slice(*rows), slice(*columns)]
        return torch.from_numpy(np.array(part, order="C"))[None]

    def commit(self, place: Mapping[str, Tensor], writes: Sequence[Written], *, again: bool) -> None:
        """Write, and then let `last` return `place`.

        With `again` what is written changes what it was computed from. It is kept with the place, so that after a
        crash it is written once more.
        """
        kept = {name: tensor.contiguous() for name, tensor in place.items()}
        if again:
            for number, write in enumerate(writes):
                height, width = self._open[write.name].shape[1:]
                label = f"{_WRITE}{number}.{write.top}.{write.left}.{height}.{width}.{write.name}"
                kept[label] = write.pixels.contiguous()
        else:
            self._write(writes)
        with atomic.replacing(self.folder / _PLACE) as file:
            file.write(save(kept))
        if again:
            self._write(writes)
        self._place = dict(place)

    def last(self) -> Mapping[str, Tensor] | None:
        """Return the last place that was committed; None before the first."""
        return self._place

    def _write(self, writes: Sequence[Written]) -> None:
        for write in writes:
            height, width = write.pixels.shape[-2:]
            plane = self._open[write.name]
            plane[:, write.top : write.top + height, write.left : write.left + width] = write.pixels[0].numpy()

    def _recovered(self) -> dict[str, Tensor] | None:
        """Return the last place, after writing once more what was committed with it."""
        try:
            kept = load((self.folder / _PLACE).read_bytes())
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError) as problem:
            raise OutputError(
                f"{self.folder} cannot be continued ({problem}): start over with --fresh", path=self.folder
            ) from None
        for name, pixels in kept.items():
            if name.startswith(_WRITE):
                _, top, left, height, width, plane = name.removeprefix(_WRITE).split(".", 5)
                self.create(plane, (int(height), int(width)), pixels.shape[1])
                self._write([_Again(plane, int(top), int(left), pixels)])
        return {name: tensor for name, tensor in kept.items() if not name.startswith(_WRITE)}


@dataclass(frozen=True)
class _Again:
    name: str
    top: int
    left: int
    pixels: Tensor


def _take_room(descriptor: int, count: int) -> None:
    """Make a file `count` bytes long, and its room on the disk its own."""
    try:
        os.posix_fallocate(descriptor, 0, count)
    except AttributeError:  # not a POSIX system
        os.ftruncate(descriptor, count)


def free(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder."""
    return shutil.disk_usage(folder).free


def taken(folder: Path) -> int:
    """Return the bytes that a folder and those in it take on the disk."""
    return sum(each.stat().st_blocks * 512 for each in folder.rglob("*") if each.is_file())
