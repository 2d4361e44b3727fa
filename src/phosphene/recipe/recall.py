"""The recipe of the film of a network's learning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from phosphene.recipe.base import BaseRecipe, FileSource
from phosphene.recipe.fields import Device, Precision, Rate, Seed, SizeField
from phosphene.recipe.settings import meant


class Run(FileSource):
    """The folder NAME.run that learn leaves beside NAME.pt2: the network as it was after some of its steps."""


class RecallSettings(BaseRecipe):
    """How a film of learning is made."""

    kind: Literal["recall"] = "recall"
    size: SizeField = Field(96, description="Size of each picture: a square's side, or WIDTHxHEIGHT.")
    steps: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Steps that the pictures take in each frame; more follow the network more closely."
    )
    views: Annotated[int, Field(ge=1, le=64)] = Field(4, description="Random views of a picture that each step scores.")
    rate: Annotated[float, Field(gt=0, le=10)] = Field(
        0.05, description="How far a step goes, where 1 is the contrast of a photograph."
    )
    fade: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.04, description="How much the pictures fade with each step, so that what the network no longer means leaves."
    )
    most: Annotated[int, Field(ge=1, le=100)] = Field(25, description="The most classes that are shown.")
    fps: Rate = Field("12", description="Frames per second of the film.")
    captions: bool = Field(True, description="Write the classes, the step and the accuracy beside the pictures.")
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"


class RecallRecipe(RecallSettings):
    """How a film of a network's learning was made."""

    source: Annotated[Run, meant('{"path": ...}')]
