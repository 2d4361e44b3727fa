"""Prints: how large a sheet of paper is, in pixels, and where the picture lies on it.

    lay_out("60x90cm@200", size=(2000, 3000)).sheet    # (4724, 7087): turned to suit the picture

All lengths are in millimetres inside. A sheet is the paper and its bleed, what is cut off after printing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from phosphene.recipe.base import Model
from phosphene.recipe.settings import meant

DPI = 200.0
"""Dots per inch where none are given: fine at arm's length."""

MOST_SIDE = 1_000_000
"""Pixels of a sheet's longest side."""

MM = {"mm": 1.0, "cm": 10.0, "in": 25.4}

PAPERS = {
    **{f"a{number}": sides for number, sides in enumerate(
        [(841, 1189), (594, 841), (420, 594), (297, 420), (210, 297), (148, 210), (105, 148)])},
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
}  # fmt: skip
"""Widths and heights in millimetres (ISO 216, ANSI)."""

_PAPER = re.compile(
    r"(?:(?P<width>\d{1,7}(?:\.\d{1,4})?)\s*[x×]\s*(?P<height>\d{1,7}(?:\.\d{1,4})?)\s*(?P<unit>mm|cm|in|px)"
    r"|(?P<name>[a-z]\w*))\s*(?:@\s*(?P<dpi>\d{1,4}(?:\.\d{1,4})?)\s*(?:dpi)?)?"
)
_LENGTH = re.compile(r"(\d{1,5}(?:\.\d{1,4})?)\s*(mm|cm|in)")
_LEAST_DPI, _MOST_DPI = 10, 2400

Place = Literal["auto", "crop", "fit"]


@dataclass(frozen=True)
class Paper:
    """Paper of `width` x `height` millimetres, printed at `dpi` dots per inch."""

    width: float
    height: float
    dpi: float

    def pixels(self, length: float) -> int:
        """Return a length in millimetres as whole pixels."""
        return round(length / MM["in"] * self.dpi)


@dataclass(frozen=True)
class Layout:
    """Where a picture lies on a sheet; all sizes are (height, width) in pixels.

    `sheet` is the paper and its bleed, `picture` what is dreamt, with its upper left corner at `at` of the sheet. `box`
    is the part that is shown of the picture that the print begins with: its first and last row and column.
    """

    dpi: float
    sheet: tuple[int, int]
    picture: tuple[int, int]
    at: tuple[int, int]
    box: tuple[tuple[int, int], tuple[int, int]]


def read_paper(text: str) -> Paper:
    """Read the paper and its dots per inch: "60x90cm@200", "8x10in", "A3@300", "4000x3000px".

    >>> read_paper("A4@300")
    Paper(width=210, height=297, dpi=300.0)

    Raises ValueError for anything else.
    """
    match = _PAPER.fullmatch(text.strip().lower())
    if match is None or (match["name"] and match["name"] not in PAPERS):
        raise ValueError("no paper")
    dpi = float(match["dpi"] or DPI)
    if not _LEAST_DPI <= dpi <= _MOST_DPI:
        raise ValueError("dots per inch out of range")
    if match["name"]:
        width, height = PAPERS[match["name"]]
    else:
        unit = MM["in"] / dpi if match["unit"] == "px" else MM[match["unit"]]
        width, height = float(match["width"]) * unit, float(match["height"]) * unit
    paper = Paper(width, height, dpi)
    if not 1 <= min(paper.pixels(width), paper.pixels(height)) <= max(map(paper.pixels, (width, height))) <= MOST_SIDE:
        raise ValueError("too small or too large")
    return paper


def read_length(text: str) -> float:
    """Read a length: "3mm" is 3.0.

    Raises ValueError for anything else.
    """
    if text.strip() == "0":
        return 0.0
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("no length")
    return float(match[1]) * MM[match[2]]


