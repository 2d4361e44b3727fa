"""The format of a module's output, recognised by its shapes for non-square images, and its conversion to `n c h w`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from phosphene.types import Size

Shape = tuple[int, ...]
Kind = Literal["first", "last", "tokens", "vector"]

PATCHES = (32, 16, 14, 8, 4)
"""Sides of a token's patch of the image, in pixels."""

MOST_EXTRA = 8
"""The most tokens without a position: class and distillation tokens, registers."""


@dataclass(frozen=True)
class ActivationFormat:
    """Which dimensions of an output are its channels and positions.

    "first" is `n c h w`, "last" `n h w c`, and "vector" `n c`. "tokens" is `n t c`: the last tokens are a grid of
    patches of `patch` x `patch` pixels, the ones before them have no position.
    """

    kind: Kind
    patch: int = 0

    def apply(self, output: Tensor, size: Size) -> Tensor:
        """Return the output as `n c h w`, or `n c` without positions; `size` is that of the image."""
        if self.kind == "last":
            return output.permute(0, 3, 1, 2)
        if self.kind == "tokens":
            rows, columns = size[0] // self.patch, size[1] // self.patch
            grid = output[:, output.shape[1] - rows * columns :]
            return grid.reshape(len(grid), rows, columns, -1).permute(0, 3, 1, 2)
        return output


def recognise(
    shape: Shape, size: Size, other: Shape | None = None, patch: int | None = None
) -> ActivationFormat | None:
    """Return the format of an output, or None if it has neither positions nor one value per channel.

    >>> recognise((1, 64, 56, 40), (224, 160)), recognise((1, 141, 192), (224, 160))
    (ActivationFormat(kind='first', patch=0), ActivationFormat(kind='tokens', patch=16))

    Args:
        shape: the output's shape for one image of `size`.
        size: height and width in pixels; they should differ.
        other: the output's shape for an image of another size, if it is known: dimensions that are equal in both are
            not positions.
        patch: the side of the network's patches in pixels, if it is known.
    """
    if not shape or shape[0] != 1 or min(shape) < 1:
        return None
    if other is not None and len(other) != len(shape):
        return None
    fixed = [True] * len(shape) if other is None else [one == two for one, two in zip(shape, other, strict=True)]
    match len(shape):
        case 2:
            return ActivationFormat("vector") if all(fixed) else None
        case 3:
            return _tokens(shape, size, patch) if fixed[2] else None
        case 4:
            return _grid(shape, size, fixed)
    return None


def _grid(shape: Shape, size: Size, fixed: Sequence[bool]) -> ActivationFormat | None:
    """Recognise a grid with its channels first or last; `fixed` tells which dimensions may be channels."""
    if fixed[1] and (shape[2:] == (1, 1) or _has_aspect(shape[2:], size)):
        return ActivationFormat("first")
    if fixed[3] and _has_aspect(shape[1:3], size):
        return ActivationFormat("last")
    return None


def _tokens(shape: Shape, size: Size, patch: int | None) -> ActivationFormat | None:
    """Recognise a sequence of tokens by their number, which must be that of the patches and a few more."""
    for side in PATCHES if patch is None else (patch,):
        patches = (size[0] // side) * (size[1] // side)
        if patches > MOST_EXTRA and 0 <= shape[1] - patches <= MOST_EXTRA:
            return ActivationFormat("tokens", side)
    return None


def _has_aspect(grid: Shape, size: Size) -> bool:
    """Return whether a grid's rows and columns have about the same stride in an image of `size`."""
    strides = size[0] / grid[0], size[1] / grid[1]
    # In a small grid, one position more or less at an edge makes a difference.
    tolerance = min(1.5 / min(grid) + 0.1, 0.25)
    return min(strides) > 0.4 and abs(math.log(strides[0] / strides[1])) < tolerance
