"""How names, numbers and paths are written in a target: bare where that is unambiguous, else quoted.

`docs/objectives.md` has the grammar. Free of torch, as `expr` is but for what it builds.
"""

from __future__ import annotations

import re

from phosphene.errors import ExpressionError

LETTER = r"[\w/.']"
_WORD = rf"\w{LETTER}*(?:-{LETTER}+)*"

NAME = re.compile(rf"{_WORD}(?:\s+{_WORD})*")
"""A bare name: words of letters, digits, _ / . ' and inner hyphens; white space joins words."""

NUMBER = re.compile(rf"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!-?{LETTER})")
"""A number without a sign, unless it is only the beginning of a name (`3x3`)."""

INDEX = re.compile(rf"[0-9]{{1,9}}(?!-?{LETTER})")
"""A channel's number; nine digits are more than any network has channels."""

QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
"""Anything in double quotes, with \\" and \\\\ for a quote and a backslash."""

CHANNELS = re.compile(rf"\s*({NAME.pattern}|{QUOTED.pattern})\s*:\s*([0-9]{{1,9}})\s*\.\.\s*([0-9]{{1,9}})\s*")
"""A layer's channels from one to another."""

MOST_CHANNELS = 65536
"""That may be asked for at once: more than any network's layer has, and few enough to be listed."""


def spread(text: str) -> list[str]:
    """Return the targets of a text: with `..`, a layer's channels from the first to the last; else the text itself.

    >>> spread("mixed4c:8..10"), spread("banana")
    (['mixed4c:8', 'mixed4c:9', 'mixed4c:10'], ['banana'])

    Raises `ExpressionError` if the last is before the first, or there are more than `MOST_CHANNELS`.
    """
    match = CHANNELS.fullmatch(text)
    if match is None:
        return [text]
    layer, _, *ends = match.groups()
    first, last = map(int, ends)
    if not 0 <= last - first < MOST_CHANNELS:
        raise ExpressionError(
            f"channels go from the lower number to the higher, {MOST_CHANNELS} at most, but {text!r} was asked for",
            text=text,
            position=match.start(3),
        )
    return [f"{layer}:{index}" for index in range(first, last + 1)]


def write_name(name: str, *, first: bool = False) -> str:
    """Return `name` as written in a target's text; `first` if a number could stand in its place.

    >>> print(write_name("jack-o'-lantern"), write_name("Petri dish, 10 cm"), write_name("2", first=True))
    jack-o'-lantern "Petri dish, 10 cm" "2"
    """
    bare = NAME.fullmatch(name) and " ".join(name.split()) == name
    return name if bare and not (first and NUMBER.match(name)) else quote(name)


def write_number(number: float) -> str:
    """Return the shortest text that is read as exactly this number.

    >>> write_number(2.0), write_number(-0.5), write_number(1e-3)
    ('2', '-0.5', '0.001')
    """
    return repr(number).removesuffix(".0")


def write_path(path: str) -> str:
    """Return `path` as written in `guide(...)`.

    >>> print(write_path("my photo (1).jpg"), write_path("a,b.jpg"))
    my photo (1).jpg "a,b.jpg"
    """
    bare = path.isprintable() and path == path.strip() and not path.startswith('"')
    return path if bare and path and end_of_path(path + ",", 0) == len(path) else quote(path)


def end_of_path(text: str, start: int) -> int:
    """Where the bare path from `start` on ends: at a comma, a parenthesis that it did not open, or the
    end."""
    opened = 0
    for position in range(start, len(text)):
        opened += {"(": 1, ")": -1}.get(text[position], 0)
        if opened < 0 or (text[position] == "," and not opened):
            return position
    return len(text)


def quote(text: str) -> str:
    """Return `text` in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(inside: str) -> str:
    """Return the text between the quotes of `QUOTED`, its escapes undone."""
    return re.sub(r"\\(.)", r"\1", inside)
