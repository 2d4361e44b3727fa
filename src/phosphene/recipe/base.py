"""The parts that every kind of recipe shares, and which of a recipe's fields are settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from phosphene import __version__
from phosphene.recipe.fields import Auto, Device, PixelSize, Precision, Seed, Sha256, read_size
from phosphene.recipe.settings import meant

VERSION: Final = 3
"""Version of what a recipe's numbers mean, and of its defaults; version 1 (phosphene 0.1.0) is rendered with its own
arithmetic, and what recipes before version 3 leave out has the defaults of that time (`recipe.earlier`)."""

DEFAULT_NET: Final = "lite"
"""The network where none is named."""


class Model(BaseModel):
    """Frozen; answers unknown fields with an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetUsed(Model):
    """The network, by name and by its weights; without a hash, any weights of that name will do.

    `statistics` is the hash of the activation statistics that the user had measured for it, if there were some.
    """

    name: str
    sha256: Sha256 | None = None
    statistics: Sha256 | None = None

    @model_serializer(mode="wrap")
    def _without_empty(self, write: Callable[[Any], Any]) -> dict[str, Any]:
        fields: dict[str, Any] = write(self)
        return {name: value for name, value in fields.items() if name != "statistics" or value is not None}

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


def read_nets(value: object) -> object:
    """Read names separated by commas, or "none", or a list as JSON has it; return other values unchanged."""
    if isinstance(value, str) and value != "auto":
        value = [] if value.strip() == "none" else [name.strip() for name in value.split(",")]
    return tuple(map(NetUsed.model_validate, value)) if isinstance(value, list | tuple) else value


Ensemble = Annotated[
    Annotated[tuple[NetUsed, ...], meant("names of networks separated by commas, or none", "NET,...|none")] | Auto,
    BeforeValidator(read_nets),
]
ENSEMBLE = (
    "Further networks that score pictures of labels together with net; auto for those that suit it, none for net alone."
)


class FileSource(Model):
    """A file that the work began with; `path` is relative to the folder of the file that has the recipe."""

    path: str | None = None
    sha256: Sha256 | None = None


class Photo(FileSource):
    """A photograph. One that was given as pixels has no path, and its hash is that of the pixels."""

    size: Annotated[PixelSize | None, BeforeValidator(read_size)] = None


class Noise(Model):
    """Noise of this size, which the work began with instead of a photograph."""

    noise: Annotated[PixelSize, BeforeValidator(read_size)]


class ClipFile(FileSource):
    """A video file."""


def read_file(value: object) -> object:
    """Read the path of a file; return other values unchanged."""
    return FileSource(path=os.fspath(value)) if isinstance(value, str | os.PathLike) else value


Mask = Annotated[
    Annotated[FileSource, meant("the path of a picture", "FILE")] | None,
    BeforeValidator(read_file),
    Field(
        description="Picture that says where to dream and how strongly: white fully, grey less, black not at all; it "
        "has the photo's proportions."
    ),
]


SoundToFollow = Annotated[
    Annotated[FileSource, meant("the path of a file with sound", "FILE")] | None,
    BeforeValidator(read_file),
    Field(
        description="Sound that the film follows and has: its loudness, onsets and bands become keyframes, which the "
        "recipe has."
    ),
]


def _which_source(value: object) -> str:
    has_noise = "noise" in value if isinstance(value, Mapping) else isinstance(value, Noise)
    return "noise" if has_noise else "photo"


SOURCES: dict[str, type[Model]] = {"photo": Photo, "noise": Noise}
PhotoOrNoise = Annotated[
    Annotated[Photo, Tag("photo")] | Annotated[Noise, Tag("noise")],
    Discriminator(_which_source),
    meant('{"path": ...} or {"noise": [HEIGHT, WIDTH]}'),
]

_FIRST = ("target", "net", "size", "count", "seconds")
_LAST = ("seed", "precision", "device", "tile")
"""Settings that are shown before and after the others."""


class BaseRecipe(Model):
    """The fields that every kind of recipe has.

    `automatic` lists the settings that phosphene chose because they were left to it.
    """

    old_names: ClassVar[Mapping[str, str]] = {}
    """Names that fields had in earlier releases; they are still accepted."""

    not_settings: ClassVar[frozenset[str]] = frozenset(
        {"kind", "version", "phosphene", "automatic", "guides", "source", "pick"}
    )
    """Fields that are not settings: they cannot be given as options."""

    reset_by: ClassVar[Mapping[str, str]] = {}
    """Fields that lose their value when another setting changes."""

    kind: str
    version: Literal[1, 2, 3] = VERSION
    phosphene: str = __version__
    automatic: Annotated[tuple[str, ...], meant("a list of settings")] = ()

    def pictures(self) -> Sequence[Any]:
        """Return the recipe of each picture that this one makes."""
        return [self]

    @field_validator("automatic")
    @classmethod
    def _automatic_are_settings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= set(settings_of(cls)):
            raise ValueError("not a setting")
        return names


class NetworkRecipe(BaseRecipe):
    """A recipe of work that a network does. `guides` has the SHA-256 of each picture that its targets name."""

    net: Annotated[NetUsed, meant("the name of a net"), Field(description="The network, by name.")] = NetUsed(
        name=DEFAULT_NET
    )
    guides: Annotated[dict[str, Sha256], meant("an object of paths and hashes")] = Field(default_factory=dict)
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"

    def networks(self) -> Sequence[NetUsed]:
        """Return the networks that the work is known to need."""
        return [self.net]


class EnsembleRecipe(NetworkRecipe):
    """A recipe of work that several networks may do together."""

    ensemble: Ensemble = Field("auto", description=ENSEMBLE)

    def networks(self) -> Sequence[NetUsed]:
        """Return the networks that the work is known to need."""
        return [self.net, *(() if self.ensemble == "auto" else self.ensemble)]


def settings_of(kind: type[BaseRecipe]) -> list[str]:
    """List the names of the settings of one kind of recipe, in the order to show them in."""
    names = [name for name in kind.model_fields if name not in kind.not_settings]
    last = [name for name in _LAST if name in names]
    first = [name for name in _FIRST if name in names]
    return [*first, *(name for name in names if name not in first and name not in last), *last]
