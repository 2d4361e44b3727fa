"""Recipes from settings and from JSON, and back to JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, from_json

from phosphene import __version__
from phosphene.errors import RecipeError, SettingError, UnknownNameError
from phosphene.kinds import KINDS
from phosphene.recipe.base import SOURCES, VERSION, BaseRecipe, FileSource, NetUsed, settings_of
from phosphene.recipe.earlier import completed
from phosphene.recipe.settings import must_be, received

R = TypeVar("R", bound=BaseRecipe)


def validate(kind: type[R], settings: Mapping[str, object], /, **fixed: object) -> R:
    """Return a recipe of this kind with `settings`, which may leave out what has a default, and with `fixed` fields.

    >>> from phosphene.recipe.stills import ImagineRecipe
    >>> validate(ImagineRecipe, {"size": "96x64"}, target="banana").size
    (64, 96)

    Raises:
        UnknownNameError: for a setting that the kind does not have.
        SettingError: for a value out of its range.
    """
    known = settings_of(kind)
    for name in settings:
        if name not in known and name not in kind.old_names:
            raise UnknownNameError("setting", name, known, where=f"{kind.model_fields['kind'].default} recipes")
    try:
        return kind.model_validate(_renamed(kind, {**settings, **fixed}))
    except ValidationError as problem:
        name, message, value = _first(kind, problem)
        raise SettingError(message, setting=name, value=value) from None


def override(recipe: R, settings: Mapping[str, object], **fixed: object) -> R:
    """Return the recipe with some settings changed; those that were chosen automatically are chosen again."""
    if not settings and not fixed:
        return recipe
    kind = type(recipe)
    settings = _renamed(kind, settings)
    kept = {name: getattr(recipe, name) for name in kind.model_fields if name not in recipe.automatic}
    kept.update(automatic=(), phosphene=__version__, **fixed)
    for name, reason in kind.reset_by.items():
        if reason in settings:
            kept.pop(name, None)
    given = {name: kept.pop(name) for name in settings_of(kind) if name in kept}
    return validate(kind, {**given, **settings}, **kept)


def resolved(recipe: R, **found: object) -> R:
    """Return the recipe with `found` for what was left to phosphene to choose, those settings listed as automatic.

    The result is checked as any recipe is, so that every recipe that is written can be read.
    """
    chosen = [name for name in found if getattr(recipe, name) in (None, "auto")]
    automatic = tuple(dict.fromkeys((*recipe.automatic, *chosen)))
    settings = set(settings_of(type(recipe)))
    fields = {**dict(recipe), **found, "phosphene": __version__, "automatic": automatic}
    named = {name: fields.pop(name) for name in [*fields] if name in settings}
    return validate(type(recipe), named, **fields)


def loads(text: str | bytes, *, path: object = None) -> BaseRecipe:
    """Return the recipe in a JSON text; `path` is where it was found, for errors.

    Raises:
        RecipeError: with what is wrong first, what was received and what would be right, in one line.
    """
    place = f"the recipe in {path}" if path is not None else "the recipe"
    try:
        data = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError) as problem:  # a TypeError for text that is not Unicode
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
    kind = KINDS[name].recipe
    try:
        return kind.model_validate_json(json.dumps(completed(name, _renamed(kind, data))), strict=True)
    except ValidationError as problem:
        _, message, _ = _first(kind, problem)
        raise RecipeError(f"{place} is broken: {message}", path=path) from None


def dumps(recipe: BaseRecipe) -> str:
    """Return the recipe as JSON, with every field written out; `loads` reads the same recipe back."""
    text = recipe.model_dump_json(indent=2)
    return re.sub(r"\[\n *(\d+),\n *(\d+)\n *\]", r"[\1, \2]", text)  # sizes; strings hold no line breaks


def digest(recipe: BaseRecipe) -> str:
    """Return the SHA-256 of a recipe's text, by which work is known again."""
    return hashlib.sha256(dumps(recipe).encode("utf-8", "surrogatepass")).hexdigest()


def relative_to(recipe: R, folder: str | os.PathLike[str]) -> R:
    """Return the recipe with the paths of its files as seen from `folder`, where the file that carries it is.

    A file outside of `folder` is named by its base name only, so that a recipe does not tell about private folders.
    """
    found = {}
    for name in ("source", "mask", "sound", "dataset"):
        file = getattr(recipe, name, None)  # not every kind of recipe has one
        if isinstance(file, FileSource) and file.path is not None:
            inside = Path(os.path.abspath(file.path)).is_relative_to(os.path.abspath(folder))
            path = os.path.relpath(file.path, folder) if inside else PurePath(file.path).name
            found[name] = file.model_copy(update={"path": PurePath(path).as_posix()})
    return recipe.model_copy(update=found) if found else recipe


def _renamed(kind: type[BaseRecipe], fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields with those that had another name in an earlier release under their present one."""
    renamed = {kind.old_names.get(name, name): value for name, value in fields.items()}
    if isinstance(listed := renamed.get("automatic"), list):
        renamed["automatic"] = [kind.old_names.get(name, name) if isinstance(name, str) else name for name in listed]
    return renamed


def _first(kind: type[BaseRecipe], problem: ValidationError) -> tuple[str, str, object]:
    """Return the first thing that is wrong: the field, a sentence about it, and what was received."""
    error = problem.errors(include_url=False, include_context=False)[0]
    name, field, value = "", None, error["input"]
    fields: Mapping[str, FieldInfo] = kind.model_fields
    for part in error["loc"]:  # pydantic also lists the alternatives that it tried
        if part in fields:
            name, field = f"{name}.{part}".lstrip("."), fields[str(part)]
            fields = NetUsed.model_fields if part == "net" else {}
        elif part in SOURCES:
            fields = SOURCES[str(part)].model_fields
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


def default_of(kind: type[BaseRecipe], name: str) -> Any:
    """Return a setting's default; None where there is none, or where it depends on something else."""
    value = kind.model_fields[name].get_default()
    return value.name if isinstance(value, NetUsed) else None if value is PydanticUndefined else value
