"""The studio's folder: results, sources, and what the studio itself keeps. No path of a request leaves it."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from phosphene.errors import OutputError

KINDS_OF_FILE = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
"""The suffixes of files in the studio's folder, and their media types."""

PARTS = ("sources", *(f".studio/{each}" for each in ("thumbs", "incoming", "deleted", "tiles", "steps")))

LONGEST_NAME = 255
"""Bytes of a file's name."""


class Folder:
    """The folder at `root`, which is made if it is not there.

        results             at the top, with names that people can read
        sources/            what was uploaded, named by SHA-256
        .studio/studio.db   jobs and sources
        .studio/thumbs/     small pictures, made again if they are missing
        .studio/incoming/   uploads that are not checked yet
        .studio/deleted/    deleted results, until the studio ends or is started again
        .studio/tiles/      small pictures of what targets look like
        .studio/steps/      pictures of jobs on their way, a folder each, to branch from and to scrub through

    Raises `OutputError` if it cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        try:
            self.root = Path(os.path.realpath(root))
            for name in PARTS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise OutputError(
                f"the studio's folder {root} cannot be written ({problem.strerror or problem}): choose another with "
                "--folder",
                path=root,
            ) from None

    def clear(self) -> None:
        """Remove the uploads that a killed server left, and deleted results; no other process may use the folder."""
        for name in ("incoming", "deleted"):
            for left in (self.root / ".studio" / name).iterdir():
                left.unlink(missing_ok=True)

    @property
    def database(self) -> Path:
        """Where jobs and sources are recorded."""
        return self.root / ".studio" / "studio.db"

    def thumb(self, key: str) -> Path:
        """Return where the small picture of a job or a source is kept."""
        return self.root / ".studio" / "thumbs" / f"{plain(key)}.jpg"

    @property
    def words(self) -> Path:
        """Where the words are kept that the camera was taught."""
        return self.root / ".studio" / "words.safetensors"

    def tile(self, key: str) -> Path:
        """Return where the small picture of what a target looks like is kept."""
        return self.root / ".studio" / "tiles" / f"{plain(key)}.jpg"

    def steps(self, id: str) -> Path:
        """Return the folder of the pictures of a job on its way."""
        return self.root / ".studio" / "steps" / plain(id)

    def deleted(self, name: str) -> Path:
        """Return where a deleted result is kept."""
        return self.root / ".studio" / "deleted" / Path(name).name

    def incoming(self) -> Path:
        """Return a new name for an upload."""
        return self.root / ".studio" / "incoming" / secrets.token_hex(8)

    def inside(self, name: str) -> Path:
        """Return the path of `name` in this folder, with links followed; raise `OutputError` if it is elsewhere."""
        try:
            path = Path(os.path.realpath(self.root / name))
        except (OSError, ValueError):  # too long, or with a NUL
            path = Path("/")
        too_long = any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts)
        if too_long or not path.is_relative_to(self.root) or path == self.root:
            raise OutputError("this file is not in the studio's folder", path=name)
        return path

    def free_name(self, stem: str, suffix: str, taken: set[str]) -> str:
        """Return a name for a new result that neither a file nor a job has."""
        stem = re.sub(r"[^\w]+", "-", stem).strip("-_")[:60] or "picture"
        number = 1
        while True:
            name = f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
            if name not in taken and not any(self.root.glob(f"{stem}{'' if number == 1 else f'-{number}'}[.-]*")):
                return name
            number += 1


def plain(key: str) -> str:
    """Return `key` if it is hexadecimal, as the names of jobs and sources are; raise `OutputError` otherwise.

    >>> plain("00ff")
    '00ff'
    """
    if not re.fullmatch(r"[0-9a-f]{1,64}", key):
        raise OutputError("there is no such job or source")
    return key
