"""The types of a recipe's fields: what each may be, and how it is read from text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from phosphene.errors import SettingError
from phosphene.recipe.keyframes import read_keys, read_track
from phosphene.recipe.settings import meant

MOST_OCTAVES = 1000
"""More than any picture has at the smallest useful octave scale; also the most that `auto` chooses."""

_LONGEST_SIDE = 100_000
_LARGEST_SEED = 2**32 - 1
_HIGHEST_RATE = 1000
_RATE = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,9}/0*[1-9]\d{0,8}")


def read_size(value: object) -> object:
    """Read a size: "1024" is the longest side, "1024x768" is width x height; return other values unchanged.

    >>> read_size("1024x768")
    (768, 1024)
    """
    if isinstance(value, list):  # as JSON has it
        return tuple(value)
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[x×]\s*(\d{1,9})\s*)?", value) if isinstance(value, str) else None
    if match is None:
        return value
    width, height = match.groups()
    return int(width) if height is None else (int(height), int(width))


def read_span(value: object) -> object:
    """Read two numbers, "0.7-1"; return other values unchanged.

    >>> read_span("0.7-1")
    (0.7, 1.0)
    """
    if isinstance(value, list):
        return tuple(value)
    match = re.fullmatch(r"\s*([\d.]{1,9})\s*-\s*([\d.]{1,9})\s*", value) if isinstance(value, str) else None
    return value if match is None else tuple(map(float, match.groups()))


def read_numbers(value: object) -> object:
    """Read numbers separated by commas, "0,0.5,1"; return other values unchanged.

    >>> read_numbers("0,0.5,1")
    (0.0, 0.5, 1.0)
    """
    if isinstance(value, list):
        return tuple(value)
    return tuple(map(float, value.split(","))) if isinstance(value, str) else value


Side = Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
PixelSize = Annotated[tuple[Side, Side], meant("WIDTHxHEIGHT or [height, width] in pixels", "WIDTHxHEIGHT")]
SizeField = Annotated[
    PixelSize | Annotated[Side, meant("the longest side in pixels", "INTEGER")], BeforeValidator(read_size)
]
Auto = Literal["auto"]
_Share = Annotated[float, Field(gt=0, le=4)]
Zoom = Annotated[tuple[_Share, _Share], BeforeValidator(read_span), meant("LEAST-GREATEST, as 0.7-1", "LEAST-GREATEST")]
_Count = Annotated[int, Field(ge=1, le=MOST_OCTAVES)]
Octaves = Annotated[
    _Count | Auto,
    Field(description="Sizes to dream at, from small to full; auto uses as many as fit the size."),
]
OctaveScale = Annotated[float, Field(gt=1, le=4, description="How much larger each octave is than the one before.")]
StepSize = Annotated[
    float, Field(gt=0, le=1, description="How far a step goes, as a share of the range from black to white.")
]
ShapeSteps = Annotated[
    int,
    Field(
        ge=1,
        le=100_000,
        description="Steps of ascent for the shape; a quarter as many follow for each octave of detail.",
    ),
]
Sketches = Annotated[
    int,
    Field(ge=1, le=64, description="Sketches of each picture, the best of which is continued; 1 for none."),
]
Views = Annotated[int, Field(ge=1, le=256, description="Random views of the picture that each step scores.")]
Jitter = Annotated[
    int,
    Field(ge=0, le=512, description="Largest random shift before each step, in pixels; it hides the network's grid."),
]
Margin = Annotated[
    int,
    Field(
        ge=0,
        le=512,
        description="Pixels of the picture, mirrored, that the network sees beyond each edge, at least as many as "
        "jitter; 0 shows it the opposite edge (the 2015 behaviour), which leaves a faint frame.",
    ),
]
Shaping = Annotated[
    Literal["laplacian", "normalise", "blur"], Field(description="How the gradient is shaped before each step.")
]
NaturalColour = Annotated[
    float,
    Field(ge=0, le=4, description="How much a step keeps to the colours of natural pictures; 0 for not at all."),
]
Headroom = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Distance from black and white at which steps are halved, to avoid clipping; 0 disables it (the "
        "2015 behaviour).",
    ),
]
Equalise = Annotated[
    bool,
    Field(description="Weigh all channels of a layer equally; otherwise the strongest dominate (the 2015 behaviour)."),
]
Resampling = Annotated[
    Literal["bicubic", "linear"],
    Field(description="How octaves are resized: bicubic with antialiasing, or linear (the 2015 behaviour)."),
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), meant("64 hexadecimal digits")]
Target = Annotated[str, Field(min_length=1)]
Seed = Annotated[
    int,
    Field(
        ge=0,
        le=_LARGEST_SEED,
        description="Seed of all randomness: the same seed gives the same result.",
    ),
]
Precision = Annotated[
    Literal["auto", "bfloat16", "float16", "float32"],
    Field(description="Number format of the network; auto uses 16 bits where the hardware is faster with them."),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Field(description="Where the network runs; auto uses a graphics card if there is one."),
]
TileField = Annotated[
    Annotated[int, Field(ge=0, le=_LONGEST_SIDE)] | Auto,
    Field(description="Side in pixels of the tiles of a large canvas; 0 disables tiles, auto keeps a memory budget."),
]
_SYMMETRY = re.compile(r"mirror|rotate:([2-9]|1[0-9]|2[0-4])|p4m|p6m")


def _written(value: object) -> object:
    """Return a number that was given for a text as text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_rate(text: str) -> str:
    # Checked by its form first: a fraction of numbers with millions of digits would take minutes to compute.
    if not _RATE.fullmatch(text.strip()) or not 0 < Fraction(text) <= _HIGHEST_RATE:
        raise ValueError("out of range")
    return text


