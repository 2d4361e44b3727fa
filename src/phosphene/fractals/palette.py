"""Palettes: cycles of colours, written down or taken from a picture.

Colours are mixed in Oklab, where equal steps look equal (Ottosson, "A perceptual color space for image processing",
2020).
"""

from __future__ import annotations

import itertools

import numpy as np

from phosphene.fractals.program import Array

SHADES = 4096
"""Colours of a cycle."""

ANCHORS = 9
"""Colours that are taken from a picture."""

DARKEST = 0.5
"""Lightness in Oklab of the darkest colour of a lightened palette."""

_SAMPLES = 4096
_ROUNDS = 12

_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip

PALETTES: dict[str, tuple[str, ...]] = {
    "dusk": ("0b1030", "25488a", "8fc4dc", "fdf3d7", "f0a24a", "a2382f", "33102e"),
    "ember": ("120508", "5a0f1c", "c33c1f", "f7a63c", "fff2c7", "b06a8a", "3b1c4a"),
    "moss": ("0a1a16", "2a6349", "a9cf95", "f6f3d9", "d9a441", "5f3718"),
    "ice": ("06121f", "145374", "5fb4c9", "f0f8f8", "9fb7d9", "3c3f7a"),
    "ink": ("101014", "55555c", "f4f1ea", "8c8c90"),
}
"""The palettes that have names, as cycles of sRGB colours."""


def named(name: str) -> Array:
    """Return a palette of `PALETTES` as linear RGB, `SHADES` 3."""
    colours = np.array([[int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)] for code in PALETTES[name]])
    return cycle(to_lab(decode(colours)))


def of_picture(pixels: Array) -> Array:
    """Return a palette of a picture's colours, ordered so that neighbours are alike.

    Args:
        pixels: sRGB in [0, 1], h w 3.

    Returns:
        linear RGB, `SHADES` 3; it begins with the darkest of `ANCHORS` colours.
    """
    flat = pixels.reshape(-1, 3).astype(np.float64)
    step = max(1, len(flat) // _SAMPLES)
    colours = to_lab(decode(flat[::step]))
    return cycle(_tour(_anchors(colours)))


def ramp(palette: Array) -> Array:
    """Return a palette's colours from dark to light, `SHADES` 3, beginning with black."""
    lab = to_lab(palette)
    order = np.argsort(lab[:, 0], kind="stable")
    kernel = np.ones(SHADES // 8) / (SHADES // 8)
    pad = (SHADES // 16, SHADES // 8 - SHADES // 16 - 1)
    smooth = np.stack([np.convolve(np.pad(lab[order, k], pad, mode="edge"), kernel, "valid") for k in range(3)], 1)
    rising = np.linspace(0, 1, SHADES)
    smooth[:, 0] = rising * smooth[-1, 0]
    smooth[:, 1:] *= np.minimum(1, rising * 4)[:, None]
    return np.clip(from_lab(smooth), 0, 1)


def lightened(palette: Array) -> Array:
    """Return a palette without its dark colours, which roots could not be told apart by once they are shaded."""
    lab = to_lab(palette)
    lab[:, 0] = DARKEST + (1 - DARKEST) * lab[:, 0]
    return np.clip(from_lab(lab), 0, 1)


def cycle(anchors: Array) -> Array:
    """Return smooth colours through Oklab anchors and back to the first, as linear RGB, `SHADES` 3."""
    count = len(anchors)
    place = np.arange(SHADES) / SHADES * count
    index, share = place.astype(int), (place % 1)[:, None]
    before, here, after, later = (anchors[(index + shift) % count] for shift in (-1, 0, 1, 2))
    # Monotone cubics (Fritsch and Carlson): no colour beyond those of the anchors.
    first, second = _slope(before, here, after), _slope(here, after, later)
    cubic = (
        (2 * share**3 - 3 * share**2 + 1) * here
        + (share**3 - 2 * share**2 + share) * first
        + (3 * share**2 - 2 * share**3) * after
        + (share**3 - share**2) * second
    )
    return np.clip(from_lab(cubic), 0, 1)


def decode(srgb: Array) -> Array:
    """Return linear light for sRGB."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def encode(linear: Array) -> Array:
    """Return sRGB for linear light."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def to_lab(linear: Array) -> Array:
    """Return Oklab for linear RGB."""
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T


def from_lab(lab: Array) -> Array:
    """Return linear RGB for Oklab."""
    return (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T


def _slope(before: Array, here: Array, after: Array) -> Array:
    left, right = here - before, after - here
    both = np.where(left + right == 0, 1, left + right)
    return np.where(left * right > 0, 2 * left * right / both, 0)


def _anchors(colours: Array) -> Array:
    """Return the means of groups of colours (k-means), from seeds that are as far apart as can be."""
    seeds = [colours[np.argmin(colours[:, 0])]]
    for _ in range(ANCHORS - 1):
        distance = np.min([np.sum((colours - seed) ** 2, axis=1) for seed in seeds], axis=0)
        seeds.append(colours[np.argmax(distance)])
    means = np.array(seeds)
    for _ in range(_ROUNDS):
        nearest = np.argmin(((colours[:, None] - means[None]) ** 2).sum(-1), axis=1)
        means = np.array([colours[nearest == k].mean(0) if np.any(nearest == k) else means[k] for k in range(ANCHORS)])
    return means


def _tour(anchors: Array) -> Array:
    """Return the anchors in the order of a short closed tour from the darkest (2-opt)."""
    rest = sorted(range(len(anchors)), key=lambda k: float(anchors[k, 0]))
    tour = [rest.pop(0)]
    while rest:
        near = min(rest, key=lambda k: float(np.sum((anchors[k] - anchors[tour[-1]]) ** 2)))
        rest.remove(near)
        tour.append(near)

    def length(order: list[int]) -> float:
        turned = anchors[order]
        return float(np.sqrt(((turned - np.roll(turned, -1, axis=0)) ** 2).sum(1)).sum())

    better = True
    while better:
        better = False
        for start, end in itertools.combinations(range(1, len(tour) + 1), 2):
            other = tour[:start] + tour[start:end][::-1] + tour[end:]
            if length(other) < length(tour) - 1e-9:
                tour, better = other, True
    return anchors[tour]
