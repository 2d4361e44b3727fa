"""Recipes: everything that a picture was made from, as one JSON text that every written file carries.

The fields of `DreamRecipe` and `ImagineRecipe` are the only place where a setting's meaning, range and
default are written down: the command line's options, the Python door's keyword arguments and the table in
`docs/recipe.md` are all taken from them. A recipe may be written by hand, leaving out what has a default;
one that phosphene writes has every setting in it, as it was in the end, and lists in `automatic` those that
it chose itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticUndefined, from_json

from phosphene import __version__
from phosphene.errors import RecipeError, SettingError, UnknownNameError
from phosphene.fields import Auto, Exactly, Precision, Seed, Sha256, Size, Target, Tile, Zoom, read_size
from phosphene.settings import meant, must_be, received

VERSION: Final = 1
"""Of the format: it rises when an older phosphene could not render from what a newer one writes."""


class _Part(BaseModel):
    """Frozen, and answers what it does not know with an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetUsed(_Part):
    """The network, by name and by its weights; without a hash, whatever weights bear the name."""

    name: str
    sha256: Sha256 | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class Photo(_Part):
    """A photograph that a dream began with; `path` is relative to the folder of the file that has the recipe.

    One that was handed over as pixels has no path, and its hash is that of the pixels.
    """

    path: str | None = None
    sha256: Sha256 | None = None
    size: Annotated[Exactly | None, BeforeValidator(read_size)] = None


class Noise(_Part):
    """Noise of this size, which a dream began with instead of a photograph."""

    noise: Annotated[Exactly, BeforeValidator(read_size)]


def _which_source(value: object) -> str:
    has_noise = "noise" in value if isinstance(value, Mapping) else isinstance(value, Noise)
    return "noise" if has_noise else "photo"


_PARTS: dict[str, type[_Part]] = {"photo": Photo, "noise": Noise}
Source = Annotated[
    Annotated[Photo, Tag("photo")] | Annotated[Noise, Tag("noise")],
    Discriminator(_which_source),
    meant('{"path": ...} or {"noise": [HEIGHT, WIDTH]}'),
]


Net = Annotated[NetUsed, meant("the name of a net"), Field(description="The network, by name.")]


class _Recipe(_Part):
    """What both kinds of recipe begin with."""

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


class DreamRecipe(_Recipe):
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
    octaves: Annotated[int, Field(ge=1, le=30)] | Auto = Field(
        "auto",
        description="Sizes to dream at, from small to full; auto takes as many as the size has room for.",
    )
    octave_scale: Annotated[float, Field(gt=1, le=4)] = Field(
        1.4, description="How much larger each octave is than the one before."
    )
    steps: Annotated[int, Field(ge=0, le=10_000)] = Field(10, description="Steps of ascent in each octave.")
    step_size: Annotated[float, Field(gt=0, le=1)] = Field(
        0.012, description="How far a step goes, as a share of the range from black to white."
    )
    jitter: Annotated[int, Field(ge=0, le=512)] = Field(
        16,
        description="Largest random shift before each step, in pixels; it hides the network's grid.",
    )
    shaping: Literal["laplacian", "normalise", "blur"] = Field(
        "laplacian", description="How the gradient is shaped before a step."
    )
    natural_colour: Annotated[float, Field(ge=0, le=4)] = Field(
        1.2, description="How much a step keeps to the colours of natural pictures; 0 for not at all."
    )
    headroom: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="Distance to black and white at which a step is halved, lest the dream clip; 0 for as in 2015."
    )
    equalise: bool = Field(
        True, description="Let all channels of a layer count alike; if not, the loud ones rule it, as in 2015."
    )
    resampling: Literal["bicubic", "linear"] = Field(
        "bicubic", description="How octaves are made from one another: bicubic and antialiased, or linear as in 2015."
    )
    seed: Seed = 0
    precision: Precision = "auto"
    tile: Tile = "auto"


