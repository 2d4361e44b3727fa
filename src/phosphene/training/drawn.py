"""Datasets that are drawn here: shapes in colour, and the letters of a font, at random places, sizes and angles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.errors import ImageError
from phosphene.media.dataset.collection import ArrayCollection

SIDE = 24
COUNT = 300
"""Pictures of each class."""

TURN = 25
"""The greatest rotation of shapes, in degrees: at any angle they would be imagined at several at once."""

FINE = 4
"""Shapes are drawn this many times as large and averaged down, for smooth edges."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/System/Library/Fonts/Helvetica.ttc",
    "/System/Library/Fonts/Supplemental/Arial.ttf",
    "C:/Windows/Fonts/arial.ttf",
)
"""Where systems keep a plain font; without any of them, the one that Pillow comes with is used."""

Points = list[tuple[float, float]]


def _star(points: int, inner: float) -> Points:
    return [
        (radius * math.sin(angle), -radius * math.cos(angle))
        for index in range(2 * points)
        for radius, angle in [(1.0 if index % 2 == 0 else inner, math.pi * index / points)]
    ]


def _polygon(corners: int) -> Points:
    return [(math.sin(turn), -math.cos(turn)) for turn in (2 * math.pi * index / corners for index in range(corners))]


def _heart() -> Points:
    turns = [2 * math.pi * index / 60 for index in range(60)]
    return [
        (
            math.sin(turn) ** 3,
            -(13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn) - math.cos(4 * turn)) / 16,
        )
        for turn in turns
    ]


SHAPES: dict[str, Points] = {
    "disc": _polygon(60),
    "triangle": _polygon(3),
    "square": _polygon(4),
    "star": _star(5, 0.42),
    "arrow": [(0, -1), (0.75, -0.1), (0.3, -0.1), (0.3, 1), (-0.3, 1), (-0.3, -0.1), (-0.75, -0.1)],
    "cross": [
        (-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3),
        (0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3),
    ],
    "heart": _heart(),
    "crescent": [
        *[(math.cos(turn), math.sin(turn)) for turn in np.linspace(0.6, 2 * math.pi - 0.6, 40).tolist()],
        *[(0.45 + 0.68 * math.cos(turn), 0.68 * math.sin(turn)) for turn in np.linspace(5.25, 1.03, 40).tolist()],
    ],
}  # fmt: skip
"""The outline of each shape, within a circle of radius 1."""


def shapes(count: int = COUNT, side: int = SIDE, seed: int = 0) -> ArrayCollection:
    """Return `count` pictures of each of eight shapes, in colour on colour.

    >>> shapes(count=2).pixels.shape, shapes(count=2).classes[:3]
    ((16, 24, 24, 3), ('arrow', 'crescent', 'cross'))
    """
    rng = np.random.default_rng(seed)
    names = tuple(sorted(SHAPES))
    pixels = [_drawn(SHAPES[name], side, rng) for name in names for _ in range(count)]
    targets = np.repeat(np.arange(len(names)), count)
    return ArrayCollection(names, targets, pixels=np.stack(pixels), source="drawn shapes", licence="CC0-1.0")


def _drawn(outline: Points, side: int, rng: np.random.Generator) -> np.ndarray:
    import PIL.Image
    import PIL.ImageDraw

    ground, ink = _two_colours(rng)
    turn, radius = math.radians(rng.uniform(-TURN, TURN)), rng.uniform(0.28, 0.42) * side
    x, y = side / 2 + rng.uniform(-1, 1, 2) * (side * 0.46 - radius) * 0.8
    fine = PIL.Image.new("RGB", (side * FINE, side * FINE), ground)
    cosine, sine = math.cos(turn) * radius * FINE, math.sin(turn) * radius * FINE
    points = [(x * FINE + u * cosine - v * sine, y * FINE + u * sine + v * cosine) for u, v in outline]
    PIL.ImageDraw.Draw(fine).polygon(points, fill=ink)
    return np.asarray(fine.reduce(FINE))


def _two_colours(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two colours that are told apart easily."""
    while True:
        one, two = rng.integers(0, 256, (2, 3))
        if np.abs(one - two).sum() > 260:
            return tuple(one.tolist()), tuple(two.tolist())


def letters(font: str | None = None, count: int = 120, side: int = 28, seed: int = 0) -> ArrayCollection:
    """Return `count` pictures of each capital letter in a font, light on dark.

    Args:
        font: a .ttf or .otf file; by default a plain one of the system.
        count: pictures of each letter.
        side: in pixels.
        seed: of sizes, places and angles.

    Raises:
        ImageError: for a file that is not a font.
    """
    rng = np.random.default_rng(seed)
    glyphs = list(_glyphs(font, LETTERS, side * FINE))
    pixels = [_placed(glyph, side, rng) for glyph in glyphs for _ in range(count)]
    targets = np.repeat(np.arange(len(LETTERS)), count)
    return ArrayCollection(tuple(LETTERS), targets, pixels=np.stack(pixels), source="letters of a font")


def _glyphs(font: str | None, text: Sequence[str], side: int) -> Iterator[np.ndarray]:
    """Yield each letter in the middle of a square, white on black."""
    import PIL.Image
    import PIL.ImageDraw

    face = _font(font, side * 0.72)
    for letter in text:
        picture = PIL.Image.new("L", (side, side))
        PIL.ImageDraw.Draw(picture).text((side / 2, side / 2), letter, fill=255, font=face, anchor="mm")
        yield np.asarray(picture)


def _font(font: str | None, size: float) -> Any:
    import PIL.ImageFont

    names = [font] if font is not None else [each for each in FONTS if Path(each).is_file()]
    for name in names:
        try:
            return PIL.ImageFont.truetype(name, size)
        except OSError as problem:
            if font is not None:
                raise ImageError(f"{name} is not a font that can be read: {problem}", path=name) from None
    return PIL.ImageFont.load_default(size)


def _placed(glyph: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    import PIL.Image

    scale, turn = 1 / rng.uniform(0.8, 1.1), math.radians(rng.uniform(-12, 12))
    cosine, sine = math.cos(turn) * scale, math.sin(turn) * scale
    middle, (x, y) = len(glyph) / 2, len(glyph) * rng.uniform(-0.06, 0.06, 2)
    matrix = (
        cosine, sine, middle - cosine * middle - sine * middle + x,
        -sine, cosine, middle + sine * middle - cosine * middle + y,
    )  # fmt: skip
    turned = PIL.Image.fromarray(glyph).transform(
        (len(glyph), len(glyph)), PIL.Image.Transform.AFFINE, matrix, PIL.Image.Resampling.BILINEAR
    )
    return np.asarray(turned.reduce(FINE))
