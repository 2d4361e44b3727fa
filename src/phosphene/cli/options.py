"""Command line options made from the settings of recipes: help, ranges and defaults are the true ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from phosphene.recipe import BaseRecipe, DreamRecipe, NetUsed, Noise, settings, settings_of
from phosphene.recipe.presets import Preset

F = TypeVar("F", bound=Callable[..., Any])

_SHORT = {"target": "-t"}


class Setting(click.ParamType):
    """Text that is read as one field of a recipe is."""

    name = "setting"

    def __init__(self, field: FieldInfo) -> None:
        self.field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return settings.read(self.field, value)
        except ValueError:
            wanted = settings.must_be(self.field)
            self.fail(f"must be {wanted}, but is {settings.received(value)}.", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in settings.choices(self.field) if word.startswith(incomplete)]


NOISE_SIZE = Setting(Noise.model_fields["noise"])
PATH = click.Path(path_type=Path)

noise = click.option(
    "--noise", type=NOISE_SIZE, metavar="WIDTHxHEIGHT", help="Begin with noise of this size, not with a photo."
)
"""A decorator that adds `--noise`."""


def of_recipe(*kinds: type[BaseRecipe], without: tuple[str, ...] = (), defaults: bool = True) -> Callable[[F], F]:
    """A decorator that adds an option for every setting of the kinds of recipe.

    An option that is not given is None, so that what was asked for is told from what is so by default.
    """
    fields: dict[str, FieldInfo] = {}
    for kind in kinds:
        for name in settings_of(kind):
            if name not in without:
                fields.setdefault(name, kind.model_fields[name])

    def add(command: F) -> F:
        for name, field in reversed(fields.items()):
            command = _option(name, field, defaults)(command)
        return command

    return add


def preset(known: Mapping[str, Preset]) -> Callable[[F], F]:
    """A decorator that adds `--preset`, one of these."""
    about = " ".join(f"{name}: {each.about}" for name, each in known.items())
    return click.option(
        "--preset",
        type=click.Choice(list(known)),
        help=f"Settings that go well together, to which other options add: {about}",
    )


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def net_of(options: dict[str, Any]) -> str:
    """The name of the network that the options ask for."""
    asked = options.get("net") or DreamRecipe.model_fields["net"].get_default()
    return str(asked.name)


def _option(name: str, field: FieldInfo, defaults: bool) -> Callable[[F], F]:
    notes = []
    words = settings.must_be(field)
    if "number" in words:  # the metavar says that it is one
        notes.append(re.sub("a (whole )?number (from )?", "", words))
    if defaults and (default := _default(field)) is not None:
        notes.append(f"default: {settings.write(default)}")
    about = f"{field.description} [{'; '.join(notes)}]" if notes else field.description
    if field.annotation is bool and not field.get_default():
        return click.option(f"--{name.replace('_', '-')}/--no-{name.replace('_', '-')}", name, default=None, help=about)
    names = [*([_SHORT[name]] if name in _SHORT else []), f"--{name.replace('_', '-')}"]
    return click.option(*names, name, type=Setting(field), metavar=settings.metavar(field), help=about)


def _default(field: FieldInfo) -> object:
    value = field.get_default()
    if value is PydanticUndefined:
        return None
    return value.name if isinstance(value, NetUsed) else value
