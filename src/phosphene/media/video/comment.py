"""Recipes in the comment of a film, which MP4, MOV, Matroska, WebM and GIF all have and players show."""

from __future__ import annotations

import base64
import binascii
import zlib

from phosphene.errors import SettingError
from phosphene.media.image.metadata import MAX_TEXT

MAX_COMMENT = 60_000
"""The longest comment in bytes: QuickTime counts them in 16 bits."""
_PLAIN = "phosphene recipe: "
_CODED = "phosphene recipe, zlib: "


def to_comment(recipe: str) -> str:
    """Return the comment that carries `recipe`, compressed if it is long.

    >>> to_comment("{}")
    'phosphene recipe: {}'

    Raises `SettingError` if it does not fit into `MAX_COMMENT` bytes even then.
    """
    text = recipe.encode("utf-8", "surrogatepass")
    sayable = "\0" not in recipe and "\r" not in recipe and text == recipe.encode("utf-8", "ignore")
    if sayable and len(text) + len(_PLAIN) <= MAX_COMMENT:
        return _PLAIN + recipe
    coded = _CODED + base64.b64encode(zlib.compress(text, 9)).decode("ascii")
    if len(coded) > MAX_COMMENT or len(text) > MAX_TEXT:
        raise SettingError(
            f"a recipe must fit into {MAX_COMMENT} bytes when compressed, but this one of {len(text)} bytes "
            f"takes {len(coded)}: shorten it",
            setting="recipe",
            value=len(text),
        )
    return coded


def from_comment(comment: str | None) -> str | None:
    """Return the recipe in a comment; None if the comment is something else, or damaged.

    >>> from_comment(to_comment("{}")), from_comment("shot in Kyoto")
    ('{}', None)
    """
    if comment is None:
        return None
    if comment.startswith(_PLAIN):
        return comment.removeprefix(_PLAIN)
    if not comment.startswith(_CODED):
        return None
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(comment.removeprefix(_CODED)), MAX_TEXT)
        return data.decode("utf-8", "surrogatepass") if inflate.eof else None
    except (binascii.Error, zlib.error, ValueError):
        return None
