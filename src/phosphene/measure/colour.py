"""Colour fringes at edges, what JPEG makes of them, and clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.fractals.palette import decode, to_lab
from phosphene.measure.fit import Array

QUALITIES = (50, 75, 90, 95)
"""Of the JPEGs that a picture is compared with."""

EDGES = 0.1
"""Share of the pixels, those with the steepest lightness, at which fringes are looked for."""

WIDEST = 8
"""Half the width in pixels of the surroundings that a fringe differs from."""

HUES = 12
"""Sectors of the circle of hues."""


@dataclass(frozen=True, eq=False)
class Fringes:
    """The colours that edges have and their surroundings have not.

    Attributes:
        strength: their contrast, relative to that of lightness at the same edges.
        hues: the share of each of `HUES` sectors of hue in them, from red (Oklab's a) anticlockwise.
        spread: how many hues there are, from 0 (one) to 1 (all alike).
        bright_side: mean difference of (a, b) from the dark to the bright side of edges.
        share: their contrast, relative to that of all colours of the picture.
    """

    strength: float
    hues: Array
    spread: float
    bright_side: tuple[float, float]
    share: float


def lightness(pixels: Array) -> Array:
    """Return the lightness in Oklab of a picture, h w 3 to h w."""
    return np.asarray(to_lab(decode(pixels.astype(np.float64)))[..., 0])


def fringes(pixels: Array) -> Fringes:
    """Measure the colour fringes of a picture."""
    lab = to_lab(decode(pixels.astype(np.float64)))
    fine = lab - np.stack([_blurred(lab[..., k]) for k in range(3)], axis=-1)
    down, across = np.gradient(lab[..., 0])
    steep = np.hypot(down, across)
    edges = steep >= np.quantile(steep, 1 - EDGES)
    a, b = fine[..., 1][edges], fine[..., 2][edges]
    light = fine[..., 0][edges]
    chroma = np.sqrt(np.mean(a**2 + b**2))
    hue = np.arctan2(b, a)
    weight = np.hypot(a, b)
    hues = np.bincount((hue / (2 * np.pi) * HUES).astype(int) % HUES, weight, HUES)
    hues = hues / max(hues.sum(), 1e-12)
    with np.errstate(all="ignore"):
        spread = float(-np.nansum(hues * np.log(np.where(hues > 0, hues, 1))) / np.log(HUES))
    side = np.sign(light)
    all_chroma = np.sqrt(np.mean((lab[..., 1:] - lab[..., 1:].mean((0, 1))) ** 2) * 2)
    return Fringes(
        float(chroma / max(np.sqrt(np.mean(light**2)), 1e-9)),
        hues,
        spread,
        (float(np.mean(a * side)), float(np.mean(b * side))),
        float(chroma / max(all_chroma, 1e-9)),
    )


def clipping(pixels: Array) -> tuple[float, float]:
    """Return the shares of samples that are black or white to the last of 8 bits, in any channel."""
    low, high = 0.5 / 255, 1 - 0.5 / 255
    return float((pixels <= low).mean()), float((pixels >= high).mean())


def _blurred(plane: Array) -> Array:
    """Return a plane blurred by a box of 2 `WIDEST` + 1, twice."""
    kernel = np.ones(2 * WIDEST + 1) / (2 * WIDEST + 1)
    for axis in (0, 1, 0, 1):
        padded = np.pad(plane, [(WIDEST, WIDEST) if k == axis else (0, 0) for k in range(2)], mode="edge")
        total = np.cumsum(padded, axis=axis)
        total = np.concatenate((np.zeros_like(np.take(total, [0], axis=axis)), total), axis=axis)
        count = len(kernel)
        upper = np.take(total, np.arange(count, total.shape[axis]), axis=axis)
        plane = (upper - np.take(total, np.arange(total.shape[axis] - count), axis=axis)) / count
    return plane
