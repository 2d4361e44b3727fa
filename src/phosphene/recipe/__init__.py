"""Recipes: everything that a result was made from, as one JSON text that every written file carries.

The fields of the recipes' models are the only place where a setting's meaning, range and default are stated. The
command line's options, the Python functions' keyword arguments and the tables of `docs/recipe.md` all come from them.
"""

from phosphene.recipe.base import VERSION, AnyRecipe, NetUsed, Noise, Photo, settings_of
from phosphene.recipe.films import Clip, FilmRecipe, MorphRecipe, VideoRecipe, ZoomRecipe
from phosphene.recipe.kinds import KINDS, Recipe
from phosphene.recipe.stills import DreamRecipe, ImagineRecipe, SheetRecipe
from phosphene.recipe.text import R, default_of, dumps, loads, of_each, override, relative_to, validate

__all__ = [
    "KINDS",
    "VERSION",
    "AnyRecipe",
    "Clip",
    "DreamRecipe",
    "FilmRecipe",
    "ImagineRecipe",
    "MorphRecipe",
    "NetUsed",
    "Noise",
    "Photo",
    "R",
    "Recipe",
    "SheetRecipe",
    "VideoRecipe",
    "ZoomRecipe",
    "default_of",
    "dumps",
    "loads",
    "of_each",
    "override",
    "relative_to",
    "settings_of",
    "validate",
]
