"""A picture file: opened, known by its contents, and decoded; every complaint on the way becomes an `ImageError`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from phosphene.errors import ImageError, SettingError
from phosphene.media import memory
from phosphene.media.image.colour import to_srgb
from phosphene.media.image.formats import HEAD, JPEG, recognise
from phosphene.media.image.vips import complaint, vips
from phosphene.types import Image, Size

if TYPE_CHECKING:
    import pyvips

MAX_PIXELS = 2**28
"""The most pixels of a picture that is read, 268 million: prints of 200 megapixels and the largest WebP
(16383 x 16383) pass; what claims more is a bomb, or needs more than 3 GB before a single step is taken."""

FITS = 2**20
"""Pixels that any memory has room for: asking the system how much it has takes a fifth of a small picture's time."""

# libjpeg only warns about a scan whose data end early or make no sense, and fills the rest with grey.
_LOST = ("premature end", "bad Huffman code", "bad arithmetic code", "found marker")


def open_file(path: Path) -> BufferedReader:
    """Open the file at `path` to read; raise `ImageError` for anything but a readable regular file."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a pipe could wait for ever
            raise ImageError(f"{path} is a device or pipe: save the picture to a file first", path=path)
        return open(path, "rb")
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}", path=path) from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder: name a picture in it", path=path) from None
    except PermissionError:
        raise ImageError(f"no permission to read {path}", path=path) from None
    except (OSError, ValueError) as problem:  # a name too long, or with a NUL in it
        raise ImageError(f"cannot read {str(path)!r}: {problem}", path=path) from None


def check_size(size: Size, path: Path) -> None:
    """Raise `ImageError` if the (height, width) that a file claims is too large to read, or for the memory there is."""
    height, width = size
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"{path} claims {width}x{height} pixels; at most {MAX_PIXELS} ({MAX_PIXELS // 10**6} megapixels) are read: "
            "scale it down first",
            path=path,
        )
    if height * width <= FITS:
        return
    try:
        memory.check(size)
    except SettingError as problem:
        raise ImageError(f"{path} is too large: {problem}", path=path) from None


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn what libvips and the disk complain about in the block into an `ImageError`."""
    pyvips = vips()
    try:
        yield
    except pyvips.Error as problem:
        raise ImageError(f"{path} is damaged, cut short or unusual ({complaint(problem)})", path=path) from None
    except OSError as problem:
        raise ImageError(f"cannot read {path}: {problem.strerror}", path=path) from None


def header(file: BufferedReader, path: Path, fail_on: str = "error") -> pyvips.Image:
    """Return the picture in `file` with its metadata; its pixels are decoded when they are first used.

    `fail_on` is libvips' word for the least fault that is an error then: "warning" or "error".
    """
    file.seek(0)
    found = recognise(file.read(HEAD), path)
    file.seek(0)
    pyvips = vips()
    source = pyvips.Source.new_from_descriptor(file.fileno())
    return getattr(pyvips.Image, f"{found.vips}load_source")(source, access="sequential", fail_on=fail_on)


def pixels(file: BufferedReader, path: Path) -> tuple[Image, Tensor | None, int]:
    """Decode `file`, which must be complete, and return the result of `to_srgb`.

    libjpeg only warns of lost data, but warns of trifles too (bytes between markers, as some cameras leave
    them): a JPEG is decoded strictly, and again less strictly if that was about a trifle.
    """
    pyvips = vips()
    file.seek(0)
    if recognise(file.read(HEAD), path) is JPEG:
        try:
            return to_srgb(header(file, path, "warning"), path)
        except pyvips.Error as problem:
            if any(fault in str(problem) for fault in _LOST):
                raise
    return to_srgb(header(file, path), path)
