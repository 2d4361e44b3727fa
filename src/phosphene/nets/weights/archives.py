"""One file out of an archive: by its name alone, so that nothing is written anywhere else."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from phosphene.errors import WeightsError

CHUNK = 1 << 20
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b")


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip or gzip archive, by its first bytes."""
    with path.open("rb") as file:
        return file.read(4).startswith(ARCHIVES)


def extract(archive: Path, member: str, target: Path, most: int) -> None:
    """Write the file called `member`, in whatever folder of the archive, to `target`.

    Raises `WeightsError` for a damaged or encrypted archive, one without the member, or one that unpacks to more than
    `most` bytes.
    """
    try:
        with archive.open("rb") as file:
            zipped = file.read(4) == ARCHIVES[0]
        found = _from_zip(archive, member, target, most) if zipped else _from_tar(archive, member, target, most)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError) as problem:
        raise WeightsError(f"{archive.name} is a damaged archive ({problem})", path=archive) from None
    if not found:
        raise WeightsError(f"{archive.name} has no file {member!r}", path=archive)


def _from_zip(archive: Path, member: str, target: Path, most: int) -> bool:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if Path(entry.filename).name == member and not entry.is_dir():
                with opened.open(entry) as source:
                    _copy(source, target, most)
                return True
    return False


def _from_tar(archive: Path, member: str, target: Path, most: int) -> bool:
    # Skipped members are unpacked too, so the limit is on all that comes out.
    with gzip.open(archive) as unpacked, tarfile.open(fileobj=_Limited(unpacked, 2 * most), mode="r|") as opened:
        for entry in opened:
            if Path(entry.name).name == member and entry.isreg():
                source = opened.extractfile(entry)
                assert source is not None, "a regular file has contents"
                _copy(source, target, most)
                return True
    return False


def _copy(source: Any, target: Path, most: int) -> None:
    done = 0
    target.unlink(missing_ok=True)  # a link would be followed
    with target.open("xb") as out:
        while data := source.read(CHUNK):
            done += len(data)
            if done > most:
                raise OSError(f"it unpacks to more than {most} bytes")
            out.write(data)


class _Limited(io.RawIOBase):
    """A stream that fails when more than `most` bytes were read from it."""

    def __init__(self, stream: io.BufferedIOBase, most: int) -> None:
        self._stream, self._left = stream, most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it unpacks to too many bytes")
        return data