def lay_out(
    paper: Paper, size: tuple[int, int], *, bleed: float = 0.0, safe: float = 0.0, placement: str = "crop"
) -> Layout:
    """Lay a picture of `size` (height, width) out on paper, which is turned to suit the picture.

    Args:
        paper: the paper as it will be cut.
        size: of the picture that the print begins with.
        bleed: millimetres beyond the paper on each side.
        safe: millimetres inside the paper's edge that "fit" keeps free, and "crop" does not.
        placement: "crop" fills the sheet, and crops the picture around its centre; "fit" shows all of it, on white.

    Raises ValueError if the safe zone leaves no room.
    """
    width, height = paper.width, paper.height
    if (width > height) != (size[1] > size[0]) and size[0] != size[1]:
        width, height = height, width
    sheet = (paper.pixels(height + 2 * bleed), paper.pixels(width + 2 * bleed))
    whole = ((0, size[0]), (0, size[1]))
    if placement == "crop":
        return Layout(paper.dpi, sheet, sheet, (0, 0), _cropped(size, sheet))
    room = (paper.pixels(height - 2 * safe), paper.pixels(width - 2 * safe))
    if min(room) < 1:
        raise ValueError("the safe zone leaves no room")
    scale = min(room[0] / size[0], room[1] / size[1])
    picture = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    at = ((sheet[0] - picture[0]) // 2, (sheet[1] - picture[1]) // 2)
    return Layout(paper.dpi, sheet, picture, at, whole)


def _cropped(size: tuple[int, int], sheet: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the largest part of `size`, around its centre, of the proportions of `sheet`."""
    scale = min(size[0] / sheet[0], size[1] / sheet[1])
    spans = []
    for side, wanted in zip(size, sheet, strict=True):
        own = min(side, max(1, round(wanted * scale)))
        first = (side - own) // 2
        spans.append((first, first + own))
    return spans[0], spans[1]


def further_sizes(begun: tuple[int, int], wanted: tuple[int, int], octave_scale: float) -> list[tuple[int, int]]:
    """Return the sizes of the octaves from a picture of size `begun` to `wanted`, which is the last.

    >>> further_sizes((100, 200), (196, 392), 1.4)
    [(140, 280), (196, 392)]

    None if `wanted` is hardly larger.
    """
    ratio = math.sqrt(math.prod(wanted) / math.prod(begun))
    count = math.ceil(math.log(ratio) / math.log(octave_scale) - 0.05)
    grow = [math.log(last / first) for first, last in zip(begun, wanted, strict=True)]
    sizes = []
    for octave in range(1, count + 1):
        height, width = (round(side * math.exp(g * octave / count)) for side, g in zip(begun, grow, strict=True))
        sizes.append((height, width))
    return [*sizes[:-1], wanted] if sizes else []


def _is_paper(text: str) -> str:
    read_paper(text)
    return text


def _is_length(text: str) -> str:
    read_length(text)
    return text


Length = Annotated[str, AfterValidator(_is_length), meant("a length, as 3mm, 0.5cm or 0.125in", "LENGTH")]


class PrintSettings(Model):
    """How a picture is carried on to the size of a print: the same dream, with more detail in the same places."""

    print: (
        Annotated[
            str,
            AfterValidator(_is_paper),
            meant("WIDTHxHEIGHT in mm, cm, in or px, or A0 to A6, letter, legal or tabloid; then @DPI", "PAPER[@DPI]"),
        ]
        | None
    ) = Field(
        None,
        description="Carry the picture on to a print of this paper: 60x90cm@200, 8x10in, A3@300; at 200 dots per inch "
        "if not given.",
    )
    bleed: Length = Field("0mm", description="Print beyond the paper's edges by this much, to be cut off.")
    placement: Place = Field(
        "auto",
        description="How the picture meets the paper: crop fills it, fit shows all of it, on white; auto crops "
        "pictures and fits sheets.",
    )
    safe: Length = Field("0mm", description="With fit: the distance that the picture keeps from the paper's edges.")
