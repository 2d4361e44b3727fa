"""How a module's output is laid out, and how it becomes `n c h w`: by the shapes it has for a picture that
is no square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from phosphene.types import Size

Shape = tuple[int, ...]
Kind = Literal["first", "last", "tokens", "vector"]

PATCHES = (32, 16, 14, 8, 4)
"""Sides of the patches that tokens stand for, in pixels."""

MOST_EXTRA = 8
"""Tokens that stand for no place: of the class, of a distillation, registers."""


@dataclass(frozen=True)
class Layout:
    """Where an output has its channels and positions.

    "first" is `n c h w`; "last" `n h w c`; "tokens" `n t c`, the last of them a grid of patches of `patch`
    pixels and those before it standing for no place; "vector" `n c`.
    """

    kind: Kind
    patch: int = 0

    def apply(self, output: Tensor, size: Size) -> Tensor:
        """The output as `n c h w`, or `n c` without positions; `size` is that of the picture."""
        if self.kind == "last":
            return output.permute(0, 3, 1, 2)
        if self.kind == "tokens":
            rows, columns = size[0] // self.patch, size[1] // self.patch
            grid = output[:, output.shape[1] - rows * columns :]
            return grid.reshape(len(grid), rows, columns, -1).permute(0, 3, 1, 2)
        return output


def recognise(shape: Shape, size: Size, other: Shape | None = None, patch: int | None = None) -> Layout | None:
    """The layout of an output of this shape for one picture of `size`, or None if it shows no positions.

    `other` is its shape for a picture of another size, in which only the positions differ; None where there
    is none. `patch` is the side of the network's patches if that is known.

    >>> recognise((1, 64, 56, 40), (224, 160)), recognise((1, 141, 192), (224, 160))
    (Layout(kind='first', patch=0), Layout(kind='tokens', patch=16))
    """
    if not shape or shape[0] != 1 or min(shape) < 1:
        return None
    if other is not None and len(other) != len(shape):
        return None
    if len(shape) == 2:
        return Layout("vector") if other in (None, shape) else None
    if len(shape) == 4:
        fixed = None if other is None else [was == now for was, now in zip(shape, other, strict=True)]
        if (fixed is None or fixed[1]) and (shape[2:] == (1, 1) or _alike(shape[2:], size)):
            return Layout("first")
        return Layout("last") if (fixed is None or fixed[3]) and _alike(shape[1:3], size) else None
    if len(shape) == 3 and (other is None or other[2] == shape[2]):
        for side in PATCHES if patch is None else (patch,):
            grid = (size[0] // side) * (size[1] // side)
            if 0 <= shape[1] - grid <= MOST_EXTRA and grid > MOST_EXTRA:
                return Layout("tokens", side)
    return None


def _alike(grid: Shape, size: Size) -> bool:
    """Whether rows and columns are the picture's over about one stride."""
    strides = size[0] / grid[0], size[1] / grid[1]
    # A position more or less at the edges matters in small grids.
    slack = 1.5 / min(grid) + 0.1
    return min(strides) > 0.4 and abs(math.log(strides[0] / strides[1])) < min(slack, 0.25)
