"""Video in and out: the door to all that is read or written as a film.

`docs/video-formats.md` has the tables of what is read and written, and how a render survives being killed.
"""

from __future__ import annotations

import os
from pathlib import Path

from phosphene.media import decode
from phosphene.media.clip import Clip, ClipFrame, Section, open_clip
from phosphene.media.codecs import CODECS, CONTAINERS
from phosphene.media.comment import from_comment
from phosphene.media.film import Film, FilmSettings, check_film
from phosphene.media.loopstate import from_bytes, to_bytes
from phosphene.media.sound import Sound

__all__ = [
    "CODECS",
    "CONTAINERS",
    "Clip",
    "ClipFrame",
    "Film",
    "FilmSettings",
    "Section",
    "Sound",
    "check_film",
    "film_recipe_text",
    "from_bytes",
    "open_clip",
    "to_bytes",
]


def film_recipe_text(path: str | os.PathLike[str]) -> str | None:
    """The recipe in a film (MP4, MOV, Matroska, WebM, GIF), to the byte; None for a film without one.

    No frame is decoded. Raises `VideoError` for what is no film, and `MissingExtraError` without PyAV.
    """
    with decode.container_of(Path(path)) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
        return from_comment(tags.get("comment"))
