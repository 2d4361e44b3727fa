"""The register of a user's work folders, so that unfinished work is found wherever its output is.

It has a small file for each folder, in the user's own state folder. It is a convenience: where it cannot be written,
work is found in its own folder only.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import platformdirs


def place() -> Path:
    """Return the folder of the register."""
    return platformdirs.user_state_path("phosphene") / "work"


def add(folder: Path) -> None:
    """Note that there is unfinished work in `folder`."""
    with suppress(OSError, RuntimeError):  # a read-only home, or none
        place().mkdir(parents=True, exist_ok=True, mode=0o700)
        _entry(folder).write_text(os.path.abspath(folder), encoding="utf-8", errors="surrogateescape")


def forget(folder: Path) -> None:
    """Note that `folder` has been removed."""
    with suppress(OSError, RuntimeError):
        _entry(folder).unlink(missing_ok=True)


def folders() -> list[Path]:
    """List the registered work folders that are there; others are forgotten."""
    found = []
    with suppress(OSError, RuntimeError):
        for entry in sorted(place().iterdir()):
            folder = Path(entry.read_text(encoding="utf-8", errors="surrogateescape"))
            if folder.is_dir():
                found.append(folder)
            elif folder.parent.is_dir():  # and not on a disk that is away for now
                entry.unlink(missing_ok=True)
    return found


def _entry(folder: Path) -> Path:
    name = os.fsencode(os.path.abspath(folder))
    return place() / hashlib.sha256(name).hexdigest()[:32]
