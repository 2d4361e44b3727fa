"""The recipes of pages about what a network knows; their fields state each setting's meaning, range and default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from phosphene.recipe.base import NetworkRecipe
from phosphene.recipe.fields import Auto
from phosphene.recipe.learning import Dataset
from phosphene.recipe.settings import meant

IconSize = Annotated[int, Field(ge=32, le=512, description="Side of an icon in pixels.")]
IconSteps = Annotated[int, Field(ge=1, le=10_000, description="Steps of ascent for each icon.")]
IconViews = Annotated[int, Field(ge=1, le=64, description="Random views of an icon that each step scores.")]


class AtlasRecipe(NetworkRecipe):
    """How an atlas of a layer was made."""

    kind: Literal["atlas"] = "atlas"
    source: Annotated[Dataset, meant('{"path": ...} or {"own": "digits"}')]
    layer: Annotated[str, Field(min_length=1, description="The layer whose activations are mapped.")]
    columns: Annotated[int, Field(ge=2, le=100)] = Field(20, description="Cells in a row of the grid, and in a column.")
    least: Annotated[int, Field(ge=1, le=10_000)] | Auto = Field(
        "auto", description="Activations that a cell must hold to be drawn; auto for a tenth of the mean, 1 or more."
    )
    layout: Literal["tsne", "umap"] = Field(
        "tsne", description="How activations are laid out: exact t-SNE, or UMAP, which needs the extra atlas."
    )
    perplexity: Annotated[float, Field(ge=1, le=1000)] | Auto = Field(
        "auto", description="Neighbours of an activation in t-SNE; auto for 30, or a third of few activations."
    )
    power: Annotated[float, Field(ge=0, le=16)] = Field(
        2.0, description="Power of the cosine in the icons' objective: the higher, the purer the direction."
    )
    size: IconSize = 96
    steps: IconSteps = 64
    views: IconViews = 1
