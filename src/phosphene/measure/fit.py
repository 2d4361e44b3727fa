"""Straight lines through points, with how sure their slope is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Line:
    """A straight line: slope and its standard error, intercept, the range of x that it was fitted in, and R squared."""

    slope: float
    error: float
    intercept: float
    range: tuple[float, float]
    r_squared: float


def line(x: Array, y: Array, weights: Array | None = None) -> Line:
    """Return the least-squares line; a slope of NaN for fewer than three points."""
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    weight = np.ones(len(x)) if weights is None else weights[good]
    if len(x) < 3 or np.ptp(x) == 0:
        return Line(float("nan"), float("nan"), float("nan"), (float("nan"), float("nan")), float("nan"))
    weight = weight / weight.sum()
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    spread = (weight * (x - mean_x) ** 2).sum()
    slope = (weight * (x - mean_x) * (y - mean_y)).sum() / spread
    intercept = mean_y - slope * mean_x
    rest = y - (slope * x + intercept)
    variance = (weight * rest**2).sum() / max(1, len(x) - 2) * len(x)
    error = np.sqrt(variance / (spread * len(x)))
    total = (weight * (y - mean_y) ** 2).sum()
    r_squared = 1 - (weight * rest**2).sum() / total if total > 0 else 1.0
    return Line(float(slope), float(error), float(intercept), (float(x.min()), float(x.max())), float(r_squared))
