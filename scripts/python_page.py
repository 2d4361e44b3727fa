"""docs/api.md: the public names with their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, get_overloads

import phosphene
from phosphene.kinds import KINDS

GROUPS = {
    "Making things": (*(name for name in KINDS if name in phosphene.__all__), "again", "see", "hear", "job"),
    "What they give": ("Picture", "Pictures", "FilmFile", "Learnt", "Sight", "Job", "Event"),
    "Targets": ("Layer", "Channel", "Neuron", "Class", "Guide", "Style", "Direction", "Like", "Inversion", "parse"),
    "Networks": ("load_net", "wrap"),
    "Recipes": ("Recipe", *(kind.recipe.__name__ for kind in KINDS.values()), "Noise", "Dataset"),
    "Errors": ("PhospheneError",),
}

SECTION = re.compile(r"^(Args|Raises|Yields|Attributes):$")


def api_page() -> str:
    """docs/api.md."""
    left = set(phosphene.__all__) - {name for names in GROUPS.values() for name in names}
    assert not left, f"docs/api.md has no place for {left}"
    parts = [
        "# Python",
        "Written by `scripts/docs` from the docstrings. Everything here is an attribute of `phosphene`, imported when "
        "it is first used. Settings are keyword arguments; [recipe.md](recipe.md) has the meaning, range and default "
        "of each.",
    ]
    for group, names in GROUPS.items():
        parts.append(f"## {group}")
        for name in names:
            parts += _entry(name, getattr(phosphene, name))
    return "\n\n".join(part for part in parts if part) + "\n"


def _entry(name: str, thing: Any) -> list[str]:
    if not inspect.isclass(thing):
        return [f"### {name}", _code(_signatures(name, thing)), prose(inspect.getdoc(thing) or "")]
    parts = [f"### {name}", prose(inspect.getdoc(thing) or "")]
    for member, value in vars(thing).items():
        if member.startswith("_") or not inspect.getdoc(value) or inspect.isclass(value):
            continue
        if isinstance(value, property):
            parts.append(f"`{name}.{member}`: {_first(value)}")
        elif callable(value) or isinstance(value, classmethod):
            parts += [
                _code(_signatures(f"{name}.{member}", getattr(thing, member))),
                prose(inspect.getdoc(value) or ""),
            ]
    return parts


def _signatures(name: str, function: Callable[..., Any]) -> str:
    return "\n".join(_signature(name, each) for each in get_overloads(function) or [function])


def _signature(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.name != "self"]
    text = str(signature.replace(parameters=own)).replace("'", "").replace('"', "'")
    whole = f"{name}{text}"
    if len(whole) <= 110:
        return whole
    inner, _, back = text[1:].rpartition(") -> ")
    return f"{name}(\n{textwrap.indent(_split(inner), '    ')}\n) -> {back}"


def _split(parameters: str) -> str:
    """Return parameters one a line; commas inside brackets stay."""
    lines, depth, line = [], 0, ""
    for each in parameters:
        depth += (each in "[(") - (each in "])")
        if each == "," and not depth:
            lines.append(f"{line.strip()},")
            line = ""
        else:
            line += each
    return "\n".join([*lines, f"{line.strip()},"])


def _first(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def prose(doc: str) -> str:
    """Return a docstring as Markdown: sections become lists, the rest stays, and doctests become code.

    >>> print(prose("Do it.\\n\\nArgs:\\n    x: a number,\\n        or two."))
    Do it.
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    - `x`: a number, or two.
    """
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", doc):
        head, *rest = block.splitlines()
        if SECTION.match(head) and rest:
            blocks += [f"**{head.rstrip(':')}**", _list(rest)]
        elif head.startswith(">>>"):
            blocks.append(_code(block))
        else:
            blocks.append(block)
    return "\n\n".join(blocks)


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in textwrap.dedent("\n".join(lines)).splitlines():
        if line.startswith(" ") and items:
            items[-1] += f" {line.strip()}"
        else:
            items.append(line)
    return "\n".join(f"- {re.sub(r'^([^:]+):', _names, item, count=1)}" for item in items)


def _names(match: re.Match[str]) -> str:
    return ", ".join(f"`{name.strip()}`" for name in match[1].split(",")) + ":"
