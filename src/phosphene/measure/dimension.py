"""Dimensions of a set of pixels, and how unevenly brightness is spread.

Box counting: how many boxes of a side the set touches. Correlation: how many pixels of the set are within a distance of
one (Grassberger and Procaccia 1983). Multifractal: how the moments of the brightness in boxes change with their side
(Chhabra and Jensen 1989).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phosphene.errors import SettingError
from phosphene.measure.fit import Array, Line, line

SMALLEST_BOX = 3
"""Side of the smallest box in pixels of a fit: smaller ones see the pixels themselves."""

LARGEST_SHARE = 8
"""The largest box is the shorter side divided by this: fewer boxes than that are too few."""

SHIFTS = 4
"""Grids, shifted along both axes, of which the one that needs the fewest boxes counts."""

MOMENTS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0)

FLOOR = 1 / 255
"""Brightness that is added to all pixels, so that black ones have logarithms."""

SETS = ("auto", "border", "bright", "dark")


@dataclass(frozen=True, eq=False)
class Scaling:
    """A quantity at each `scale` in pixels, and the line through their logarithms in the range that was fitted."""

    scale: Array = field(repr=False)
    amount: Array = field(repr=False)
    line: Line


@dataclass(frozen=True, eq=False)
class Multifractal:
    """The generalised dimensions D(q) of `moments` with their lines' standard errors, and the spectrum f(alpha)."""

    moments: Array
    dimensions: Array
    errors: Array
    alpha: Array
    spectrum: Array


def chosen(lightness: Array, which: str) -> tuple[Array, str]:
    """Return the set of pixels whose dimension is measured, h w of bool, and which it is.

    Args:
        lightness: h w.
        which: "bright" or "dark" pixels, told apart by Otsu's threshold; "border" between pixels that are brighter and
            darker than the median; "auto" for the fewer of bright and dark in a drawing of two tones, else the border.
    """
    if which not in SETS:
        raise SettingError(f"the set must be {', '.join(SETS)}, but is {which!r}", setting="set", value=which)
    threshold = _otsu(lightness)
    bright = lightness > threshold
    if which == "auto":
        if np.ptp(lightness) < 1e-6:
            return np.ones(lightness.shape, bool), "bright"
        low, high = lightness[~bright].mean(), lightness[bright].mean()
        near = np.minimum(np.abs(lightness - low), np.abs(lightness - high)) < 0.1 * (high - low)
        which = "border" if near.mean() < 0.9 else "bright" if bright.mean() <= 0.5 else "dark"
    if which == "border":
        above = lightness > np.median(lightness)
        edge = np.zeros(lightness.shape, bool)
        edge[:, 1:] |= above[:, 1:] != above[:, :-1]
        edge[1:] |= above[1:] != above[:-1]
        return edge, which
    return (bright if which == "bright" else ~bright), which


def box_counting(pixels: Array) -> Scaling:
    """Count the boxes that a set of pixels touches, for boxes of many sides; the slope is minus the dimension."""
    sides = _sides(pixels.shape)
    counts = np.array([_touched(pixels, int(side)) for side in sides], dtype=float)
    with np.errstate(divide="ignore"):
        return Scaling(sides, counts, line(np.log(sides), np.log(counts)))


def correlation(pixels: Array) -> Scaling:
    """Count the pixels of the set around those of its inside, by their distance; the slope is the dimension.

    Only pixels that are farther from the picture's edge than the largest distance are looked around from, so that the
    edge takes nothing away.
    """
    height, width = pixels.shape
    reach = max(3 * SMALLEST_BOX, min(height, width) // LARGEST_SHARE)
    inner = np.zeros(pixels.shape)
    inner[reach : height - reach, reach : width - reach] = pixels[reach : height - reach, reach : width - reach]
    size = (height + reach, width + reach)
    product = np.fft.rfft2(pixels.astype(float), size) * np.conj(np.fft.rfft2(inner, size))
    pairs = np.fft.irfft2(product, size)
    y, x = (np.minimum(np.arange(side), side - np.arange(side)) for side in size)
    distance = np.hypot(y[:, None], x[None, :])
    radii = np.unique(np.geomspace(2 * SMALLEST_BOX, reach, 16).round())
    near = distance <= reach
    order = np.argsort(distance[near], kind="stable")
    total = np.cumsum(pairs[near][order])
    within = total[np.searchsorted(distance[near][order], radii, side="right") - 1] - total[0]
    within = within / max(1.0, float(inner.sum()))
    # The disc of pixels in place of the disc itself: its area at each radius is counted too.
    area = np.searchsorted(distance[near][order], radii, side="right")
    effective = np.sqrt(area / np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Scaling(effective, within, line(np.log(effective), np.log(within)))


def multifractal(brightness: Array) -> Multifractal:
    """Measure how unevenly brightness is spread, h w and not negative, over boxes of sides that are powers of 2."""
    height, width = brightness.shape
    side = 2 ** int(np.log2(min(height, width)))
    top, left = (height - side) // 2, (width - side) // 2
    mass = brightness[top : top + side, left : left + side].astype(float) + FLOOR
    mass /= mass.sum()
    boxes = [2**power for power in range(2, int(np.log2(side)) - 1)]
    logs, moments = np.log(np.array(boxes) / side), np.array(MOMENTS)
    slopes, errors = np.zeros((len(moments), 3)), np.zeros(len(moments))
    shares = [mass.reshape(side // box, box, side // box, box).sum((1, 3)).ravel() for box in boxes]
    for index, moment in enumerate(moments):
        rows = []
        for share in shares:
            log_share = np.log(share)
            power = np.exp(moment * log_share)
            weight = power / power.sum()
            generalised = (share * log_share).sum() if moment == 1 else np.log(power.sum())
            rows.append((generalised, (weight * log_share).sum(), (weight * np.log(weight)).sum()))
        lines = [line(logs, np.array(column)) for column in zip(*rows, strict=True)]
        slopes[index], errors[index] = [each.slope for each in lines], lines[0].error
    below = np.where(moments == 1, 1, moments - 1)
    return Multifractal(moments, slopes[:, 0] / below, errors / np.abs(below), slopes[:, 1], slopes[:, 2])


def _sides(shape: tuple[int, ...]) -> Array:
    largest = max(SMALLEST_BOX + 3, min(shape) // LARGEST_SHARE)
    return np.unique(np.geomspace(SMALLEST_BOX, largest, 18).round())


def _touched(pixels: Array, side: int) -> int:
    height, width = pixels.shape
    fewest = None
    for shift in sorted({round(side * step / SHIFTS) for step in range(SHIFTS)}):
        padded = np.pad(pixels, ((shift, -(height + shift) % side), (shift, -(width + shift) % side)))
        rows = np.logical_or.reduceat(padded, np.arange(0, padded.shape[0], side), axis=0)
        count = int(np.logical_or.reduceat(rows, np.arange(0, padded.shape[1], side), axis=1).sum())
        fewest = count if fewest is None else min(fewest, count)
    assert fewest is not None, "there is a grid"
    return fewest


def _otsu(lightness: Array) -> float:
    """Return the threshold between two groups of values whose means are farthest apart (Otsu 1979)."""
    counts, edges = np.histogram(lightness, 256)
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middle)
    with np.errstate(all="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][int(np.nanargmax(np.where(np.isfinite(between), between, -1)))])
