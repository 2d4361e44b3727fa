"""Recipes: everything that a result was made from, as one JSON text that every written file carries.

The fields of the recipes' models are the only place where a setting's meaning, range and default are stated. The
command line's options, the Python functions' keyword arguments and the tables of `docs/recipe.md` all come from them.
"""

from phosphene.recipe.base import (
    VERSION,
    BaseRecipe,
    ClipFile,
    EnsembleRecipe,
    FileSource,
    NetUsed,
    NetworkRecipe,
    Noise,
    Photo,
    settings_of,
)
from phosphene.recipe.basins import BasinsRecipe
from phosphene.recipe.cloud import CloudRecipe
from phosphene.recipe.films import MorphRecipe, VideoRecipe, ZoomRecipe
from phosphene.recipe.gibbs import GibbsRecipe
from phosphene.recipe.iterate import IterateRecipe, IterateSettings
from phosphene.recipe.knowledge import AtlasRecipe, ExplainRecipe, MicroscopeRecipe, ReportRecipe
from phosphene.recipe.learning import Dataset, LearnRecipe
from phosphene.recipe.recall import RecallRecipe, RecallSettings, Run
from phosphene.recipe.sounds import DreamSoundRecipe, ImagineSoundRecipe, MorphSoundRecipe, SheetSoundRecipe
from phosphene.recipe.stills import DreamRecipe, DreamSettings, ImagineRecipe, ImagineSettings, SheetRecipe
from phosphene.recipe.text import default_of, digest, dumps, loads, override, relative_to, resolved, validate

__all__ = [
    "VERSION",
    "AtlasRecipe",
    "BaseRecipe",
    "BasinsRecipe",
    "ClipFile",
    "CloudRecipe",
    "Dataset",
    "DreamRecipe",
    "DreamSettings",
    "DreamSoundRecipe",
    "EnsembleRecipe",
    "ExplainRecipe",
    "FileSource",
    "GibbsRecipe",
    "ImagineRecipe",
    "ImagineSettings",
    "ImagineSoundRecipe",
    "IterateRecipe",
    "IterateSettings",
    "LearnRecipe",
    "MicroscopeRecipe",
    "MorphRecipe",
    "MorphSoundRecipe",
    "NetUsed",
    "NetworkRecipe",
    "Noise",
    "Photo",
    "RecallRecipe",
    "RecallSettings",
    "ReportRecipe",
    "Run",
    "SheetRecipe",
    "SheetSoundRecipe",
    "VideoRecipe",
    "ZoomRecipe",
    "default_of",
    "digest",
    "dumps",
    "loads",
    "override",
    "relative_to",
    "resolved",
    "settings_of",
    "validate",
]
