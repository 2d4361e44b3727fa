"""Objectives that are written name(argument, ...): how one registers itself with the language.

    @function("guide", path="path", layer="layer", example="guide(photo.jpg, mixed3b)")
    @final
    @dataclass(frozen=True)
    class Guide(Function):
        path: str
        layer: str

The grammar, the text of the objective and the errors follow from the declaration.
"""

from __future__ import annotations

import pkgutil
from abc import ABC
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import ClassVar, Literal, TypeVar

from phosphene.objectives.base import Leaf
from phosphene.objectives.name import write_name, write_number, write_path
from phosphene.registry import Registry

Kind = Literal["path", "layer", "number"]
"""The types of an argument: a picture's path, a layer's name, or a number."""

WRITERS: Mapping[Kind, Callable[..., str]] = {"path": write_path, "layer": write_name, "number": write_number}

F = TypeVar("F", bound="type[Function]")


class Function(Leaf, ABC):
    """An objective with arguments; its fields of the declared names are the arguments, in their order."""

    name: ClassVar[str]
    arguments: ClassVar[Mapping[str, Kind]]
    example: ClassVar[str]

    def __str__(self) -> str:
        written = (WRITERS[kind](getattr(self, argument)) for argument, kind in self.arguments.items())
        return f"{self.name}({', '.join(written)})"


_functions: Registry[type[Function]] = Registry("objective")


def function(name: str, *, example: str, **arguments: Kind) -> Callable[[F], F]:
    """Return a decorator that registers an objective called `name` with these arguments.

    Args:
        name: as it is written.
        example: a text with it, for errors.
        arguments: each argument's field and kind, in order.
    """

    def enter(kind: F) -> F:
        kind.name, kind.arguments, kind.example = name, dict(arguments), example
        _functions.register(name)(kind)
        return kind

    return enter


@cache
def functions() -> Registry[type[Function]]:
    """Return all objectives with arguments, by name."""
    from phosphene.objectives import functions as package

    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return _functions
