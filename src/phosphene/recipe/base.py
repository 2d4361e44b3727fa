"""What recipes are made of: the parts that all kinds of them share, and which of their fields are settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from phosphene import __version__
from phosphene.recipe.fields import Exactly, Sha256, read_size
from phosphene.recipe.settings import meant

VERSION: Final = 1
"""Of the format: it rises when an older phosphene could not render from what a newer one writes."""


class Part(BaseModel):
    """Frozen, and answers what it does not know with an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetUsed(Part):
    """The network, by name and by its weights; without a hash, whatever weights bear the name."""

    name: str
    sha256: Sha256 | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class Photo(Part):
    """A photograph that a dream began with; `path` is relative to the folder of the file that has the recipe.

    One that was handed over as pixels has no path, and its hash is that of the pixels.
    """

    path: str | None = None
    sha256: Sha256 | None = None
    size: Annotated[Exactly | None, BeforeValidator(read_size)] = None


class Noise(Part):
    """Noise of this size, which a dream began with instead of a photograph."""

    noise: Annotated[Exactly, BeforeValidator(read_size)]


def _which_source(value: object) -> str:
    has_noise = "noise" in value if isinstance(value, Mapping) else isinstance(value, Noise)
    return "noise" if has_noise else "photo"


PARTS: dict[str, type[Part]] = {"photo": Photo, "noise": Noise}
Source = Annotated[
    Annotated[Photo, Tag("photo")] | Annotated[Noise, Tag("noise")],
    Discriminator(_which_source),
    meant('{"path": ...} or {"noise": [HEIGHT, WIDTH]}'),
]


Net = Annotated[NetUsed, meant("the name of a net"), Field(description="The network, by name.")]


class AnyRecipe(Part):
    """What all kinds of recipe begin with."""

    kind: str
    version: Literal[1] = VERSION
    phosphene: str = __version__
    automatic: Annotated[tuple[str, ...], meant("a list of settings")] = ()

    @field_validator("automatic")
    @classmethod
    def _automatic_are_settings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= set(settings_of(cls)):
            raise ValueError("not a setting")
        return names


_NO_SETTINGS = {"kind", "version", "phosphene", "automatic", "source", "pick", "ideas", "targets"}


def settings_of(kind: type[AnyRecipe]) -> list[str]:
    """The names of the settings of one kind of recipe, in the order to show them in."""
    return [name for name in kind.model_fields if name not in _NO_SETTINGS]
