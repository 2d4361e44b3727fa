"""The recipe of what a network sees in a cloud."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from phosphene.recipe.base import Model, NetworkRecipe, PhotoOrNoise
from phosphene.recipe.fields import Headroom, Jitter, NaturalColour, Rate, SizeField, StepSize


class CloudSettings(Model):
    """How readings grow out of a picture."""

    regions: Annotated[int, Field(ge=1, le=12)] = Field(
        3, description="Regions along the longer side, each of which is read by itself; they overlap by half."
    )
    rounds: Annotated[int, Field(ge=1, le=1000)] = Field(
        8, description="Times that each region is read, and its best reading becomes what grows there."
    )
    steps: Annotated[int, Field(ge=1, le=1000)] = Field(6, description="Steps of ascent in each round.")
    step_size: StepSize = 0.01
    jitter: Jitter = 16
    natural_colour: NaturalColour = 1.2
    headroom: Headroom = 0.1
    captions: bool = Field(True, description="Write the readings beside the picture.")
    fps: Rate | None = Field(
        None, description="Frames per second of a film, which has a frame for each step; by default a picture."
    )


class _CloudBase(NetworkRecipe):
    kind: Literal["cloud"] = "cloud"
    source: PhotoOrNoise
    size: SizeField = Field(512, description="Size of the picture: its longest side, or WIDTHxHEIGHT.")


class CloudRecipe(CloudSettings, _CloudBase):
    """How a network's readings grew out of a picture."""
