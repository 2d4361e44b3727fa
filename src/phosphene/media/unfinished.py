"""Unfinished work: which work folders a user has, what is in them, and how to be rid of them."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import OutputError
from phosphene.media import atomic, work_register
from phosphene.media.work import FORMAT, LOCK, PROGRESS, RECORD, vanish

SUFFIX = ".work"

OLD_DAYS = 30
"""Days after which work that nobody continued is stale."""


@dataclass(frozen=True)
class Unfinished:
    """A work folder.

    `about` is what its work said of itself, `progress` the share that is done, 0 to 1, None where that is not known;
    `bytes` is its size on the disk and `changed` when something was last kept in it, in seconds since 1970. `stale`
    says why nobody will continue it, None if somebody may.
    """

    folder: Path
    about: dict[str, object]
    progress: float | None
    bytes: int
    changed: float
    running: bool
    stale: str | None

    @property
    def output(self) -> Path:
        """Where the result would be."""
        return self.folder.with_name(self.folder.name.removesuffix(SUFFIX))

    @property
    def status(self) -> str:
        """Return what can be done with it, in a word or with the reason for that."""
        return "running" if self.running else f"stale: {self.stale}" if self.stale else "can be continued"


def find(places: Iterable[Path] = ()) -> list[Unfinished]:
    """List the unfinished work that is registered or lies in one of these folders, newest first.

    Raises:
        OutputError: for a place that is not a folder.
    """
    folders = list(work_register.folders())
    for place in places:
        if not place.is_dir():
            raise OutputError(f"there is no folder {place}", path=place)
        folders += sorted(place.glob(f"*{SUFFIX}"))
    known = {os.path.realpath(each): each for each in folders}
    found = [look for each in known.values() if (look := look_at(each)) is not None]
    return sorted(found, key=lambda each: -each.changed)


def look_at(folder: Path) -> Unfinished | None:
    """Return what is in a work folder; None if it is none."""
    folder = Path(os.path.abspath(folder))
    try:
        record = json.loads((folder / RECORD).read_bytes())
        sizes = [each.stat() for each in folder.rglob("*") if each.is_file()]
    except (OSError, ValueError):
        return None
    if folder.is_symlink() or not isinstance(record, dict):
        return None
    facts = record.get("facts", record)
    about = record.get("about") or {}
    progress = None
    with suppress(OSError, ValueError):
        progress = _progress(folder)
    changed = max(each.st_mtime for each in sizes)
    # Blocks and not length: files of a canvas have holes.
    taken = sum(getattr(each, "st_blocks", each.st_size // 512) * 512 for each in sizes)
    stale = _stale(folder, facts, changed)
    return Unfinished(folder, about, progress, taken, changed, is_running(folder), stale)


def progress_of(output: Path) -> float:
    """Return the share that is done of the unfinished work whose result will be at `output`; 0 where there is none."""
    with suppress(OSError, ValueError):
        return _progress(output.with_name(output.name + SUFFIX))
    return 0.0


def _progress(folder: Path) -> float:
    return float((folder / PROGRESS).read_text(encoding="ascii"))


def remove(work: Unfinished) -> None:
    """Remove a work folder.

    Raises:
        OutputError: if a process is at work in it, or the system refuses.
    """
    try:
        descriptor = os.open(work.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            if not _locked(descriptor):
                raise OutputError(f"{work.output} is being made by a process: stop it first", path=work.output)
            gone = vanish(work.folder)
        finally:
            os.close(descriptor)
    except OSError as problem:
        raise atomic.refusal(work.folder, problem) from None
    shutil.rmtree(gone, ignore_errors=True)


def is_running(folder: Path) -> bool:
    """Return whether a process is at work in a folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take a lock until the descriptor is closed; return whether nobody else has it."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except ImportError:  # Windows does not rename a folder in use
        pass
    return True


def _stale(folder: Path, facts: object, changed: float) -> str | None:
    output = folder.with_name(folder.name.removesuffix(SUFFIX))
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        return "of another version of phosphene"
    with suppress(OSError):
        if output.stat().st_mtime > changed:
            return "its output has been written since"
    if time.time() - changed > OLD_DAYS * 86_400:
        return f"not continued for {OLD_DAYS} days"
    return None
