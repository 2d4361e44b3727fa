"""The recipes of still pictures; their fields state each setting's meaning, range and default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from phosphene.recipe.base import AnyRecipe, Net, NetUsed, Source
from phosphene.recipe.fields import (
    Auto,
    Device,
    Equalise,
    Headroom,
    Jitter,
    NaturalColour,
    Octaves,
    OctaveScale,
    Precision,
    Resampling,
    Seed,
    ShapeSteps,
    Shaping,
    Size,
    StepSize,
    Target,
    Tile,
    Views,
    Zoom,
)
from phosphene.recipe.settings import meant

MOST_ON_SHEET = 1024


class DreamRecipe(AnyRecipe):
    """How a photograph, or noise, was dreamt upon."""

    kind: Literal["dream"] = "dream"
    source: Source
    target: Target | None = Field(
        None,
        description="What to bring out, in the objective language; by default what suits the network best.",
    )
    net: Net = NetUsed(name="pocket")
    size: Size | None = Field(
        None, description="Size to dream at: the longest side, or WIDTHxHEIGHT; by default the photo's own."
    )
    octaves: Octaves = "auto"
    octave_scale: OctaveScale = 1.4
    steps: Annotated[int, Field(ge=0, le=10_000)] = Field(10, description="Steps of ascent in each octave.")
    step_size: StepSize = 0.012
    jitter: Jitter = 16
    shaping: Shaping = "laplacian"
    natural_colour: NaturalColour = 1.2
    headroom: Headroom = 0.1
    equalise: Equalise = True
    resampling: Resampling = "bicubic"
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"
    tile: Tile = "auto"


class ImagineRecipe(AnyRecipe):
    """How a picture of something was made from noise."""

    kind: Literal["imagine"] = "imagine"
    target: Target = Field(
        description="What to picture, in the objective language: a label, a channel, a sum of them ..."
    )
    net: Net = NetUsed(name="pocket")
    size: Size = Field(384, description="Size of the picture: a square's side, or WIDTHxHEIGHT.")
    count: Annotated[int, Field(ge=1, le=64)] = Field(1, description="How many different pictures to make.")
    pick: Annotated[int, Field(ge=1, le=64)] | None = None
    method: Literal["robust", "lucid"] = Field(
        "robust",
        description="How to imagine; lucid is as published in 2017, and of what follows knows steps, rate and decay.",
    )
    diversity: Annotated[float, Field(ge=0, le=100)] = Field(
        2.0, description="How much pictures that are made together are kept unlike one another."
    )
    steps: Annotated[int, Field(ge=1, le=100_000)] = Field(
        96, description="Steps of ascent for the shape; a quarter as many follow for each octave of detail."
    )
    sketches: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="Sketches of each picture, of which the best goes on; 1 for none."
    )
    sketch_steps: Annotated[int, Field(ge=1, le=10_000)] = Field(24, description="Steps of ascent for the sketches.")
    views: Annotated[int, Field(ge=1, le=256)] = Field(
        8, description="Random views of the picture that each step looks at."
    )
    rate: Annotated[float, Field(gt=0, le=10)] = Field(
        0.12, description="How far a step goes, where 1 is the contrast of a photograph."
    )
    decay: Annotated[float, Field(ge=0, le=4)] = Field(
        1.3, description="How much weaker finer waves are drawn: amplitudes fall as frequency to this power."
    )
    zoom: Zoom = Field((0.8, 1.0), description="Least and greatest share of the picture's height in a view.")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(8.0, description="Greatest turn of a view, in degrees.")
    tint: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="How much a view's colours and contrast are changed at random."
    )
    noise: Annotated[float, Field(ge=0, le=1)] = Field(0.08, description="Deviation of the noise added to a view.")
    thin: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of the network's channels that each step leaves out at random."
    )
    natural: Annotated[float, Field(ge=0, le=100)] = Field(
        1.0, description="How much all layers are kept responding as they do to photographs."
    )
    smooth: Annotated[float, Field(ge=0, le=100)] = Field(
        6.0, description="How much neighbouring pixels are kept alike."
    )
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"

    @model_validator(mode="after")
    def _pick_is_one_of_them(self) -> ImagineRecipe:
        if self.pick is not None and self.pick > self.count:
            raise PydanticCustomError(
                "pick", "pick must be at most count, {count}, but is {pick}", {"count": self.count, "pick": self.pick}
            )
        return self


class SheetRecipe(AnyRecipe):
    """How pictures of many things were made from noise, side by side."""

    kind: Literal["sheet"] = "sheet"
    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1, max_length=MOST_ON_SHEET),
        meant(f"a list of 1 to {MOST_ON_SHEET} targets in the objective language"),
    ]
    net: Net = NetUsed(name="pocket")
    size: Size = Field(128, description="Size of each picture: a square's side, or WIDTHxHEIGHT.")
    columns: Annotated[int, Field(ge=1, le=MOST_ON_SHEET)] | Auto = Field(
        "auto", description="Pictures in a row; auto for a sheet that is about square."
    )
    gap: Annotated[int, Field(ge=0, le=256)] = Field(4, description="White pixels between pictures.")
    steps: ShapeSteps = 64
    sketches: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Sketches of each picture of a label, of which the best goes on; 1 for none."
    )
    views: Views = 4
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"
