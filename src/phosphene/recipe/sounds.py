"""The recipes of sounds; their fields state each setting's meaning, range and default."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from phosphene.recipe.base import BaseRecipe, FileSource, Model, NetUsed, NetworkRecipe
from phosphene.recipe.fields import ChannelDropout, Target
from phosphene.recipe.settings import meant

LONGEST = 3600
"""Seconds of the longest sound that is made from nothing."""

MOST_IN_A_ROW = 256
_Net = Annotated[NetUsed, meant("the name of a net"), Field(description="The network, by name.")]
EAR = NetUsed(name="ear")


class Track(FileSource):
    """A sound file."""


class SoundSettings(Model):
    """How a sound is brought to please the network."""

    steps: Annotated[int, Field(ge=0, le=10_000)] = Field(40, description="Steps of ascent on each stretch of sound.")
    step_size: Annotated[float, Field(gt=0, le=1)] = Field(
        0.05, description="How far a step goes, where 1 is as loud as the sound itself."
    )
    sketches: Annotated[int, Field(ge=0, le=1024)] = Field(
        80, description="Sketches that are played to the network, the best of which is continued; 0 for none."
    )
    views: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Random excerpts of three seconds that each step scores."
    )
    speed: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.08, description="Largest random change of an excerpt's speed and pitch."
    )
    channel_dropout: ChannelDropout = 0.15
    natural: Annotated[float, Field(ge=0, le=100)] = Field(
        0.3, description="Weight of the prior that every layer responds as it does to music."
    )


class DreamSoundRecipe(SoundSettings, NetworkRecipe):
    """How a sound was dreamt on."""

    kind: Literal["dream-sound"] = "dream-sound"
    source: Annotated[Track, meant('{"path": ...}')]
    net: _Net = EAR
    target: Target | None = Field(
        None,
        description="What to bring out, in the objective language; by default what suits the network best.",
    )
    strength: Annotated[float, Field(ge=0, le=4)] = Field(
        1.4, description="Loudness of a sketch, relative to the sound that it joins."
    )


class ImagineSoundRecipe(SoundSettings, NetworkRecipe):
    """How a sound of something was made from nothing."""

    kind: Literal["imagine-sound"] = "imagine-sound"
    net: _Net = EAR
    target: Target = Field(
        description="What to make heard, in the objective language: a tag, a channel, a sum of them."
    )
    seconds: Annotated[float, Field(gt=0, le=LONGEST)] = Field(8.0, description="Length of the sound.")
    steps: Annotated[int, Field(ge=0, le=10_000)] = Field(60, description="Steps of ascent on each stretch of sound.")
    sketches: Annotated[int, Field(ge=1, le=1024)] = Field(
        128, description="Sketches that are played to the network, the best of which is continued."
    )


class MorphSoundRecipe(SoundSettings, NetworkRecipe):
    """How one sound became another."""

    not_settings: ClassVar[frozenset[str]] = BaseRecipe.not_settings | {"ideas"}

    kind: Literal["morph-sound"] = "morph-sound"
    net: _Net = EAR
    ideas: Annotated[
        tuple[Target, ...],
        Field(min_length=2, max_length=64),
        meant("a list of 2 to 64 targets in the objective language"),
    ]
    seconds: Annotated[float, Field(gt=0, le=LONGEST)] = Field(
        6.0, description="Length of the transition from one idea to the next."
    )


class SheetSoundRecipe(SoundSettings, NetworkRecipe):
    """How sounds of many things were made from nothing, in a row."""

    not_settings: ClassVar[frozenset[str]] = BaseRecipe.not_settings | {"targets"}

    kind: Literal["sheet-sound"] = "sheet-sound"
    net: _Net = EAR
    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1, max_length=MOST_IN_A_ROW),
        meant(f"a list of 1 to {MOST_IN_A_ROW} targets in the objective language"),
    ]
    seconds: Annotated[float, Field(ge=1, le=60)] = Field(3.0, description="Length of each sound.")
    columns: Annotated[int, Field(ge=1, le=16)] = Field(2, description="Spectrograms in a row of the picture.")
    steps: Annotated[int, Field(ge=0, le=10_000)] = Field(20, description="Steps of ascent on each sound.")
    sketches: Annotated[int, Field(ge=1, le=1024)] = Field(
        48, description="Sketches that are played to the network, the best of which is continued."
    )