class ImagineRecipe(_Recipe):
    """How a picture of something was made from noise."""

    kind: Literal["imagine"] = "imagine"
    target: Target = Field(
        description="What to picture, in the objective language: a label, a channel, a sum of them ..."
    )
    net: Net = NetUsed(name="pocket")
    size: Size = Field(384, description="Size of the picture: a square's side, or WIDTHxHEIGHT.")
    count: Annotated[int, Field(ge=1, le=64)] = Field(1, description="How many different pictures to make.")
    pick: Annotated[int, Field(ge=1, le=64)] | None = None
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
        0.1, description="How far a step goes, where 1 is the contrast of a photograph."
    )
    decay: Annotated[float, Field(ge=0, le=4)] = Field(
        1.2, description="How much weaker finer waves are drawn: amplitudes fall as frequency to this power."
    )
    zoom: Zoom = Field((0.8, 1.0), description="Least and greatest share of the picture's height in a view.")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(8.0, description="Greatest turn of a view, in degrees.")
    tint: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="How much a view's colours and contrast are changed at random."
    )
    noise: Annotated[float, Field(ge=0, le=1)] = Field(0.05, description="Deviation of the noise added to a view.")
    thin: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of the network's channels that each step leaves out at random."
    )
    natural: Annotated[float, Field(ge=0, le=100)] = Field(
        1.0, description="How much all layers are kept responding as they do to photographs."
    )
    smooth: Annotated[float, Field(ge=0, le=100)] = Field(
        5.0, description="How much neighbouring pixels are kept alike."
    )
    seed: Seed = 0
    precision: Precision = "auto"

    @model_validator(mode="after")
    def _pick_is_one_of_them(self) -> ImagineRecipe:
        if self.pick is not None and self.pick > self.count:
            raise PydanticCustomError(
                "pick", "pick must be at most count, {count}, but is {pick}", {"count": self.count, "pick": self.pick}
            )
        return self


Recipe = DreamRecipe | ImagineRecipe
"""Either kind of recipe."""

KINDS: dict[str, type[Recipe]] = {"dream": DreamRecipe, "imagine": ImagineRecipe}


R = TypeVar("R", bound=_Recipe)

_NO_SETTINGS = {"kind", "version", "phosphene", "automatic", "source", "pick"}


def settings_of(kind: type[_Recipe]) -> list[str]:
    """The names of the settings of one kind of recipe, in the order to show them in."""
    return [name for name in kind.model_fields if name not in _NO_SETTINGS]


def ask(kind: type[R], settings: Mapping[str, object], /, **fixed: object) -> R:
    """A recipe of this kind with `settings`, not all of which need be given, and with `fixed` fields.

    >>> ask(ImagineRecipe, {"size": "96x64"}, target="banana").size
    (64, 96)

    Raises:
        UnknownNameError: for a setting that the kind does not have.
        SettingError: for a value out of its range.
    """
    known = settings_of(kind)
    for name in settings:
        if name not in known:
            raise UnknownNameError("setting", name, known, where=f"{kind.model_fields['kind'].default} recipes")
    try:
        return kind.model_validate({**settings, **fixed})
    except ValidationError as problem:
        name, message, value = _first(kind, problem)
        raise SettingError(message, setting=name, value=value) from None


def override(recipe: R, settings: Mapping[str, object], **fixed: object) -> R:
    """The recipe with some settings changed; those that were chosen automatically are to be chosen anew."""
    if not settings and not fixed:
        return recipe
    kept = {name: getattr(recipe, name) for name in type(recipe).model_fields if name not in recipe.automatic}
    kept.update(automatic=(), phosphene=__version__, **fixed)
    if "count" in settings:  # of another number of pictures, no certain one is meant
        kept.pop("pick", None)
    given = {name: kept.pop(name) for name in settings_of(type(recipe)) if name in kept}
    return ask(type(recipe), {**given, **settings}, **kept)


