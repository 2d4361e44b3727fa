"""The folder of fetched model files: what is there, verified how, and what came from where.

It is `PHOSPHENE_CACHE`, or `phosphene` in the user's own cache folder. Each network has a folder in it with
the model file and, in `about.json`, its SHA-256, size and origin. A file gets its final name when it is
whole and verified, so what stands there can be used; locks keep two processes from fetching one network at
once.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import platformdirs

from phosphene.errors import WeightsError

VARIABLE = "PHOSPHENE_CACHE"
ABOUT = "about.json"
CHUNK = 1 << 20
NAMES = {"sha1": "SHA-1", "sha256": "SHA-256"}


@dataclass(frozen=True)
class Digest:
    """The known part of a file's hash: the SHA-1, the SHA-256, or the beginning of the latter; nothing if
    empty.
    """

    kind: str = "sha256"
    value: str = ""

    def __str__(self) -> str:
        if not self.value:
            return "no hash is known"
        name = NAMES[self.kind]
        whole = len(self.value) == hashlib.new(self.kind).digest_size * 2
        return f"{name} {self.value}" if whole else f"{name} beginning with {self.value}"


@dataclass(frozen=True)
class StoredFile:
    """A model file that is here; `verified` if its hash is the one that public projects know."""

    file: str
    size: int
    sha256: str
    origin: str
    verified: bool


def folder() -> Path:
    """Return the folder of downloaded networks; it may not exist yet."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser() / "nets"
    return Path(platformdirs.user_cache_dir("phosphene", appauthor=False)) / "nets"


def find(name: str) -> tuple[Path, StoredFile] | None:
    """Return the model file of the network `name` and its facts, or None if it is not installed."""
    place = folder() / name
    try:
        kept = StoredFile(**json.loads((place / ABOUT).read_text(encoding="utf-8")))
        path = place / Path(kept.file).name
        whole = path.stat().st_size == kept.size
    except (OSError, ValueError, TypeError):
        return None
    return (path, kept) if whole else None


def keep(name: str, path: Path, file: str, digest: Digest, *, origin: str, own: bool = False) -> Path:
    """Verify the file at `path`, move it to its place under `name`, and give its path there.

    Raises `WeightsError`, and leaves what was there before, if the hash is not `digest`; with `own` any is
    taken.
    """
    found = hashes(path)
    verified = bool(digest.value) and found[digest.kind].startswith(digest.value)
    if digest.value and not (verified or own):
        raise WeightsError(
            f"{origin} is not {name}: its {NAMES[digest.kind]} is {found[digest.kind]}, but must be {digest}", path=path
        )
    place = folder() / name
    place.mkdir(parents=True, exist_ok=True)
    kept = StoredFile(file, path.stat().st_size, found["sha256"], origin, verified)
    (place / ABOUT).unlink(missing_ok=True)  # what is half replaced is not there
    os.replace(path, place / file)
    about = place / f".{ABOUT}.{secrets.token_hex(4)}.part"
    with about.open("x", encoding="utf-8") as out:
        out.write(json.dumps(asdict(kept), indent=1) + "\n")
    os.replace(about, place / ABOUT)
    return place / file


def remove(name: str) -> int:
    """Remove the network `name` and what was fetched of it so far; gives the bytes that were freed."""
    place = folder() / name
    if not place.is_dir():
        return 0
    with lock(name):
        size = sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
        shutil.rmtree(place)
    return size


def hashes(path: Path) -> dict[str, str]:
    """Return the file's SHA-1 and SHA-256."""
    both = {"sha1": hashlib.sha1(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            for each in both.values():
                each.update(data)
    return {kind: each.hexdigest() for kind, each in both.items()}


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the network `name`, waiting for another process that does."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place / f".{name}.lock"):
            yield
    except OSError as problem:
        raise WeightsError(
            f"{place} cannot be written ({problem.strerror or problem}): set {VARIABLE} to another folder",
            path=place,
        ) from None
