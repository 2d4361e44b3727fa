"""Recipes from settings and from JSON, and as JSON again."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, from_json

from phosphene import __version__
from phosphene.errors import RecipeError, SettingError, UnknownNameError
from phosphene.recipe.base import PARTS, VERSION, AnyRecipe, NetUsed, Photo, settings_of
from phosphene.recipe.films import Clip
from phosphene.recipe.kinds import KINDS, Recipe
from phosphene.recipe.settings import must_be, received
from phosphene.recipe.stills import ImagineRecipe

R = TypeVar("R", bound=AnyRecipe)


def validate(kind: type[R], settings: Mapping[str, object], /, **fixed: object) -> R:
    """A recipe of this kind with `settings`, not all of which need be given, and with `fixed` fields.

    >>> validate(ImagineRecipe, {"size": "96x64"}, target="banana").size
    (64, 96)

    Raises:
        UnknownNameError: for a setting that the kind does not have.
        SettingError: for a value out of its range.
    """
    known = settings_of(kind)
    for name in settings:
        if name not in known:
            raise UnknownNameError("setting", name, known, where=f"{kind.model_fields['kind'].default} recipes")
    try:
        return kind.model_validate({**settings, **fixed})
    except ValidationError as problem:
        name, message, value = _first(kind, problem)
        raise SettingError(message, setting=name, value=value) from None


def override(recipe: R, settings: Mapping[str, object], **fixed: object) -> R:
    """The recipe with some settings changed; those that were chosen automatically are to be chosen anew."""
    if not settings and not fixed:
        return recipe
    kept = {name: getattr(recipe, name) for name in type(recipe).model_fields if name not in recipe.automatic}
    kept.update(automatic=(), phosphene=__version__, **fixed)
    if "count" in settings:  # of another number of pictures, no certain one is meant
        kept.pop("pick", None)
    given = {name: kept.pop(name) for name in settings_of(type(recipe)) if name in kept}
    return validate(type(recipe), {**given, **settings}, **kept)


def loads(text: str | bytes, *, path: object = None) -> Recipe:
    """The recipe in a JSON text; `path` is where it stood, for errors.

    Raises:
        RecipeError: with what is wrong first, what was received and what would be right, in one line.
    """
    place = f"the recipe in {path}" if path is not None else "the recipe"
    try:
        data = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError) as problem:  # a TypeError for text that is no Unicode
        raise RecipeError(f"{place} is not JSON: {_one_line(str(problem))}", path=path) from None
    if not isinstance(data, dict):
        raise RecipeError(f"{place} must be a JSON object, but is {received(data)}", path=path)
    version = data.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        raise RecipeError(
            f"{place} is of version {received(version)}, but this phosphene ({__version__}) reads up to "
            f"version {VERSION}: install a newer phosphene",
            path=path,
        )
    name = data.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        state = "is missing" if name is None else f"is {received(name)}"
        raise RecipeError(f"kind in {place} must be {' or '.join(map(repr, KINDS))}, but {state}", path=path)
    kind = KINDS[name]
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as problem:
        _, message, _ = _first(kind, problem)
        raise RecipeError(f"{place} is broken: {message}", path=path) from None


def dumps(recipe: Recipe) -> str:
    """The recipe as JSON, with every field written out; `loads` gives the same recipe back."""
    text = recipe.model_dump_json(indent=2)
    return re.sub(r"\[\n *(\d+),\n *(\d+)\n *\]", r"[\1, \2]", text)  # sizes; no string holds a line's end


def of_each(recipe: Recipe) -> list[Recipe]:
    """The recipe of each picture that a recipe makes: each says which of several it is."""
    if not isinstance(recipe, ImagineRecipe) or recipe.count == 1 or recipe.pick is not None:
        return [recipe]
    return [recipe.model_copy(update={"pick": i + 1}) for i in range(recipe.count)]


def relative_to(recipe: R, folder: str | os.PathLike[str]) -> R:
    """The recipe with its photograph's or clip's path relative to `folder`, where the file that carries it will be."""
    source = getattr(recipe, "source", None)  # not every kind of recipe begins with a file
    if not isinstance(source, Photo | Clip) or source.path is None:
        return recipe
    try:
        path = os.path.relpath(source.path, folder)
    except ValueError:  # on another drive
        return recipe
    return recipe.model_copy(update={"source": source.model_copy(update={"path": PurePath(path).as_posix()})})


def _first(kind: type[AnyRecipe], problem: ValidationError) -> tuple[str, str, object]:
    """The first thing that is wrong: the field, a sentence on it, and what was received."""
    error = problem.errors(include_url=False, include_context=False)[0]
    name, field, value = "", None, error["input"]
    fields: Mapping[str, FieldInfo] = kind.model_fields
    for part in error["loc"]:  # the way to the field, between which pydantic names the alternatives that it tried
        if part in fields:
            name, field = f"{name}.{part}".lstrip("."), fields[str(part)]
            fields = NetUsed.model_fields if part == "net" else {}
        elif part in PARTS:
            fields = PARTS[str(part)].model_fields
    if error["type"] == "extra_forbidden":
        unknown = str(error["loc"][-1])
        return unknown, str(UnknownNameError("field", unknown[:80], fields, where=name)), value
    if error["type"] == "missing":
        missing = str(error["loc"][-1])
        return name or missing, f"{name or missing} is missing", None
    if field is None:
        return "", _one_line(error["msg"]), value
    return name, f"{name} must be {must_be(field)}, but is {received(value)}", value


def _one_line(text: str) -> str:
    return " ".join(text.split())


def default_of(kind: type[AnyRecipe], name: str) -> Any:
    """A setting's default; None where there is none, or where it depends on something else."""
    value = kind.model_fields[name].get_default()
    return value.name if isinstance(value, NetUsed) else None if value is PydanticUndefined else value
