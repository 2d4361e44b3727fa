"""The form of every transform, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from phosphene.types import Image

Transform = Callable[[Image], Image]
"""Images to images: as many, or several views of each, and perhaps of another size."""

Draw = Callable[[int, int], int]
"""Draws a whole number between two limits, both included."""

GREY = 0.45
"""The colour of an even border, and the level about which contrast is changed."""


def compose(transforms: Sequence[Transform]) -> Transform:
    """Return the transform that applies all of these, in their order; without any, images stay as they are."""
    return lambda image: reduce(lambda seen, transform: transform(seen), transforms, image)
