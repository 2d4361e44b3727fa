"""The recipe of a network that learns; its fields state each setting's meaning, range and default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from phosphene.recipe.base import BaseRecipe, FileSource, NetUsed
from phosphene.recipe.fields import Auto, Device, Precision, Seed, Zoom
from phosphene.recipe.settings import meant

OWN = ("digits", "shapes", "letters")
"""Datasets that need no file."""

_Share = Annotated[float, Field(ge=0, lt=1)]


class Dataset(FileSource):
    """Labelled pictures: a folder of class folders or a CSV at `path`, or one of phosphene's own by its name.

    `sha256` is that of the dataset's file names and labels; `font` is the font file of `letters`.
    """

    own: Literal["digits", "shapes", "letters"] | None = None
    font: str | None = None


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class LearnRecipe(BaseRecipe):
    """How a network learnt from a dataset."""

    kind: Literal["learn"] = "learn"
    source: Annotated[Dataset, meant('{"path": ...} or {"own": "digits"}')]
    model: Literal["auto", "residual", "inception", "rbm", "stack"] = Field(
        "auto",
        description="What learns: a residual network (auto), one with the structure of pocket (inception), a "
        "restricted Boltzmann machine (rbm), or two of these, one on top of the other (stack).",
    )
    start: Annotated[NetUsed | None, BeforeValidator(_named), meant("the name of a net, or a file", "NET")] = Field(
        None, description="A network to train further, on new classes: pocket, lite, or a file that learn has written."
    )
    lessons: Literal["labels", "itself"] = Field(
        "labels",
        description="What pictures teach: their labels, or, to a network that is trained further, what it said itself "
        "before (itself): under attack it must say the same, and it keeps its classes.",
    )
    side: Annotated[int, Field(ge=8, le=512)] | Auto = Field(
        "auto", description="Side in pixels that pictures are scaled to; auto for what suits those of the dataset."
    )
    width: Annotated[int, Field(ge=4, le=1024)] | Auto = Field(
        "auto", description="Channels of the first layers, or hidden units; auto chooses by the number of pictures."
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] | Auto = Field(
        "auto", description="How often each picture is seen, at most; auto chooses by the number of pictures."
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(64, description="Pictures in one step.")
    rate: Annotated[float, Field(gt=0, le=1)] | Auto = Field(
        "auto", description="Learning rate at its height; it rises in the beginning and falls along a cosine."
    )
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="How much weights are drawn towards zero (AdamW)."
    )
    held_out: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="Share of the pictures that are kept for testing, where the dataset itself keeps none."
    )
    attack: Annotated[float, Field(ge=0, le=1000)] | Auto = Field(
        "auto",
        description="Adversarial training, which makes gradients draw: the length (L2) of the change that each picture "
        "may undergo, where 1 is from black to white in one pixel; auto grows it as far as the network keeps up, 0 "
        "disables it.",
    )
    attack_from: _Share = Field(0.1, description="Share of the training that is done before attacks begin.")
    replays: Annotated[int, Field(ge=1, le=16)] = Field(
        3, description="Looks at each batch, each with a stronger attack and each followed by a step."
    )
    growing: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Side that pictures have in the first half of the training, as a share of their final one."
    )
    zoom: Zoom = Field((0.85, 1.0), description="Smallest and largest share of a picture's side that is seen at once.")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(8.0, description="Largest rotation, in degrees.")
    tint: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="How much colours and contrast are changed at random."
    )
    mirror: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether pictures are mirrored at random; auto finds out whether that changes their class."
    )
    patience: Annotated[int, Field(ge=1, le=1000)] = Field(
        8, description="Tests without improvement after which training stops early."
    )
    frames: Annotated[int, Field(ge=0, le=1000)] = Field(
        0, description="How often the network is kept while it learns, for a film of its learning."
    )
    licence: Annotated[str, Field(max_length=200)] = Field(
        "", description="Licence of the pictures, for the data card."
    )
    seed: Seed = 0
    precision: Precision = "auto"
    device: Device = "auto"
