"""The recipes of films; their fields state each setting's meaning, range and default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from phosphene.recipe.base import (
    BaseRecipe,
    ClipFile,
    EnsembleRecipe,
    Model,
    NetworkRecipe,
    PhotoOrNoise,
    SoundToFollow,
)
from phosphene.recipe.fields import (
    Drift,
    Factor,
    Intensity,
    OctaveScale,
    Rate,
    Seed,
    ShapeSteps,
    SizeField,
    Speed,
    Spin,
    Target,
    TileField,
    Views,
    Weights,
)
from phosphene.recipe.settings import meant
from phosphene.recipe.stills import DreamSettings

LONGEST = 36_000
"""Seconds of the longest film that is made from nothing, ten hours."""

ZOOM_SECONDS, MORPH_SECONDS = 20.0, 4.0
"""Where neither the length nor a sound is given: that of a zoom, and of a morph's transition."""

Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
FrameSteps = Annotated[int, Field(ge=1, le=1000)]
Loop = Annotated[bool, Field(description="Lead the last frame back to the first, so that the film repeats seamlessly.")]
_TARGET = (
    'What to bring out, in the objective language, throughout or by keyframes ("0s: block5; 6s: block11; 12s: '
    'goldfish"), or several joined by | that share it by weights; by default what suits the network best.'
)


class FrameDreamSettings(DreamSettings):
    """How each frame of a film is dreamt on: in fewer octaves and steps than a still."""

    octave_scale: OctaveScale = 1.6
    steps: FrameSteps = Field(1, description="Steps of ascent in each octave of a frame.")
    intensity: Intensity = "1"
    weights: Weights = None
    sound: SoundToFollow = None


class ZoomSettings(FrameDreamSettings):
    """How a zoom travels."""

    seconds: Seconds | None = Field(
        None, description=f"Length of the film; by default its sound's, or {ZOOM_SECONDS:g} without one."
    )
    fps: Rate = Field("30", description="Frames per second.")
    speed: Speed = Field(
        "1.3",
        description="Magnification per second; below 1 to zoom out; with a sound a number changes with its "
        "onsets and loudness.",
    )
    spin: Spin = Field("4", description="Rotation in degrees per second, anticlockwise.")
    drift: Drift = Field(
        "0,0", description="Camera movement to the right and down per second, as shares of the picture."
    )
    loop: Loop = False
    level: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2,
        description="How far each frame's sharpness, contrast and colours are restored to the first ones.",
    )


class _ZoomBase(NetworkRecipe):
    kind: Literal["zoom"] = "zoom"
    source: PhotoOrNoise
    target: Target | None = Field(None, description=_TARGET)
    size: SizeField | None = Field(
        None,
        description="Size of the film: the longest side, or WIDTHxHEIGHT; by default its source's, at most 640.",
    )


class ZoomRecipe(ZoomSettings, _ZoomBase):
    """How a zoom into a photograph, or into noise, was made: each frame dreams on the last one, moved."""

    reset_by: ClassVar[Mapping[str, str]] = dict.fromkeys(("speed", "intensity", "weights", "seconds"), "sound")

    tile: TileField = "auto"


class MorphSettings(Model):
    """How one idea becomes the next."""

    seconds: Seconds | None = Field(
        None,
        description=f"Length of the transition from one idea to the next; by default {MORPH_SECONDS:g}, or with a "
        "sound so that the film is as long.",
    )
    fps: Rate = Field("25", description="Frames per second.")
    loop: Loop = False
    between: Annotated[int, Field(ge=0, le=32)] = Field(
        3,
        description="Pictures between two ideas that are imagined as both at once; the frames in between blend them.",
    )
    pace: Factor = Field(
        "1",
        description="Relative speed of the transition; with a sound a number changes with its onsets and loudness.",
    )
    sound: SoundToFollow = None
    shared: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Share of each step that all pictures take together: more makes them more alike."
    )
    steps: ShapeSteps = 48
    views: Views = 4
    seed: Seed = 0


class _MorphBase(EnsembleRecipe):
    kind: Literal["morph"] = "morph"
    ideas: Annotated[
        tuple[Target, ...],
        Field(min_length=2, max_length=64),
        meant("a list of 2 to 64 targets in the objective language"),
    ]
    size: SizeField = Field(384, description="Size of the film: a square's side, or WIDTHxHEIGHT.")


class MorphRecipe(MorphSettings, _MorphBase):
    """How a film from one idea to the next was made."""

    not_settings: ClassVar[frozenset[str]] = BaseRecipe.not_settings | {"ideas"}
    reset_by: ClassVar[Mapping[str, str]] = dict.fromkeys(("pace", "seconds"), "sound")


class VideoSettings(FrameDreamSettings):
    """How what was dreamt is carried from frame to frame of a clip."""

    start: Annotated[float, Field(ge=0)] = Field(0.0, description="Where to begin, in seconds of the clip.")
    end: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Where to end, in seconds of the clip; by default at its end."
    )
    every: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Use every Nth frame.")
    keep: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.98, description="Share of what was dreamt in a frame that the next one keeps; more is steadier."
    )
    renew: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="Share of what each frame adds that is used; less is steadier."
    )
    first_steps: FrameSteps = Field(
        12, description="Steps of ascent in each octave of the first frame, and of the first after a cut."
    )


class _VideoBase(NetworkRecipe):
    kind: Literal["video"] = "video"
    source: Annotated[ClipFile, meant('{"path": ...}')]
    target: Target | None = Field(None, description=_TARGET)
    size: SizeField | None = Field(
        None, description="Size of the film: the longest side, or WIDTHxHEIGHT; by default the clip's own."
    )


class VideoRecipe(VideoSettings, _VideoBase):
    """How a clip was dreamt on."""

    reset_by: ClassVar[Mapping[str, str]] = dict.fromkeys(("intensity", "weights"), "sound")

    tile: TileField = "auto"
