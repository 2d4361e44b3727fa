"""Makes clouds.jpg, the example picture: clouds over a blue sky, from 1/f noise. Always the same.

    .venv/bin/python examples/make_clouds.py [FILE]

The noise is a field whose Fourier amplitudes fall as frequency to the power -1.6, which is how cloud cover is
distributed; it is bent by a second field, seen in perspective, and lit from the upper left by following the
light through it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 512, 768
FIELD = 1024  # side of the noise, which repeats
SEED = 2015
COVER = 0.18  # the level of noise above which there is cloud
BEND = 7.0  # how far the second field moves the first, in its points
SUN = (-0.8, -0.6)  # where the light comes from: columns, rows

Plane = NDArray[np.float64]


def noise(rng: np.random.Generator, falloff: float) -> Plane:
    """A field of mean 0 and deviation 1 whose amplitudes fall as frequency to the power -falloff."""
    y, x = np.fft.fftfreq(FIELD)[:, None], np.fft.rfftfreq(FIELD)[None]
    frequency = np.maximum(np.hypot(x, y), 3 / FIELD)
    spectrum = np.fft.rfft2(rng.standard_normal((FIELD, FIELD))) * frequency**-falloff
    field = np.fft.irfft2(spectrum, (FIELD, FIELD))
    return (field - field.mean()) / field.std()


def sample(field: Plane, x: Plane, y: Plane) -> Plane:
    """The field at positions between its points, repeating at its edges."""
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    at = lambda dx, dy: field[(top + dy) % FIELD, (left + dx) % FIELD]  # noqa: E731
    return (at(0, 0) * (1 - u) + at(1, 0) * u) * (1 - v) + (at(0, 1) * (1 - u) + at(1, 1) * u) * v


def smooth(low: float, high: float, value: Plane) -> Plane:
    """0 below `low`, 1 above `high`, and an even rise between them."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def clouds() -> Plane:
    """The picture, height x width x 3, in [0, 1]."""
    rng = np.random.default_rng(SEED)
    shape, fine = noise(rng, 1.6), noise(rng, 1.3)
    bend_x, bend_y = noise(rng, 2.0), noise(rng, 2.0)

    row, column = (np.mgrid[0 : 2 * HEIGHT, 0 : 2 * WIDTH] + 0.5) / 2  # four samples a pixel
    # A flat layer of cloud overhead: what is lower in the picture is further away, so smaller and flatter.
    distance = 1 / (0.42 + 0.85 * (1 - row / HEIGHT))
    x = (column - WIDTH / 2) * distance * 0.75
    y = 420 * distance

    def density(dx: float, dy: float) -> Plane:
        u, v = x + dx * distance, y + dy * distance
        u, v = u + BEND * sample(bend_x, u, v), v + BEND * sample(bend_y, u, v)
        level = sample(shape, u, v) + 0.42 * sample(fine, u * 1.3, v * 1.3) - COVER
        return np.clip(level, 0, None)

    here = density(0, 0)
    cover = 1 - np.exp(-2.4 * smooth(0.0, 0.9, here) - 1.2 * here)
    near, far = (sum(density(SUN[0] * r, SUN[1] * r) for r in reach) / 3 for reach in ((2, 4, 7), (11, 18, 30)))
    lit = np.exp(-0.35 * np.maximum(far + 0.4 * here - 0.2, 0) - 0.9 * np.maximum(near - here + 0.1, 0))

    height = (1 - row / HEIGHT)[..., None]
    sky = (1 - height) ** 1.4 * np.array([0.66, 0.80, 0.93]) + (1 - (1 - height) ** 1.4) * np.array([0.13, 0.34, 0.68])
    bright, dark = np.array([1.0, 0.99, 0.97]), np.array([0.50, 0.56, 0.66])
    cloud = lit[..., None] * bright + (1 - lit[..., None]) * dark
    haze = 0.35 * (1 - height) ** 2
    cloud = cloud * (1 - haze) + np.array([0.80, 0.86, 0.93]) * haze
    picture = sky * (1 - cover[..., None]) + cloud * cover[..., None]
    return np.clip(picture, 0, 1).reshape(HEIGHT, 2, WIDTH, 2, 3).mean(axis=(1, 3))


def main() -> None:
    """Write the picture beside this file, or where the first argument says."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("clouds.jpg")
    Image.fromarray((clouds() * 255 + 0.5).astype(np.uint8)).save(path, quality=93, subsampling=0)


if __name__ == "__main__":
    main()
