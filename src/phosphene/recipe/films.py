"""The recipes of films: trips, morphs and dreamt clips. As for pictures, their fields are the only place where a
setting's meaning, range and default are written down."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from phosphene.recipe.base import AnyRecipe, Net, NetUsed, Part, Source
from phosphene.recipe.fields import (
    Device,
    Drift,
    Equalise,
    Headroom,
    Jitter,
    NaturalColour,
    Octaves,
    OctaveScale,
    Precision,
    Rate,
    Resampling,
    Seed,
    Sha256,
    ShapeSteps,
    Shaping,
    Size,
    Speed,
    Spin,
    StepSize,
    Target,
    Tile,
    Views,
)
from phosphene.recipe.settings import meant

LONGEST = 36_000
"""Seconds of the longest film that is made from nothing, ten hours."""

Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
_TARGET = (
    'What to bring out, in the objective language, always or by keys ("0s: mixed3b; 6s: mixed4c; 12s: goldfish"); '
    "by default what suits the network best."
)


class ZoomRecipe(AnyRecipe):
    """How a trip into a photograph, or into noise, was made: each frame the dream of the last one, moved."""

    kind: Literal["zoom"] = "zoom"
    source: Source
    target: Target | None = Field(None, description=_TARGET)
    net: Net = NetUsed(name="pocket")
    size: Size | None = Field(
        None,
        description="Size of the film: the longest side, or WIDTHxHEIGHT; by default its source's, at most 640.",
    )
    seconds: Seconds = Field(20.0, description="How long the film is.")
    fps: Rate = Field("30", description="Frames a second.")
    speed: Speed = Field("1.3", description="How many times larger things grow within a second; below 1 to go out.")
    spin: Spin = Field("4", description="Degrees that the picture turns within a second, anticlockwise.")
    drift: Drift = Field(
        "0,0", description="How far the camera moves to the right and down within a second, as shares of the picture."
    )
    loop: bool = Field(False, description="Lead the last frame to the first, so that the film can be repeated.")
    level: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2,
        description="How much sharpness, contrast and colours are brought back to the first ones in each frame.",
    )
    octaves: Octaves = "auto"
    octave_scale: OctaveScale = 1.6
    steps: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Steps of ascent in each octave of a frame.")
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


class MorphRecipe(AnyRecipe):
    """How a film from one idea to the next was made."""

    kind: Literal["morph"] = "morph"
    ideas: Annotated[
        tuple[Target, ...],
        Field(min_length=2, max_length=64),
        meant("a list of 2 to 64 targets in the objective language"),
    ]
    net: Net = NetUsed(name="pocket")
    size: Size = Field(384, description="Size of the film: a square's side, or WIDTHxHEIGHT.")
    seconds: Seconds = Field(4.0, description="How long the way from one idea to the next is.")
    fps: Rate = Field("25", description="Frames a second.")
    loop: bool = Field(False, description="Lead the last frame to the first, so that the film can be repeated.")
    between: Annotated[int, Field(ge=0, le=32)] = Field(
        3,
        description="Pictures between two ideas that are imagined as both at once; frames between them blend.",
    )
    shared: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="How much of a step all pictures take together: more makes them more alike."
    )
    steps: ShapeSteps = 96
    views: Views = 4
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"


class Clip(Part):
    """A video file that was dreamt on; `path` is relative to the folder of the file that has the recipe."""

    path: str | None = None
    sha256: Sha256 | None = None


class VideoRecipe(AnyRecipe):
    """How a clip was dreamt on."""

    kind: Literal["video"] = "video"
    source: Annotated[Clip, meant('{"path": ...}')]
    target: Target | None = Field(None, description=_TARGET)
    net: Net = NetUsed(name="pocket")
    size: Size | None = Field(
        None, description="Size of the film: the longest side, or WIDTHxHEIGHT; by default the clip's own."
    )
    start: Annotated[float, Field(ge=0)] = Field(0.0, description="Where to begin, in seconds of the clip.")
    end: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Where to end, in seconds of the clip; by default where the clip does."
    )
    every: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Take each so many-th frame only.")
    keep: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.98, description="How much of what was dreamt in a frame is kept in the next; more is steadier."
    )
    renew: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="How much of what each frame adds is taken; less is steadier."
    )
    first_steps: Annotated[int, Field(ge=1, le=1000)] = Field(
        12, description="Steps of ascent in each octave of the first frame, and of the first after a cut."
    )
    octaves: Octaves = "auto"
    octave_scale: OctaveScale = 1.6
    steps: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Steps of ascent in each octave of a frame that goes on from the last one."
    )
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


FilmRecipe = ZoomRecipe | MorphRecipe | VideoRecipe
"""Any recipe of a film."""
