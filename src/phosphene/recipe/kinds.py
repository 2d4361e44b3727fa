"""Every kind of recipe, by the name that its `kind` field holds."""

from __future__ import annotations

from phosphene.recipe.films import FilmRecipe, MorphRecipe, VideoRecipe, ZoomRecipe
from phosphene.recipe.stills import DreamRecipe, ImagineRecipe, SheetRecipe

Recipe = DreamRecipe | ImagineRecipe | SheetRecipe | FilmRecipe
"""Any kind of recipe."""

KINDS: dict[str, type[Recipe]] = {
    "dream": DreamRecipe,
    "imagine": ImagineRecipe,
    "sheet": SheetRecipe,
    "zoom": ZoomRecipe,
    "morph": MorphRecipe,
    "video": VideoRecipe,
}