def _is_symmetry(text: str) -> str:
    if not _SYMMETRY.fullmatch(text):
        raise ValueError("no symmetry")
    return text


def _is_track(numbers: int, above: float) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            values = read_track(text, numbers).values
        except SettingError as problem:
            raise ValueError(str(problem)) from None
        if not all(number > above for value in values for number in value):
            raise ValueError("out of range")
        return text

    return check


def _are_weights(text: str) -> str:
    try:
        first = read_keys(text).values[0]
        values = read_track(text, first.count(",") + 1).values
    except SettingError as problem:
        raise ValueError(str(problem)) from None
    if not all(min(value) >= 0 and max(value) > 0 for value in values):
        raise ValueError("out of range")
    return text


Symmetry = Annotated[
    Annotated[
        str,
        AfterValidator(_is_symmetry),
        meant("mirror, rotate:N with N from 2 to 24, p4m or p6m", "mirror|rotate:N|p4m|p6m"),
    ]
    | None,
    Field(
        description="Kaleidoscope: mirror left and right, rotate:N for N equal sectors, or the wallpaper groups p4m "
        "and p6m."
    ),
]
Tileable = Annotated[
    bool, Field(description="Make a wallpaper tile: opposite edges join without a seam, so that the picture repeats.")
]
Rate = Annotated[
    str,
    BeforeValidator(_written),
    AfterValidator(_is_rate),
    meant("frames a second, above 0 and up to 1000, as 30 or 30000/1001", "NUMBER"),
]
Speed = Annotated[
    str,
    BeforeValidator(_written),
    AfterValidator(_is_track(1, above=0)),
    meant('a number above 0, or keys as in "0s: 1.3; 4s: 1"', "NUMBER|KEYS"),
]
Spin = Annotated[
    str,
    BeforeValidator(_written),
    AfterValidator(_is_track(1, above=-math.inf)),
    meant('a number, or keys as in "0s: 5; 4s: -5"', "NUMBER|KEYS"),
]
Drift = Annotated[
    str,
    AfterValidator(_is_track(2, above=-math.inf)),
    meant('two numbers, or keys as in "0s: 0,0; 4s: 0.1,-0.05"', "X,Y|KEYS"),
]
ChannelDropout = Annotated[
    float, Field(ge=0, lt=1, description="Share of the network's channels that each step drops at random.")
]
GridWeights = Annotated[
    Annotated[
        tuple[float, ...],
        Field(min_length=1, max_length=16),
        BeforeValidator(read_numbers),
        meant("numbers", "X,Y,..."),
    ]
    | None,
    Field(
        description="Picture sums of two targets, each with each of these weights: the first target's from left to "
        "right, the second's from top to bottom, with captions."
    ),
]
Without = Annotated[
    Annotated[str, Field(min_length=1), meant("channels, as mixed4c:13 or mixed4c:0..15", "LAYER:CHANNEL,...")] | None,
    Field(description="Channels that are left out of the network: 0 everywhere; several are separated by commas."),
]
Factor = Annotated[
    str,
    BeforeValidator(_written),
    AfterValidator(_is_track(1, above=0)),
    meant('a number above 0, or keys as in "0s: 0.5; 4s: 2"', "NUMBER|KEYS"),
]
Intensity = Annotated[
    Factor,
    Field(
        description="How strongly each frame is dreamt on, as a factor of step_size; with a sound a number is "
        "multiplied by its loudness and onsets."
    ),
]
Weights = Annotated[
    Annotated[
        str,
        AfterValidator(_are_weights),
        meant('a number from 0 for each target, or keys as in "0s: 1,0; 4s: 0.5,1"', "X,Y,...|KEYS"),
    ]
    | None,
    Field(
        description="Weights of the targets that are joined by |; by default all alike, or with a sound by how "
        "loud it is in as many bands, the first target for the lowest."
    ),
]
