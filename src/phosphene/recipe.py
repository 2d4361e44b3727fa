"""Recipes: everything that a picture was made from, as one JSON text that every written file carries.

The fields of the kinds (`DreamRecipe` and `ImagineRecipe` here, those of films in `phosphene.films`) are the only
place where a setting's meaning, range and default are written down: the command line's options, the Python
doors' keyword arguments and the tables in `docs/recipe.md` are all taken from them. A recipe may be written by hand,
leaving out what has a default; one that phosphene writes has every setting in it, as it was in the end, and lists
in `automatic` those that it chose itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticUndefined, from_json

from phosphene import __version__
from phosphene.errors import RecipeError, SettingError, UnknownNameError
from phosphene.fields import (
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
from phosphene.films import Clip, FilmRecipe, MorphRecipe, VideoRecipe, ZoomRecipe
from phosphene.parts import PARTS, VERSION, AnyRecipe, Net, NetUsed, Noise, Photo, Source, settings_of
from phosphene.settings import meant, must_be, received

__all__ = [
    "KINDS",
    "VERSION",
    "Clip",
    "DreamRecipe",
    "ImagineRecipe",
    "MorphRecipe",
    "NetUsed",
    "Noise",
    "Photo",
    "R",
    "Recipe",
    "SheetRecipe",
    "VideoRecipe",
    "ZoomRecipe",
    "ask",
    "beside",
    "default_of",
    "dumps",
    "loads",
    "of_each",
    "override",
    "settings_of",
]

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


Recipe = DreamRecipe | ImagineRecipe | SheetRecipe | FilmRecipe
"""Any kind of recipe."""

KINDS: dict[str, type[Recipe]] = {
    "dream": DreamRecipe,
    "imagine": ImagineRecipe,
    "sheet": SheetRecipe,
    "zoom": ZoomRecipe,
    "morph": MorphRecipe,
    "video": VideoRecipe,
}


R = TypeVar("R", bound=AnyRecipe)


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
    if not isinstance(recipe, ImagineRecipe) or recipe.count == 1 or recipe.pick is not None:
        return [recipe]
    return [recipe.model_copy(update={"pick": i + 1}) for i in range(recipe.count)]


def beside(recipe: R, folder: str | os.PathLike[str]) -> R:
    """The recipe with its photograph's or clip's path relative to `folder`, where the file that carries it will be."""
    source = getattr(recipe, "source", None)  # not every kind of recipe begins with a file
    if not isinstance(source, Photo | Clip) or source.path is None:
        return recipe
    try:
        path = os.path.relpath(source.path, folder)
    except ValueError:  # on another drive
        return recipe
    return recipe.model_copy(update={"source": source.model_copy(update={"path": PurePath(path).as_posix()})})


def _first(kind: type[AnyRecipe], problem: ValidationError) -> tuple[str, str, object]:
    """The first thing that is wrong: the field, a sentence on it, and what was received."""
    error = problem.errors(include_url=False, include_context=False)[0]
    name, field, value = "", None, error["input"]
    fields: Mapping[str, FieldInfo] = kind.model_fields
    for part in error["loc"]:  # the way to the field, between which pydantic names the alternatives that it tried
        if part in fields:
            name, field = f"{name}.{part}".lstrip("."), fields[str(part)]
            fields = NetUsed.model_fields if part == "net" else {}
        elif part in PARTS:
            fields = PARTS[str(part)].model_fields
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


def default_of(kind: type[AnyRecipe], name: str) -> Any:
    """A setting's default; None where there is none, or where it depends on something else."""
    value = kind.model_fields[name].get_default()
    return value.name if isinstance(value, NetUsed) else None if value is PydanticUndefined else value
