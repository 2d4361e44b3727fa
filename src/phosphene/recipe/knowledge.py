"""The recipes of pages about what a network knows; their fields state each setting's meaning, range and default."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from phosphene.recipe.base import NetworkRecipe, PhotoOrNoise
from phosphene.recipe.fields import Auto, SizeField, Target
from phosphene.recipe.learning import Dataset
from phosphene.recipe.settings import meant
from phosphene.recipe.stills import DreamSettings

IconSize = Annotated[int, Field(ge=32, le=512, description="Side of an icon in pixels.")]
IconSteps = Annotated[int, Field(ge=1, le=10_000, description="Steps of ascent for each icon.")]
IconViews = Annotated[int, Field(ge=1, le=64, description="Random views of an icon that each step scores.")]


def read_dataset(value: object) -> object:
    """Read the path of a folder or CSV; return other values unchanged."""
    return Dataset(path=os.path.abspath(value)) if isinstance(value, str | os.PathLike) else value


Photos = Annotated[
    Annotated[Dataset, meant("the path of a folder or a CSV", "FOLDER")] | None, BeforeValidator(read_dataset)
]


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


class ReportRecipe(NetworkRecipe):
    """How a report of a label was made."""

    kind: Literal["report"] = "report"
    target: Target = Field(description="The label, or a word above labels.")
    dataset: Photos = Field(
        None,
        description="Photos, some of the label: a folder, or a CSV; without them 64 imaginings.",
    )
    layer: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The layer whose factors are the parts; by default the last one with positions."
    )
    parts: Annotated[int, Field(ge=1, le=32)] = Field(
        6,
        description="The most parts that the label is taken apart into; there are no more than one for three pictures.",
    )
    most: Annotated[int, Field(ge=1, le=256)] = Field(
        24, description="Photos that parts are looked for in: those in which the label is most probable."
    )
    power: Annotated[float, Field(ge=0, le=16)] = Field(
        2.0, description="Power of the cosine in the objective of a part: the higher, the purer."
    )
    size: IconSize = 160
    steps: IconSteps = 64
    views: IconViews = 1


class ExplainRecipe(DreamSettings, NetworkRecipe):
    """How a page that explains a dream to pupils was made."""

    kind: Literal["explain"] = "explain"
    source: PhotoOrNoise
    target: Target | None = Field(
        None, description="What to bring out, in the objective language; by default what suits the network best."
    )
    size: SizeField = Field(512, description="Size of the pictures: the longest side, or WIDTHxHEIGHT.")


class MicroscopeRecipe(NetworkRecipe):
    """How a microscope of a network was made."""

    kind: Literal["microscope"] = "microscope"
    dataset: Photos = Field(None, description="Photos, of which those that excite a channel most are shown.")
    layers: Annotated[str, Field(min_length=1)] = Field(
        "main", description="Layers by name, separated by commas; main for all but those inside blocks."
    )
    size: IconSize = 80
    steps: IconSteps = 48
    views: IconViews = 1
