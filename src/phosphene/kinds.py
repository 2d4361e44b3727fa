"""The kinds of work: for each its recipe, what builds the job from a recipe, and the command that asks for it.

This is the only place that lists them. A new kind costs its line here, its recipe, its loop, its builder and its
command. Everything is named by text and imported when it is needed, so that reading the table imports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of work. `schema`, `builder` and `command` are written MODULE:NAME, without the package's name."""

    name: str
    about: str
    schema: str
    builder: str
    command: str
    heard_as: str | None = None
    """The kind that the same command asks for where the source is a sound, or the network hears."""

    @property
    def recipe(self) -> Any:
        """The class of its recipes, a subclass of `recipe.base.BaseRecipe`."""
        return load(self.schema)


def load(place: str) -> Any:
    """Import what is written MODULE:NAME.

    >>> load("errors:PhospheneError").__name__
    'PhospheneError'
    """
    module, _, name = place.partition(":")
    return getattr(import_module(f"phosphene.{module}"), name)


KINDS = {
    each.name: each
    for each in (
        Kind(
            "dream",
            "Dream on a photograph, or on noise.",
            schema="recipe.stills:DreamRecipe",
            builder="render.stills:build_dream",
            command="cli.dream:dream",
            heard_as="dream-sound",
        ),
        Kind(
            "imagine",
            "Make a picture of what a word, a layer or a channel stands for.",
            schema="recipe.stills:ImagineRecipe",
            builder="render.stills:build_imagine",
            command="cli.imagine:imagine",
            heard_as="imagine-sound",
        ),
        Kind(
            "sheet",
            "Make a picture of each of many things, side by side.",
            schema="recipe.stills:SheetRecipe",
            builder="render.sheets:build_sheet",
            command="cli.sheet:sheet",
            heard_as="sheet-sound",
        ),
        Kind(
            "zoom",
            "Make a film: travel endlessly into a photograph, or into noise.",
            schema="recipe.films:ZoomRecipe",
            builder="render.films:build_zoom",
            command="cli.zoom:zoom",
        ),
        Kind(
            "morph",
            "Make a film: turn one idea into the next.",
            schema="recipe.films:MorphRecipe",
            builder="render.films:build_morph",
            command="cli.morph:morph",
            heard_as="morph-sound",
        ),
        Kind(
            "video",
            "Dream on a video clip, without flicker.",
            schema="recipe.films:VideoRecipe",
            builder="render.films:build_video",
            command="cli.video:video",
        ),
        Kind(
            "iterate",
            "Make a picture or film of a function of the plane.",
            schema="recipe.iterate:IterateRecipe",
            builder="render.iterate:build_iterate",
            command="cli.iterate:iterate",
        ),
        Kind(
            "basins",
            "Map the plane between three pictures by where a network's steps lead.",
            schema="recipe.basins:BasinsRecipe",
            builder="render.basins:build_basins",
            command="cli.basins:basins",
        ),
        Kind(
            "learn",
            "Train a network on a folder of pictures, to dream with it.",
            schema="recipe.learning:LearnRecipe",
            builder="render.learning:build_learn",
            command="cli.learn:learn",
        ),
        Kind(
            "recall",
            "Make the film of a network's learning.",
            schema="recipe.recall:RecallRecipe",
            builder="render.recall:build_recall",
            command="cli.recall:recall",
        ),
        Kind(
            "atlas",
            "Map everything that a layer tells apart, as a page to zoom into.",
            schema="recipe.knowledge:AtlasRecipe",
            builder="render.atlas:build_atlas",
            command="cli.atlas:atlas",
        ),
        Kind(
            "cloud",
            "See things in a cloud, or any picture, and let them grow there.",
            schema="recipe.cloud:CloudRecipe",
            builder="render.clouds:build_cloud",
            command="cli.cloud:cloud",
        ),
        Kind(
            "explain",
            "Explain to pupils how a network dreams on a photo, as a page.",
            schema="recipe.knowledge:ExplainRecipe",
            builder="render.explain:build_explain",
            command="cli.explain:explain",
        ),
        Kind(
            "report",
            "Tell what a label really means to a network, as a page.",
            schema="recipe.knowledge:ReportRecipe",
            builder="render.report:build_report",
            command="cli.report:report",
        ),
        Kind(
            "microscope",
            "Show every channel of a network, as a site.",
            schema="recipe.knowledge:MicroscopeRecipe",
            builder="render.microscope:build_microscope",
            command="cli.microscope:microscope",
        ),
        Kind(
            "dream-sound",
            "Dream on a sound.",
            schema="recipe.sounds:DreamSoundRecipe",
            builder="render.sounds:build_dream",
            command="cli.dream:dream",
        ),
        Kind(
            "imagine-sound",
            "Make a sound of what a tag, a layer or a channel stands for.",
            schema="recipe.sounds:ImagineSoundRecipe",
            builder="render.sounds:build_imagine",
            command="cli.imagine:imagine",
        ),
        Kind(
            "morph-sound",
            "Make a sound: turn one idea into the next.",
            schema="recipe.sounds:MorphSoundRecipe",
            builder="render.sounds:build_morph",
            command="cli.morph:morph",
        ),
        Kind(
            "gibbs",
            "Let a Boltzmann machine dream.",
            schema="recipe.gibbs:GibbsRecipe",
            builder="render.boltzmann:build_gibbs",
            command="cli.gibbs:gibbs",
        ),
        Kind(
            "sheet-sound",
            "Make a sound of each of many things, in a row, and a picture of them.",
            schema="recipe.sounds:SheetSoundRecipe",
            builder="render.sounds:build_sheet",
            command="cli.sheet:sheet",
        ),
    )
}

HEARD = frozenset(kind.heard_as for kind in KINDS.values() if kind.heard_as is not None)
"""The kinds that have no command of their own."""
