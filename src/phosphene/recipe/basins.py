"""The recipe of a network's own map of the plane between three pictures."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from phosphene.recipe.base import BaseRecipe, Model, NetworkRecipe
from phosphene.recipe.fields import SizeField, Target
from phosphene.recipe.settings import meant

Path = Annotated[str, Field(min_length=1, max_length=4096)]


class BasinsSettings(Model):
    """How the plane is iterated and shown."""

    size: SizeField = Field((96, 128), description="Size of the picture in points: a square's side, or WIDTHxHEIGHT.")
    side: Annotated[int, Field(ge=16, le=1024)] = Field(
        64, description="Side in pixels at which the network sees the mixtures of the pictures."
    )
    iterations: Annotated[int, Field(ge=1, le=1000)] = Field(16, description="Steps of dreaming from each point.")
    reach: Annotated[float, Field(gt=0, le=10)] = Field(
        0.1, description="Length of an average first step, where the distance between two pictures is 1."
    )
    settled: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.03, description="Length of a step, in the same measure, at which a point has settled."
    )
    palette: Path = Field(
        "dusk", description="Colours: dusk, ember, moss, ice, ink, or the path of a picture to take them from."
    )


class _BasinsBase(NetworkRecipe):
    not_settings: ClassVar[frozenset[str]] = BaseRecipe.not_settings | {"corners"}

    kind: Literal["basins"] = "basins"
    corners: Annotated[
        tuple[Path, ...], Field(min_length=3, max_length=3), meant("a list of the paths of three pictures")
    ]
    target: Target | None = Field(
        None, description="What steps bring out, in the objective language; by default what suits the network best."
    )


class BasinsRecipe(BasinsSettings, _BasinsBase):
    """How a network's map of the plane between three pictures was made; `guides` has the hashes of the pictures."""
