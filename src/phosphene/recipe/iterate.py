"""The recipe of pictures and films of formulas; its fields state each setting's meaning, range and default."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phosphene.recipe.base import BaseRecipe, Model
from phosphene.recipe.fields import Auto, Rate, Seed, Sha256, SizeField
from phosphene.recipe.settings import meant

_PLACE = re.compile(r"\s*([+-]?\d{0,4}(?:\.\d{0,1000})?)\s*,\s*([+-]?\d{0,4}(?:\.\d{0,1000})?)\s*")

NARROWEST = 1e-280
"""Width of the narrowest picture: differences of points have to be numbers in double precision."""


def place_of(text: str) -> tuple[str, str]:
    """Return the two decimal numbers of a place, "X,Y", as text; raise ValueError for anything else.

    >>> place_of("-0.75, .1")
    ('-0.75', '.1')
    """
    match = _PLACE.fullmatch(text)
    if match is None or not all(re.search(r"\d", part) for part in match.groups()):
        raise ValueError("no place")
    return match[1], match[2]


def _is_place(text: str) -> str:
    if text != "auto":
        place_of(text)
    return text


def read_trap(value: object) -> object:
    """Read a rectangle, "X,Y,WIDTH"; return other values unchanged.

    >>> read_trap("0,0.5,2")
    (0.0, 0.5, 2.0)
    """
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str):
        return value
    try:
        return tuple(map(float, value.split(",")))
    except ValueError:
        return value


Place = Annotated[str, AfterValidator(_is_place), meant("X,Y, two decimal numbers, or auto", "X,Y|auto")]
Width = Annotated[float, Field(ge=NARROWEST, le=1e6)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
TrapAt = Annotated[
    tuple[Coordinate, Coordinate, Width],
    BeforeValidator(read_trap),
    meant("X,Y,WIDTH: the trap's centre and width", "X,Y,WIDTH"),
]


class IterateSettings(Model):
    """How a formula is iterated and shown."""

    size: SizeField = Field((768, 1024), description="Size of the picture: a square's side, or WIDTHxHEIGHT.")
    centre: Place = Field("auto", description="The middle of the picture in the plane, in as many digits as it takes.")
    width: Width | Auto = Field(
        "auto", description="Width of the picture in the plane; auto shows everything that stays for a while."
    )
    turn: Annotated[float, Field(ge=-360, le=360)] = Field(
        0.0, description="Degrees by which the picture is turned, anticlockwise."
    )
    zoom: Width | None = Field(
        None, description="Make a film that moves in until the picture is this wide, as 1e-13; the centre is its end."
    )
    seconds: Annotated[float, Field(gt=0, le=36_000)] = Field(20.0, description="Length of the film.")
    fps: Rate = Field("30", description="Frames per second of the film.")
    iterations: Annotated[int, Field(ge=1, le=10_000_000)] | Auto = Field(
        "auto", description="The most applications of the formula; auto until hardly any more points leave."
    )
    bailout: Annotated[float, Field(ge=2, le=1e100)] = Field(
        1000.0, description="Distance from 0 beyond which a point has escaped."
    )
    until: Literal["auto", "escape", "settle"] = Field(
        "auto", description="What is told of a point: when it escapes or settles; auto settles for newton."
    )
    plot: Literal["points", "orbits"] = Field(
        "points",
        description="Colour each point by what becomes of it, or show how often orbits pass: of all that stay, or "
        "where the plane's points are parameters, of those that escape (Buddhabrot).",
    )
    samples: Annotated[float, Field(gt=0, le=100_000)] = Field(
        30.0, description="How often orbits pass a pixel on average, with orbits."
    )
    palette: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        "dusk", description="Colours: dusk, ember, moss, ice, ink, or the path of a picture to take them from."
    )
    cycles: Annotated[float, Field(ge=0, le=1000)] = Field(
        1.5, description="How often the palette comes round while the count grows tenfold."
    )
    offset: Annotated[float, Field(ge=-1, le=1)] = Field(0.0, description="Where the palette begins, as a share of it.")
    light: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="How strongly slopes are lit.")
    trap: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        None, description="The path of a picture that catches points: each shows where it is hit first (orbit trap)."
    )
    trap_at: TrapAt = Field((0.0, 0.0, 1.0), description="Where the trap is in the plane, and how wide.")
    supersample: Annotated[int, Field(ge=1, le=8)] = Field(
        2, description="Points along each side of a pixel, whose colours are averaged."
    )
    seed: Seed = 0


class _IterateBase(BaseRecipe):
    kind: Literal["iterate"] = "iterate"
    formula: Annotated[str, Field(min_length=1)] = Field(description="What is applied again and again.")
    guides: Annotated[dict[str, Sha256], meant("an object of paths and hashes")] = Field(default_factory=dict)


class IterateRecipe(IterateSettings, _IterateBase):
    """How a picture or film of a formula was made. `guides` has the SHA-256 of its palette's and trap's pictures."""