def loads(text: str | bytes, *, path: object = None) -> Recipe:
    """The recipe in a JSON text; `path` is where it stood, for errors.

    Raises:
        RecipeError: with what is wrong first, what was received and what would be right, in one line.
    """
    place = f"the recipe in {path}" if path is not None else "the recipe"
    try:
        data = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError) as problem:  # a TypeError for text that is no Unicode
        raise RecipeError(f"{place} is not JSON: {_one_line(str(problem))}", path=path) from None
    if not isinstance(data, dict):
        raise RecipeError(f"{place} must be a JSON object, but is {received(data)}", path=path)
    version = data.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        raise RecipeError(
            f"{place} is of version {received(version)}, but this phosphene ({__version__}) reads up to "
            f"version {VERSION}: install a newer phosphene",
            path=path,
        )
    name = data.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        state = "is missing" if name is None else f"is {received(name)}"
        raise RecipeError(f"kind in {place} must be {' or '.join(map(repr, KINDS))}, but {state}", path=path)
    kind = KINDS[name]
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as problem:
        _, message, _ = _first(kind, problem)
        raise RecipeError(f"{place} is broken: {message}", path=path) from None


def dumps(recipe: Recipe) -> str:
    """The recipe as JSON, with every field written out; `loads` gives the same recipe back."""
    text = recipe.model_dump_json(indent=2)
    return re.sub(r"\[\n *(\d+),\n *(\d+)\n *\]", r"[\1, \2]", text)  # sizes; no string holds a line's end


def of_each(recipe: Recipe) -> list[Recipe]:
    """The recipe of each picture that a recipe makes: each says which of several it is."""
    if isinstance(recipe, DreamRecipe) or recipe.count == 1 or recipe.pick is not None:
        return [recipe]
    return [recipe.model_copy(update={"pick": i + 1}) for i in range(recipe.count)]


def beside(recipe: R, folder: str | os.PathLike[str]) -> R:
    """The recipe with the photograph's path relative to `folder`, where the file that carries it will be."""
    if not isinstance(recipe, DreamRecipe) or not isinstance(recipe.source, Photo) or recipe.source.path is None:
        return recipe
    try:
        path = os.path.relpath(recipe.source.path, folder)
    except ValueError:  # on another drive
        return recipe
    source = recipe.source.model_copy(update={"path": PurePath(path).as_posix()})
    return recipe.model_copy(update={"source": source})


def _first(kind: type[_Recipe], problem: ValidationError) -> tuple[str, str, object]:
    """The first thing that is wrong: the field, a sentence on it, and what was received."""
    error = problem.errors(include_url=False, include_context=False)[0]
    name, field, value = "", None, error["input"]
    fields: Mapping[str, FieldInfo] = kind.model_fields
    for part in error["loc"]:  # the way to the field, between which pydantic names the alternatives that it tried
        if part in fields:
            name, field = f"{name}.{part}".lstrip("."), fields[str(part)]
            fields = NetUsed.model_fields if part == "net" else {}
        elif part in _PARTS:
            fields = _PARTS[str(part)].model_fields
    if error["type"] == "extra_forbidden":
        unknown = str(error["loc"][-1])
        return unknown, str(UnknownNameError("field", unknown[:80], fields, where=name)), value
    if error["type"] == "missing":
        missing = str(error["loc"][-1])
        return name or missing, f"{name or missing} is missing", None
    if field is None:
        return "", _one_line(error["msg"]), value
    return name, f"{name} must be {must_be(field)}, but is {received(value)}", value


def _one_line(text: str) -> str:
    return " ".join(text.split())


def default_of(kind: type[_Recipe], name: str) -> Any:
    """A setting's default; None where there is none, or where it depends on something else."""
    value = kind.model_fields[name].get_default()
    return value.name if isinstance(value, NetUsed) else None if value is PydanticUndefined else value
