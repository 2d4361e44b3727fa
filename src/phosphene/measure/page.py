"""One page of plots of what was measured, as SVG: one or two pictures in each plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from phosphene.measure.colour import HUES
from phosphene.measure.fit import Array, Line
from phosphene.measure.report import Measurements

COLOURS = ("#1b5e8c", "#c2541b", "#4f7f2a", "#7a3b86")
"""One for each file."""

PANEL, GAP = (380, 260), 40
_INSIDE = (66, 30, 12, 40)  # left, top, right, bottom

Series = tuple[Array, Array, Line | None]


def page(reports: Sequence[tuple[str, Measurements]]) -> str:
    """Return an SVG document with six plots, in each of which every report has a colour."""
    panels = [
        _plot("Power spectrum", "cycles per pixel", "power", _each(reports, _spectrum), log=True),
        _plot("Boxes that the set touches", "side in pixels", "boxes", _each(reports, _boxes), log=True),
        _plot("Pixels within a distance", "distance in pixels", "pixels", _each(reports, _correlation), log=True),
        _plot("Multifractal spectrum", "alpha", "f(alpha)", _each(reports, _multifractal)),
        _plot("Likeness to itself, magnified", "times", "correlation", _each(reports, _likeness)),
        _hues([report for _, report in reports]),
    ]
    width, height = 2 * PANEL[0] + 3 * GAP, 3 * PANEL[1] + 4 * GAP + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for index, (name, _) in enumerate(reports):
        colour = COLOURS[index % len(COLOURS)]
        x = GAP + index * (width - 2 * GAP) / max(1, len(reports))
        parts.append(f'<rect x="{x:.0f}" y="22" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18:.0f}" y="32">{escape(name)}</text>')
    for index, panel in enumerate(panels):
        x, y = GAP + index % 2 * (PANEL[0] + GAP), 30 + GAP + index // 2 * (PANEL[1] + GAP)
        parts.append(f'<g transform="translate({x},{y})">{panel}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _each(reports: Sequence[tuple[str, Measurements]], series: Callable[[Measurements], Series]) -> list[Series]:
    return [series(report) for _, report in reports]


def _spectrum(report: Measurements) -> Series:
    return report.spectrum.frequency, report.spectrum.power, report.spectrum.line


def _boxes(report: Measurements) -> Series:
    return report.boxes.scale, report.boxes.amount, report.boxes.line


def _correlation(report: Measurements) -> Series:
    return report.correlation.scale, report.correlation.amount, report.correlation.line


def _multifractal(report: Measurements) -> Series:
    order = np.argsort(report.multifractal.alpha)
    return report.multifractal.alpha[order], report.multifractal.spectrum[order], None


def _likeness(report: Measurements) -> Series:
    return report.self_similarity.factor, report.self_similarity.likeness, None


def _plot(title: str, across: str, up: str, several: Sequence[Series], *, log: bool = False) -> str:
    """Return one plot; with `log`, both axes are logarithmic and fitted lines are drawn."""
    left, top, right, bottom = _INSIDE
    scaled: list[tuple[Array, Array]] = []
    ends = [_ends(fitted) if log else None for *_, fitted in several]
    for x, y, _ in several:
        good = np.isfinite(x) & np.isfinite(y) & ((x > 0) & (y > 0) if log else True)
        scaled.append((np.log10(x[good]), np.log10(y[good])) if log else (x[good], y[good]))
    xs, ys = (np.concatenate([each[k] for each in (*scaled, *filter(None, ends))] or [np.zeros(1)]) for k in (0, 1))
    if not len(xs):
        xs = ys = np.array([0.0, 1.0])
    (x0, x1), (y0, y1) = (_range(each) for each in (xs, ys))
    width, height = PANEL[0] - left - right, PANEL[1] - top - bottom

    def place(x: Array | float, y: Array | float) -> tuple[Array, Array]:
        return np.asarray(left + (x - x0) / (x1 - x0) * width), np.asarray(top + (y1 - y) / (y1 - y0) * height)

    parts = [
        f'<text x="{left}" y="18" font-weight="bold">{title}</text>',
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>',
        f'<text x="{left + width / 2}" y="{PANEL[1] - 6}" text-anchor="middle" fill="#444">{across}</text>',
        f'<text transform="translate(12,{top + height / 2}) rotate(-90)" text-anchor="middle" fill="#444">{up}</text>',
    ]
    for value in _ticks(x0, x1):
        x, _ = place(value, y0)
        parts.append(f'<text x="{x:.1f}" y="{top + height + 15}" text-anchor="middle">{_label(value, log)}</text>')
    for value in _ticks(y0, y1):
        _, y = place(x0, value)
        parts.append(f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{_label(value, log)}</text>')
    for index, ((xs, ys), (_, _, line), fitted) in enumerate(zip(scaled, several, ends, strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(*place(xs, ys), strict=True))
        dots = ' stroke-dasharray="2 3"' if log else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"{dots}/>')
        if line is not None and fitted is not None:
            (xa, xb), (ya, yb) = place(*fitted)
            free = top + height - 8 - 15 * len(several) if line.slope > 0 else top + 16  # a corner without the line
            parts.append(
                f'<line x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}" stroke="{colour}" stroke-width="2"/>'
                f'<text x="{left + width - 6}" y="{free + 15 * index}" text-anchor="end" fill="{colour}">'
                f"slope {line.slope:.3f}</text>"
            )
    return "".join(parts)


def _ends(line: Line | None) -> tuple[Array, Array] | None:
    """Return the ends of a fitted line in decimal logarithms; None where nothing was fitted."""
    if line is None or not math.isfinite(line.slope):
        return None
    ends = np.array(line.range)
    return ends / math.log(10), (line.intercept + line.slope * ends) / math.log(10)


def _hues(reports: Sequence[Measurements]) -> str:
    """Return the rose of the hues of fringes: a wedge for each hue, as long as its share."""
    parts = ['<text x="58" y="18" font-weight="bold">Hues of the fringes</text>']
    radius = 80
    most = max(1e-9, *(float(report.fringes.hues.max()) for report in reports))
    for index, report in enumerate(reports[:2]):
        cx, cy = 110 + 180 * index, 130
        parts.append(f'<circle cx="{cx}" cy="{cy}" r="{radius}" fill="none" stroke="#bbb"/>')
        for sector, share in enumerate(report.fringes.hues):
            a, b = (2 * math.pi * (sector + k) / HUES for k in (0, 1))
            far = radius * math.sqrt(float(share) / most)
            corners = " L ".join(f"{cx + far * math.cos(t):.1f} {cy - far * math.sin(t):.1f}" for t in (a, b))
            colour = f"hsl({360 * (sector + 0.5) / HUES - 10:.0f},65%,50%)"
            parts.append(f'<path d="M {cx} {cy} L {corners} Z" fill="{colour}"/>')
        strength = f"strength {report.fringes.strength:.3f}, spread {report.fringes.spread:.2f}"
        parts.append(f'<text x="{cx}" y="{cy + radius + 20}" text-anchor="middle">{strength}</text>')
    return "".join(parts)


def _range(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10((high - low) / 2))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= 6:
            step *= factor
            break
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _label(value: float, log: bool) -> str:
    return f"{10**value:.3g}" if log else f"{value:.3g}"
