"""The recipe that a film carries, and the hash of its file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import PIL.Image

from phosphene.errors import ImageError, VideoError
from phosphene.media.image.decode import open_file
from phosphene.media.video import decode
from phosphene.media.video.codecs import CONTAINERS
from phosphene.media.video.comment import from_comment

StrPath = str | os.PathLike[str]


def is_film(path: StrPath) -> bool:
    """Return whether the suffix is that of a film; a GIF's is, even if it has a single frame."""
    return Path(path).suffix.lower() in {suffix for each in CONTAINERS for suffix in each.suffixes}


def read_film_recipe(path: StrPath) -> str | None:
    """Return the text of the recipe in a film, or None. Raise `VideoError` for a file that is not a film."""
    path = Path(path)
    if path.suffix.lower() == ".gif":
        try:
            with open_file(path) as file, PIL.Image.open(file) as picture:
                comment = picture.info.get("comment", b"")
        except ImageError as problem:
            raise VideoError(str(problem), path=path) from None
        except (OSError, ValueError, PIL.Image.DecompressionBombError) as problem:
            raise VideoError(f"{path} is not a GIF that can be read: {problem}", path=path) from None
        return from_comment(comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment))
    with decode.opened(path) as (container, _):
        comment = {name.lower(): text for name, text in container.metadata.items()}.get("comment")
    return from_comment(comment)


def hash_of(path: StrPath) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits; raise `VideoError` if it cannot be read."""
    try:
        with open_file(Path(path)) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except ImageError as problem:
        raise VideoError(str(problem).replace("picture", "clip"), path=path) from None
    except OSError as problem:
        raise VideoError(f"{path} cannot be read: {problem.strerror or problem}", path=path) from None
