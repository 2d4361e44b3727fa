"""The types of a recipe's fields that several of them share: what they may be, and how they are read from text."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from phosphene.settings import meant

_LONGEST_SIDE = 100_000
_LARGEST_SEED = 2**32 - 1


def read_size(value: object) -> object:
    """A size from its text: "1024" is the longest side, "1024x768" is width x height; anything else as it is.

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
    """Two numbers from their text, "0.7-1"; anything else as it is.

    >>> read_span("0.7-1")
    (0.7, 1.0)
    """
    if isinstance(value, list):
        return tuple(value)
    match = re.fullmatch(r"\s*([\d.]{1,9})\s*-\s*([\d.]{1,9})\s*", value) if isinstance(value, str) else None
    return value if match is None else tuple(map(float, match.groups()))


Side = Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
Exactly = Annotated[tuple[Side, Side], meant("WIDTHxHEIGHT or [height, width] in pixels", "WIDTHxHEIGHT")]
Size = Annotated[Exactly | Annotated[Side, meant("the longest side in pixels", "INTEGER")], BeforeValidator(read_size)]
Auto = Literal["auto"]
_Share = Annotated[float, Field(gt=0, le=4)]
Zoom = Annotated[tuple[_Share, _Share], BeforeValidator(read_span), meant("LEAST-GREATEST, as 0.7-1", "LEAST-GREATEST")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), meant("64 hexadecimal digits")]
Target = Annotated[str, Field(min_length=1)]
Seed = Annotated[
    int,
    Field(
        ge=0,
        le=_LARGEST_SEED,
        description="What all chance is drawn from: the same seed gives the same picture.",
    ),
]
Precision = Annotated[
    Literal["auto", "bfloat16", "float32"],
    Field(description="Number format of the network; auto is bfloat16 where the processor multiplies it faster."),
]
Tile = Annotated[
    Annotated[int, Field(ge=0, le=_LONGEST_SIDE)] | Auto,
    Field(description="Side in pixels of the tiles of a large canvas; 0 for never, auto for a memory budget."),
]
