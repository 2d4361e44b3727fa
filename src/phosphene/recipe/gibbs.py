"""The recipe of a Boltzmann machine's dream."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from phosphene.recipe.base import BaseRecipe, NetUsed
from phosphene.recipe.fields import Rate, Seed, SizeField
from phosphene.recipe.settings import meant


class GibbsRecipe(BaseRecipe):
    """How a Boltzmann machine dreamt: by Gibbs chains, which draw what is hidden and what is seen in turn."""

    kind: Literal["gibbs"] = "gibbs"
    net: Annotated[
        NetUsed, meant("a file of learn --model rbm", "FILE"), Field(description="The machine, a .rbm file.")
    ]
    size: SizeField = Field(96, description="Size of each picture: a square's side, or WIDTHxHEIGHT.")
    count: Annotated[int, Field(ge=1, le=400)] = Field(25, description="How many chains wander side by side.")
    seconds: Annotated[float | None, Field(gt=0, le=3600)] = Field(
        None, description="Length of a film of the chains as they wander; by default a picture of where they are."
    )
    sweeps: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        200, description="Sweeps before the picture, or before the first frame."
    )
    every: Annotated[int, Field(ge=1, le=10_000)] = Field(1, description="Sweeps from frame to frame.")
    known: str | None = Field(None, description="A picture, half of which is given; the chains complete the rest.")
    half: Literal["left", "right", "top", "bottom"] = Field("left", description="The half that is given.")
    fps: Rate = Field("12", description="Frames per second of a film.")
    seed: Seed = 0
