"""The files that belong to the pages."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}

VIEWER = "openseadragon.min.js"
"""The viewer of deep zooms, the same that folders of Deep Zoom pictures have."""


@dataclass(frozen=True)
class StaticFile:
    """A file that belongs to the page, as it is and compressed."""

    data: bytes = field(repr=False)
    packed: bytes = field(repr=False)
    media_type: str


def static_files() -> dict[str, StaticFile]:
    """Read the files that belong to the page once, by name, so that no request can name any other."""
    root = Path(str(resources.files("phosphene.studio") / "static"))
    files = {path.relative_to(root).as_posix(): _read(path) for path in sorted(root.rglob("*")) if path.is_file()}
    viewer = Path(str(resources.files("phosphene.media") / "image" / "deepzoom" / VIEWER))
    return {**files, f"vendor/{VIEWER}": _read(viewer)}


def _read(path: Path) -> StaticFile:
    data = path.read_bytes()
    return StaticFile(data, gzip.compress(data, mtime=0), MEDIA_TYPES.get(path.suffix, "text/plain"))
