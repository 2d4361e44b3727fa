"""The module phosphene.options: the keyword arguments of the public functions with their types, from the recipes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from phosphene.kinds import KINDS
from phosphene.recipe import Dataset, FileSource, NetUsed, NetworkRecipe, settings_of
from phosphene.recipe.base import read_file, read_nets
from phosphene.recipe.fields import read_size, read_span
from phosphene.recipe.iterate import read_trap

OPTIONS = Path(__file__).parent.parent / "src" / "phosphene" / "options.py"

WIDTH = 120

COMMON = tuple(name for name in NetworkRecipe.model_fields if name not in NetworkRecipe.not_settings)
"""The settings of every kind."""

OWN = {"target", "count", "formula"}
"""Those that are parameters of their own where a function takes them."""

TEXTS = {read_size: "str", read_span: "str", read_trap: "str", read_nets: "str", read_file: "str"}
"""Types that fields are read from besides their own."""

HEAD = '''"""The keyword arguments of the public functions: the settings of each kind of recipe, with their types.

Written by `scripts/docs` from the recipes, which have each setting's range and default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from phosphene.nets.base import Net
'''


def options_module() -> str:
    """src/phosphene/options.py."""
    parts = [HEAD, _class("CommonOptions", "TypedDict", "The settings of every kind of work.", _fields(COMMON))]
    every: dict[str, list[FieldInfo]] = {}
    for kind in KINDS.values():
        whole = set(COMMON) <= set(kind.recipe.model_fields)  # not every kind has a network
        own = [name for name in settings_of(kind.recipe) if not (whole and name in COMMON)]
        for name in own:
            if name in COMMON:
                continue
            every.setdefault(name, []).append(kind.recipe.model_fields[name])
        fields = {name: [kind.recipe.model_fields[name]] for name in own if name not in OWN}
        about = f"The settings of `{kind.name}` besides its own parameters."
        base = "CommonOptions" if whole else "TypedDict"
        parts.append(_class(f"{kind.name.title().replace('-', '')}Options", base, about, fields))
    del every["count"], every["target"]
    about = "The settings of any kind of work; which of them a kind has, its own options say."
    parts.append(_class("AnyOptions", "CommonOptions", about, every, documented=False))
    return "\n\n".join(parts)


def _fields(names: tuple[str, ...]) -> dict[str, list[FieldInfo]]:
    return {name: [NetworkRecipe.model_fields[name]] for name in names}


def _class(name: str, base: str, about: str, fields: dict[str, list[FieldInfo]], *, documented: bool = True) -> str:
    lines = [f"class {name}({base}, total=False):", f'    """{about}"""', ""]
    for field, several in fields.items():
        types = dict.fromkeys(part for each in several for part in _types(each))
        lines.append(f"    {field}: {' | '.join(sorted(types, key=lambda part: part == 'None'))}")
        if documented:
            lines += textwrap.wrap(
                f'"""{several[0].description}"""', WIDTH - 4, initial_indent="    ", subsequent_indent="    "
            )
    return "\n".join(lines) + "\n"


def _types(field: FieldInfo) -> list[str]:
    """Return the alternatives of a field's type, as Python has them."""
    readers = [each.func for each in field.metadata if isinstance(each, BeforeValidator)]
    return _parts(field.annotation) + _read_from(readers)


def _read_from(readers: list[Callable[..., Any]]) -> list[str]:
    return [TEXTS.get(reader, "float") for reader in readers]


def _parts(annotation: Any) -> list[str]:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        readers = [each.func for each in inside[1:] if isinstance(each, BeforeValidator)]
        return _parts(inside[0]) + _read_from(readers)
    if origin in (Union, UnionType):
        return [part for each in inside for part in _parts(each)]
    if origin is Literal:
        return [f"Literal[{', '.join(map(_quoted, inside))}]"]
    if origin is tuple:
        return [f"tuple[{', '.join('...' if each is ... else _parts(each)[0] for each in inside)}]"]
    if annotation in (FileSource, Dataset):
        return []
    if annotation is NetUsed:
        return ["str", "Net"]
    return ["None" if annotation is NoneType else annotation.__name__]


def _quoted(word: str) -> str:
    return f'"{word}"'
