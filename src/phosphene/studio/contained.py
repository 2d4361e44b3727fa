"""What a recipe that came over the network may use: networks that are installed, and files of the studio's folder."""

from __future__ import annotations

from phosphene import nets
from phosphene.errors import SettingError
from phosphene.objectives.expr import parse
from phosphene.objectives.function import Function
from phosphene.objectives.masked import masked_parts
from phosphene.recipe import BaseRecipe, FileSource, NetworkRecipe
from phosphene.recipe.keyframes import read_keys
from phosphene.studio.folder import Folder


def check(recipe: BaseRecipe, folder: Folder) -> None:
    """Raise a `PhospheneError` if the recipe names a file outside of the folder, or a network that is not here."""
    for name in [used.name for used in recipe.networks()] if isinstance(recipe, NetworkRecipe) else []:
        if name not in set(nets.names()) or not nets.is_here(name):
            raise SettingError(
                f"net must be one that is installed, but is {name!r}: `phosphene nets` lists them, and fetches others",
                setting="net",
                value=name,
            )
    for path in [*_guides(recipe), *_files(recipe)]:
        folder.inside(path)


def texts(recipe: BaseRecipe) -> list[str]:
    """Return every target of a recipe, those of keyframes one by one."""
    found: list[str] = []
    for name in ("target", "targets", "ideas"):
        value = getattr(recipe, name, None)
        for text in (value,) if isinstance(value, str) else value or ():
            found += read_keys(text).values
    return found


def _guides(recipe: BaseRecipe) -> list[str]:
    masks = [part.path for text in texts(recipe) for part in masked_parts(parse(text)) if part.path is not None]
    return masks + [
        str(getattr(leaf, argument))
        for text in texts(recipe)
        for _, leaf in parse(text).terms()
        if isinstance(leaf, Function)
        for argument, kind in leaf.arguments.items()
        if kind == "path"
    ]


def _files(recipe: BaseRecipe) -> list[str]:
    values = (getattr(recipe, name) for name in type(recipe).model_fields)
    return [value.path or "" for value in values if isinstance(value, FileSource)]
