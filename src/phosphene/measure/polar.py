"""Likeness of a picture to itself, magnified and turned: in log-polar coordinates both are shifts.

Symmetry is likeness after a turn or a reflection alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phosphene.measure.fit import Array

ANGLES = 360
RINGS_PER_FACTOR = 120
"""Rings in each factor of e of the radius."""

INNERMOST = 6.0
"""Radius in pixels of the innermost ring: nearer, pixels are too coarse for the angles."""

OVERLAP = 0.35
"""Least share of the rings that two magnifications must have in common to be compared."""

SMALLEST_FACTOR = 1.12
"""Magnification from which a peak counts: anything is like itself when it is hardly moved."""

LIKE = 0.2
"""Correlation from which a magnification is said to be like the picture."""

SYMMETRIC = 0.8
"""Correlation from which a symmetry is said to be there."""

MOST_SECTORS = 12


@dataclass(frozen=True, eq=False)
class SelfSimilarity:
    """How like a picture is to itself at each magnification, at the best turn.

    Attributes:
        factor: magnifications.
        likeness: the highest correlation over all turns, -1 to 1.
        turn: that turn in degrees.
        best: the magnification of the highest peak; None if there is none.
        best_likeness, best_turn: at that peak.
    """

    factor: Array = field(repr=False)
    likeness: Array = field(repr=False)
    turn: Array = field(repr=False)
    best: float | None
    best_likeness: float
    best_turn: float


def log_polar(lightness: Array) -> Array:
    """Return a picture around its centre, rings by angles (anticlockwise from the right), evenly in log radius."""
    height, width = lightness.shape
    outermost = min(height, width) / 2 - 1
    rings = max(8, round(np.log(outermost / INNERMOST) * RINGS_PER_FACTOR))
    radius = INNERMOST * np.exp(np.arange(rings) / RINGS_PER_FACTOR)
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    x = (width - 1) / 2 + radius[:, None] * np.cos(angle)
    y = (height - 1) / 2 - radius[:, None] * np.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    left, top = np.clip(left, 0, width - 2), np.clip(top, 0, height - 2)
    above = lightness[top, left] * (1 - u) + lightness[top, left + 1] * u
    below = lightness[top + 1, left] * (1 - u) + lightness[top + 1, left + 1] * u
    return np.asarray(above * (1 - v) + below * v)


def self_similarity(lightness: Array, other: Array | None = None) -> SelfSimilarity:
    """Compare a picture with itself, or with `other`, magnified about the centre by each factor and turned.

    With `other`, the factor is that by which the picture has to be magnified to be like `other`.
    """
    first = log_polar(lightness)
    second = first if other is None else log_polar(other)
    rings = min(len(first), len(second))
    first, second = first[:rings], second[:rings]
    shifts = range(max(1, int(rings * (1 - OVERLAP))))
    likeness, turn = np.zeros(len(shifts)), np.zeros(len(shifts))
    for index, shift in enumerate(shifts):
        both = _correlations(first[: rings - shift], second[shift:])
        best = int(np.argmax(both))
        likeness[index], turn[index] = both[best], best * 360 / ANGLES
    factor = np.exp(np.arange(len(shifts)) / RINGS_PER_FACTOR)
    peak = _highest_peak(factor, likeness, 1.0 if other is not None else SMALLEST_FACTOR)
    turn = np.where(turn > 180, turn - 360, turn)
    if peak is None:
        return SelfSimilarity(factor, likeness, turn, None, float("nan"), float("nan"))
    return SelfSimilarity(factor, likeness, turn, float(factor[peak]), float(likeness[peak]), float(turn[peak]))


def symmetries(lightness: Array) -> dict[str, float]:
    """Return the likeness of a picture to itself after each rotation and reflection about its centre, by name.

    "rotate:N" for a turn by 360/N degrees, "mirror" for left and right, "flip" for up and down.
    """
    polar = log_polar(lightness)
    turned = _correlations(polar, polar)
    found = {
        f"rotate:{sectors}": float(np.interp(ANGLES / sectors, np.arange(ANGLES), turned))
        for sectors in range(2, MOST_SECTORS + 1)
    }
    reflected = _correlations(polar, polar[:, -np.arange(ANGLES) % ANGLES])
    # Angle t goes to -t (flip) shifted by 180 degrees (mirror).
    return {"mirror": float(reflected[ANGLES // 2]), "flip": float(reflected[0]), **found}


def symmetry_found(likeness: dict[str, float]) -> list[str]:
    """Return the symmetries that are there, the largest rotation only."""
    there = [name for name, value in likeness.items() if value >= SYMMETRIC]
    rotations = [int(name.partition(":")[2]) for name in there if ":" in name]
    kept = [each for each in rotations if not any(other > each and other % each == 0 for other in rotations)]
    return [*(name for name in there if ":" not in name), *(f"rotate:{each}" for each in kept)]


def seam(pixels: Array) -> float:
    """Return how much opposite edges differ, relative to neighbours inside: about 1 for a picture that tiles."""
    inside = np.sqrt(np.mean([np.mean(np.diff(pixels, axis=axis) ** 2) for axis in (0, 1)]))
    edges = np.sqrt(np.mean([np.mean((pixels[0] - pixels[-1]) ** 2), np.mean((pixels[:, 0] - pixels[:, -1]) ** 2)]))
    return float(edges / max(inside, 1e-9))


def _correlations(first: Array, second: Array) -> Array:
    """Return the correlation of two log-polar pictures for each turn of the first."""
    first, second = first - first.mean(), second - second.mean()
    product = np.fft.irfft(np.conj(np.fft.rfft(first, axis=1)) * np.fft.rfft(second, axis=1), ANGLES, axis=1).sum(0)
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return np.asarray(product / scale if scale > 1e-12 else np.zeros(ANGLES))


def _highest_peak(factor: Array, likeness: Array, smallest: float) -> int | None:
    """Return the index of the highest local maximum, or of the first one that is nearly as high."""
    inside = [
        index
        for index in range(1, len(likeness) - 1)
        if factor[index] >= smallest and likeness[index] >= max(LIKE, likeness[index - 1], likeness[index + 1])
    ]
    if smallest <= 1 and len(likeness) > 1 and likeness[0] > likeness[1]:
        inside.insert(0, 0)
    if not inside:
        return None
    highest = max(likeness[index] for index in inside)
    return next(index for index in inside if likeness[index] >= highest - 0.02)
