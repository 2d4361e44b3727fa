"""The ranges of a recipe's fields in words for people, and their values read from text."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_LONGEST = 80
_SHORT = {int: "INTEGER", float: "NUMBER", str: "TEXT"}


@dataclass(frozen=True)
class meant:
    """The meaning of an annotated type, in words and as a metavar, in place of those of its Python type."""

    words: str
    short: str = "TEXT"


def must_be(field: FieldInfo) -> str:
    """Return what a field must be: "a whole number from 1 to 30, or auto"."""
    parts = _alternatives(_whole(field))
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, or {parts[-1]}"


def metavar(field: FieldInfo) -> str:
    """Return the placeholder for a field's value in the command line's help: "INTEGER|auto"."""
    return "|".join(dict.fromkeys(_metavars(_whole(field))))


def choices(field: FieldInfo) -> list[str]:
    """Return the words that a field may be, for completion; others may be allowed too."""
    return [word for part in _parts(_whole(field)) if get_origin(part) is Literal for word in get_args(part)]


def read(field: FieldInfo, text: str) -> Any:
    """Read a field's value from text; raise ValueError if it does not fit."""
    return _reader(id(field), field)(text)


def write(value: object) -> str:
    """Write a field's value as text that `read` accepts: (768, 1024) is "1024x768", (0.7, 1.0) is "0.7-1"."""
    if not isinstance(value, tuple):
        return str(value)
    if len(value) != 2:
        return ",".join(f"{each:g}" for each in value)
    first, second = value
    return f"{second}x{first}" if isinstance(first, int) else f"{first:g}-{second:g}"


def received(value: object) -> str:
    """Return the received value as text, short enough for one line."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 60
    text = " ".join(short.repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


@lru_cache(maxsize=128)
def _reader(_: int, field: FieldInfo) -> Callable[[object], Any]:
    return TypeAdapter(_whole(field)).validate_python


def _whole(field: FieldInfo) -> Any:
    """Return a field's annotation together with the constraints that pydantic has taken out of it."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _parts(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation, without None."""
    if get_origin(annotation) in (Union, UnionType):
        return [part for each in get_args(annotation) for part in _parts(each)]
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        if get_origin(inner) in (Union, UnionType) and not any(isinstance(each, meant) for each in metadata):
            return _parts(inner)
    return [] if annotation is NoneType else [annotation]


def _alternatives(annotation: Any) -> list[str]:
    found: list[str] = []
    for part in _parts(annotation):
        found += list(map(str, get_args(part))) if get_origin(part) is Literal else [_sentence(part)]
    return found


def _sentence(part: Any) -> str:
    inner, metadata = _split(part)
    for each in metadata:
        if isinstance(each, meant):
            return each.words
    if inner is str and any(isinstance(each, MinLen) for each in metadata):
        return "text that is not empty"
    words = _WORDS.get(inner, getattr(inner, "__name__", str(inner)))
    limits = {type(each): each for each in metadata}
    above = f"above {limits[Gt].gt}" if Gt in limits else f"from {limits[Ge].ge}" if Ge in limits else ""
    below = f"below {limits[Lt].lt}" if Lt in limits else f"to {limits[Le].le}" if Le in limits else ""
    if Gt in limits and Le in limits:
        below = f"and up to {limits[Le].le}"
    if above and Lt in limits:
        below = f"and {below}"
    return " ".join(filter(None, (words, above, below)))


def _metavars(annotation: Any) -> list[str]:
    found: list[str] = []
    for part in _parts(annotation):
        inner, metadata = _split(part)
        if get_origin(part) is Literal:
            found += map(str, get_args(part))
        else:
            named = [each.short for each in metadata if isinstance(each, meant)]
            found.append(named[0] if named else _SHORT.get(inner, "TEXT"))
    return found


def _split(part: Any) -> tuple[Any, list[Any]]:
    """Return an annotation's own type, and its constraints, with those that a nested `Field` holds."""
    if get_origin(part) is not Annotated:
        return part, []
    inner, *metadata = get_args(part)
    flat: list[Any] = []
    for each in metadata:
        flat += each.metadata if isinstance(each, FieldInfo) else [each]
    return inner, flat
