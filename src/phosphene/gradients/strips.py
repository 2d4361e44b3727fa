"""Gradient shaping in strips of rows, for canvases that are not in memory; they join to what `shaping` gives.

A shaping that needs the whole gradient needs it for a few sums only: the std of each band, and the mean magnitude. So
strips are gone through several times:

    levels     <- each level of the pyramid, from the one below ("laplacian" only)
    measure    <- the sums that give the std of each band ("laplacian" only)
    magnitude  <- the sum of the magnitudes of `direction`
    direction  <- the shaped gradient, but for the division by the mean magnitude
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.gradients.shaping import BLUR_STD, LEVELS, SMALLEST_LEVEL, TINY, gaussian
from phosphene.pyramid import level_sizes
from phosphene.resampling import Span, resize_part
from phosphene.types import Image, Size

ReadLevel = Callable[[int, Span, Span], Image]
"""Returns rows and columns of a level of the gradient: 0 is the gradient itself."""


class StripShaping:
    """A shaping in strips: `sizes` are those of the gradient and of the levels that are made of it."""

    measured = False
    """Whether `direction` needs the sums of `measure`."""

    def __init__(self, size: Size, read: ReadLevel) -> None:
        self.sizes: Sequence[Size] = [size]
        self._read = read

    def rows_of(self, level: int, rows: Span) -> Image:
        """Return rows of a level."""
        return self._read(level, rows, (0, self.sizes[level][1]))

    def level(self, level: int, rows: Span) -> Image:
        """Return rows of a level, made of the level below."""
        raise AssertionError("this shaping has no levels")

    def measure(self, rows: Span) -> Tensor:
        """Return what rows of the gradient contribute to the sums that `direction` takes."""
        raise AssertionError("this shaping measures nothing")

    def direction(self, rows: Span, sums: Tensor | None) -> Image:
        """Return rows of the shaped gradient, of any mean magnitude."""
        return self.rows_of(0, rows)


class StripBlur(StripShaping):
    """The shaping "blur" in strips."""

    def direction(self, rows: Span, sums: Tensor | None) -> Image:
        kernel = gaussian(BLUR_STD)
        radius = len(kernel) // 2
        height = self.sizes[0][0]
        top, bottom = max(0, rows[0] - radius), min(height, rows[1] + radius)
        missing = (0, 0, top - (rows[0] - radius), rows[1] + radius - bottom)
        planes = self.rows_of(0, (top, bottom)).transpose(0, 1)
        planes = F.conv2d(F.pad(planes, missing, mode="replicate"), kernel.view(1, 1, -1, 1))
        planes = F.conv2d(F.pad(planes, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
        return planes.transpose(0, 1)


class StripLaplacian(StripShaping):
    """The shaping "laplacian" in strips: each level halved from the one below."""

    measured = True

    def __init__(self, size: Size, read: ReadLevel) -> None:
        super().__init__(size, read)
        self.sizes = level_sizes(size, LEVELS, SMALLEST_LEVEL)

    def level(self, level: int, rows: Span) -> Image:
        below = self.sizes[level - 1]

        def read(rows: Span, columns: Span) -> Image:
            return self._read(level - 1, rows, columns)

        return resize_part(read, below, self.sizes[level], rows, (0, self.sizes[level][1]), "triangle")

    def measure(self, rows: Span) -> Tensor:
        """Return the count, the sum and the sum of squares of each band, `bands 3`.

        A strip has the rows of a level whose share of the height is that of its own.
        """
        found = []
        for level in range(len(self.sizes)):
            own = self._share(level, rows)
            band = self._band(level, own).double()
            found.append(torch.stack((torch.tensor(float(band.numel())), band.sum(), band.square().sum())))
        return torch.stack(found)

    def direction(self, rows: Span, sums: Tensor | None) -> Image:
        assert sums is not None, "the bands are measured first"
        counts, totals, squares = sums.unbind(1)
        variances = squares / counts - (totals / counts).square()
        stds = variances.clamp_min(0).sqrt().clamp_min(TINY).tolist()
        return self._merged(0, rows, stds)

    def _merged(self, level: int, rows: Span, stds: Sequence[float]) -> Image:
        """Return rows of the sum of the bands from this level on, each divided by its std."""
        band = self._band(level, rows).div_(stds[level])
        if level == len(self.sizes) - 1:
            return band

        def read(rows: Span, columns: Span) -> Image:
            return self._merged(level + 1, rows, stds)

        return band.add_(self._enlarged(level, rows, read))

    def _band(self, level: int, rows: Span) -> Image:
        own = self.rows_of(level, rows)
        if level == len(self.sizes) - 1:
            return own

        def read(rows: Span, columns: Span) -> Image:
            return self.rows_of(level + 1, rows)

        return own.sub_(self._enlarged(level, rows, read))

    def _enlarged(self, level: int, rows: Span, read: Callable[[Span, Span], Image]) -> Image:
        size = self.sizes[level]
        return resize_part(read, self.sizes[level + 1], size, rows, (0, size[1]), "triangle")

    def _share(self, level: int, rows: Span) -> Span:
        height, own = self.sizes[0][0], self.sizes[level][0]
        return rows[0] * own // height, rows[1] * own // height


strip_shapings: dict[str, type[StripShaping]] = {
    "normalise": StripShaping,
    "laplacian": StripLaplacian,
    "blur": StripBlur,
}
