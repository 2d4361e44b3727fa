"""The power spectrum of a picture's lightness, and the power of the frequency with which it falls.

Photographs fall with about the square of the frequency (Field, "Relations between the statistics of natural images and
the response properties of cortical cells", 1987).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phosphene.measure.fit import Array, Line, line

LOWEST_WAVES = 6
"""Waves across the shorter side from which the line is fitted: fewer are a picture's layout."""

HIGHEST = 0.35
"""Cycles per pixel to which the line is fitted: beyond, a grid of pixels is not round."""

_BINS = 40


@dataclass(frozen=True, eq=False)
class Spectrum:
    """`power` at each `frequency` (cycles per pixel), averaged over directions, and the line through their logarithms.

    The slope is minus the exponent a of 1/f^a.
    """

    frequency: Array = field(repr=False)
    power: Array = field(repr=False)
    line: Line

    @property
    def exponent(self) -> float:
        """The power of the frequency with which the spectrum falls."""
        return -self.line.slope


def spectrum(lightness: Array) -> Spectrum:
    """Measure the spectrum of a picture's lightness, h w, through a Hann window."""
    height, width = lightness.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    mean = (lightness * window).sum() / window.sum()
    power = np.abs(np.fft.rfft2((lightness - mean) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    lowest = LOWEST_WAVES / min(height, width)
    edges = np.geomspace(lowest / 2, 0.5, _BINS + 1)
    index = np.digitize(radius.ravel(), edges) - 1
    inside = (index >= 0) & (index < _BINS)
    index, values, radii = index[inside], power.ravel()[inside], radius.ravel()[inside]
    count = np.bincount(index, minlength=_BINS)
    with np.errstate(all="ignore"):
        # Means of logarithms would be biased by the noise of each wave, and means of steep powers within a bin: so each
        # wave is multiplied by its frequency squared first, which is about flat for photographs.
        flat = np.bincount(index, values * radii**2, _BINS) / count
        frequency = np.exp(np.bincount(index, np.log(radii), _BINS) / count)
        mean_power = flat / frequency**2
    fitted = (count > 2) & (frequency >= lowest) & (frequency <= HIGHEST) & (mean_power > 0)
    found = line(np.log(frequency[fitted]), np.log(mean_power[fitted]), count[fitted].astype(float))
    kept = (count > 0) & (mean_power > 0)
    return Spectrum(frequency[kept], mean_power[kept], found)
