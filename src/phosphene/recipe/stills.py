"""The recipes of still pictures; their fields state each setting's meaning, range and default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from phosphene.recipe.base import BaseRecipe, EnsembleRecipe, Mask, Model, NetworkRecipe, PhotoOrNoise
from phosphene.recipe.fields import (
    Auto,
    ChannelDropout,
    Equalise,
    GridWeights,
    Headroom,
    Jitter,
    Margin,
    NaturalColour,
    Octaves,
    OctaveScale,
    Resampling,
    Seed,
    ShapeSteps,
    Shaping,
    SizeField,
    Sketches,
    StepSize,
    Symmetry,
    Target,
    Tileable,
    TileField,
    Views,
    Without,
    Zoom,
)
from phosphene.recipe.prints import PrintSettings
from phosphene.recipe.settings import meant

MOST_ON_SHEET = 1024


class DreamSettings(Model):
    """How a picture is dreamt on, octave by octave."""

    octaves: Octaves = "auto"
    octave_scale: OctaveScale = 1.4
    steps: Annotated[int, Field(ge=0, le=10_000)] = Field(10, description="Steps of ascent in each octave.")
    step_size: StepSize = 0.012
    jitter: Jitter = 16
    margin: Margin = 16
    shaping: Shaping = "laplacian"
    natural_colour: NaturalColour = 1.2
    headroom: Headroom = 0.1
    equalise: Equalise = True
    resampling: Resampling = "bicubic"
    symmetry: Symmetry = None
    seed: Seed = 0


class ImagineSettings(Model):
    """How a picture is made from noise. The defaults draw a label in 10 to 20 seconds on two cores."""

    diversity: Annotated[float, Field(ge=0, le=100)] = Field(
        2.0, description="How strongly pictures that are made together are kept unlike one another."
    )
    steps: ShapeSteps = 48
    sketches: Sketches = 4
    sketch_steps: Annotated[int, Field(ge=1, le=10_000)] = Field(16, description="Steps of ascent for the sketches.")
    views: Views = 4
    rate: Annotated[float, Field(gt=0, le=10)] = Field(
        0.12, description="Learning rate: how far a step goes, where 1 is the contrast of a photograph."
    )
    decay: Annotated[float, Field(ge=0, le=4)] = Field(
        1.1, description="How much weaker finer waves are drawn: amplitudes fall as frequency to this power."
    )
    zoom: Zoom = Field((0.75, 1.05), description="Smallest and largest share of the picture's height in a view.")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(8.0, description="Largest rotation of a view, in degrees.")
    tint: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="How much a view's colours and contrast are changed at random."
    )
    noise: Annotated[float, Field(ge=0, le=1)] = Field(0.05, description="Std of the noise added to a view.")
    channel_dropout: ChannelDropout = 0.0
    natural: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0, description="Weight of the prior that every layer responds as it does to photographs."
    )
    typical: Annotated[float, Field(ge=0, le=100)] = Field(
        0.5,
        description="Weight of the prior that a label's picture is like those that the network learnt, where its file "
        "tells how they look: it begins with their mean, and keeps to it where they hardly differ.",
    )
    smooth: Annotated[float, Field(ge=0, le=100)] = Field(
        4.0, description="Weight of the prior that neighbouring pixels are alike."
    )
    detail: Annotated[float, Field(ge=0, le=10)] = Field(
        0.5, description="Steps that draw detail on a larger canvas, as a share of `steps`."
    )
    sharpness: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0,
        description="How sharp that detail is: 0 draws finer waves weaker, as `decay` and `smooth` say; 1 draws all "
        "waves alike and hardly smooths.",
    )
    focus: Annotated[float, Field(ge=0, le=1)] = Field(
        0.7, description="How much the picture of a label is drawn in the middle: steps are weaker far from it."
    )
    calm: Annotated[float, Field(ge=0, le=1)] = Field(
        0.75, description="How calm a label's picture is where the network looks least: steps are weaker there."
    )
    symmetry: Symmetry = None
    seed: Seed = 0


class _DreamBase(NetworkRecipe):
    kind: Literal["dream"] = "dream"
    source: PhotoOrNoise
    target: Target | None = Field(
        None,
        description="What to bring out, in the objective language; by default what suits the network best.",
    )
    size: SizeField | None = Field(
        None, description="Size to dream at: the longest side, or WIDTHxHEIGHT; by default the photo's own."
    )


class DreamRecipe(DreamSettings, PrintSettings, _DreamBase):
    """How a photograph, or noise, was dreamt on."""

    mask: Mask = None
    without: Without = None
    tileable: Tileable = False
    tile: TileField = "auto"


class _ImagineBase(EnsembleRecipe):
    kind: Literal["imagine"] = "imagine"
    target: Target = Field(
        description="What to picture, in the objective language: a label, a channel, a sum of them ..."
    )
    size: SizeField = Field(512, description="Size of the picture: a square's side, or WIDTHxHEIGHT.")
    count: Annotated[int, Field(ge=1, le=64)] = Field(1, description="How many different pictures to make.")
    pick: Annotated[int, Field(ge=1, le=64)] | None = None
    method: Literal["robust", "maco", "lucid"] = Field(
        "robust",
        description="How to imagine; maco keeps to the magnitudes of photographs, and what does not matter is "
        "transparent; lucid is as published in 2017, and uses only steps, rate and decay.",
    )


class ImagineRecipe(ImagineSettings, PrintSettings, _ImagineBase):
    """How a picture of something was made from noise."""

    old_names: ClassVar[Mapping[str, str]] = {"thin": "channel_dropout"}
    reset_by: ClassVar[Mapping[str, str]] = {"pick": "count"}

    tileable: Tileable = False
    without: Without = None

    def pictures(self) -> Sequence[Any]:
        """Return the recipe of each picture, each of which says which of several it is."""
        if self.count == 1 or self.pick is not None:
            return [self]
        return [self.model_copy(update={"pick": i + 1}) for i in range(self.count)]

    @model_validator(mode="after")
    def _check_pick(self) -> ImagineRecipe:
        if self.pick is not None and self.pick > self.count:
            raise PydanticCustomError(
                "pick", "pick must be at most count, {count}, but is {pick}", {"count": self.count, "pick": self.pick}
            )
        return self


class SheetRecipe(PrintSettings, EnsembleRecipe):
    """How pictures of many things were made from noise, side by side."""

    not_settings: ClassVar[frozenset[str]] = BaseRecipe.not_settings | {"targets"}

    kind: Literal["sheet"] = "sheet"
    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1, max_length=MOST_ON_SHEET),
        meant(f"a list of 1 to {MOST_ON_SHEET} targets in the objective language"),
    ]
    size: SizeField = Field(128, description="Size of each picture: a square's side, or WIDTHxHEIGHT.")
    columns: Annotated[int, Field(ge=1, le=MOST_ON_SHEET)] | Auto = Field(
        "auto", description="Pictures in a row; auto for a sheet that is about square."
    )
    gap: Annotated[int, Field(ge=0, le=256)] = Field(4, description="White pixels between pictures.")
    captions: bool = Field(False, description="Write under each picture what it shows.")
    vary: (
        Annotated[
            str, Field(min_length=1), meant('settings with values, as in "steps=32,96; noise=0,0.1"', "SETTING=VALUES")
        ]
        | None
    ) = Field(
        None,
        description="Make a contact sheet: each target once for each of these values of a setting, side by side, with "
        "captions; several settings are separated by semicolons.",
    )
    weights: GridWeights = None
    without: Without = None
    method: Literal["robust", "maco"] = Field(
        "robust",
        description="How to imagine; maco keeps to the magnitudes of photographs, and what does not matter is white.",
    )
    steps: ShapeSteps = 64
    sketches: Sketches = 2
    views: Views = 4
