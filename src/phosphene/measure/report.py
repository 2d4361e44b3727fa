"""Everything that is measured of one picture, and of the frames of a film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.measure import colour, dimension, polar, spectrum
from phosphene.measure.colour import QUALITIES, Fringes
from phosphene.measure.dimension import Multifractal, Scaling
from phosphene.measure.fit import Array
from phosphene.measure.polar import SelfSimilarity
from phosphene.measure.spectrum import Spectrum
from phosphene.media.image.jpeg import as_jpeg

LARGEST = 2048
"""Longest side in pixels of what is measured: of a larger picture, its middle."""

SMALLEST = 32
"""Shortest side in pixels of what can be measured."""

SURE = 2.0
"""Standard errors on both sides of a slope that are told."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured of a picture of `size` (height, width)."""

    size: tuple[int, int]
    spectrum: Spectrum = field(repr=False)
    set_name: str
    boxes: Scaling = field(repr=False)
    correlation: Scaling = field(repr=False)
    multifractal: Multifractal = field(repr=False)
    self_similarity: SelfSimilarity = field(repr=False)
    symmetries: dict[str, float]
    seam: float
    fringes: Fringes
    jpeg: dict[int, Fringes] = field(repr=False)
    clipping: tuple[float, float]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what was measured by name, as text for people."""
        yield "size", f"{self.size[1]}x{self.size[0]}"
        low, high = (np.exp(each) for each in self.spectrum.line.range)
        slope = self.spectrum.line
        yield "spectrum 1/f^a, a", f"{_sure(self.spectrum.exponent, slope.error)}, R² {slope.r_squared:.3f}"
        yield "  its line fitted from", f"{low:.3g} to {high:.2g} cycles per pixel"
        yield "box dimension", f"{self.set_name}: " + _sure(-self.boxes.line.slope, self.boxes.line.error)
        low, high = (np.exp(each) for each in self.boxes.line.range)
        yield "  boxes of", f"{low:.0f} to {high:.0f} pixels"
        yield "correlation dimension", _sure(self.correlation.line.slope, self.correlation.line.error)
        low, high = (np.exp(each) for each in self.correlation.line.range)
        yield "  distances of", f"{low:.0f} to {high:.0f} pixels"
        found = self.multifractal
        sure = map(_sure, found.dimensions.tolist(), found.errors.tolist())
        named = dict(zip(found.moments.tolist(), sure, strict=True))
        yield "multifractal D(1), D(2)", ", ".join(named[q] for q in (1.0, 2.0))
        alpha = self.multifractal.alpha
        yield "  alpha from", f"{alpha.min():.3f} to {alpha.max():.3f}"
        yield "like itself", _peak(self.self_similarity)
        yield "symmetry", ", ".join(polar.symmetry_found(self.symmetries)) or "none"
        yield "seam of opposite edges", f"{self.seam:.2f} of a pixel's step"
        yield "colour fringes", f"{self.fringes.strength:.3f} of the lightness at edges"
        yield "  spread of hues", f"{self.fringes.spread:.2f}"
        for quality, again in self.jpeg.items():
            yield f"  as a JPEG of {quality}", f"{again.strength:.3f}"
        yield "clipped", f"{self.clipping[0]:.2%} black, {self.clipping[1]:.2%} white"

    def record(self) -> dict[str, Any]:
        """Return what was measured, for programs."""
        return {
            "size": [self.size[1], self.size[0]],
            "spectrum": {"exponent": self.spectrum.exponent, **_line(self.spectrum.line)},
            "set": self.set_name,
            "box_dimension": {"dimension": -self.boxes.line.slope, **_line(self.boxes.line)},
            "correlation_dimension": {"dimension": self.correlation.line.slope, **_line(self.correlation.line)},
            "multifractal": {
                name: [round(float(each), 4) for each in values] for name, values in vars(self.multifractal).items()
            },
            "self_similarity": {
                "factor": self.self_similarity.best,
                "likeness": _or_none(self.self_similarity.best_likeness),
                "turn": _or_none(self.self_similarity.best_turn),
            },
            "symmetries": {name: round(value, 4) for name, value in self.symmetries.items()},
            "symmetry": polar.symmetry_found(self.symmetries),
            "seam": self.seam,
            "fringes": _fringes(self.fringes),
            "jpeg": {str(quality): _fringes(each) for quality, each in self.jpeg.items()},
            "clipping": {"black": self.clipping[0], "white": self.clipping[1]},
        }


def measure(pixels: Array, which: str = "auto") -> Measurements:
    """Measure a picture, h w 3, sRGB in [0, 1], at least `SMALLEST` pixels on each side.

    `which` is the set of pixels whose dimension is measured, one of `dimension.SETS`.
    """
    size = (pixels.shape[0], pixels.shape[1])
    top, left = ((side - min(side, LARGEST)) // 2 for side in size)
    seam = polar.seam(pixels)
    pixels = pixels[top : top + LARGEST, left : left + LARGEST]
    light = colour.lightness(pixels)
    chosen, name = dimension.chosen(light, which)
    return Measurements(
        size,
        spectrum.spectrum(light),
        name,
        dimension.box_counting(chosen),
        dimension.correlation(chosen),
        dimension.multifractal(light),
        polar.self_similarity(light),
        polar.symmetries(light),
        seam,
        colour.fringes(pixels),
        {quality: colour.fringes(as_jpeg(pixels, quality)) for quality in QUALITIES},
        colour.clipping(pixels),
    )


def _sure(value: float, error: float) -> str:
    return f"{value:.3f} ± {SURE * error:.3f}"


def _peak(found: SelfSimilarity) -> str:
    if found.best is None:
        return "at no magnification"
    return f"{found.best_likeness:.2f} when magnified {found.best:.2f} times and turned by {found.best_turn:.0f}°"


def _line(found: Any) -> dict[str, Any]:
    low, high = (float(np.exp(each)) for each in found.range)
    return {"error": found.error, "from": low, "to": high, "r_squared": found.r_squared}


def _fringes(found: Fringes) -> dict[str, Any]:
    return {
        "strength": found.strength,
        "spread": found.spread,
        "share": found.share,
        "hues": [round(float(each), 4) for each in found.hues],
        "bright_side": list(found.bright_side),
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
