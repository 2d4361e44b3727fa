"""From what became of points to colours: smooth counts, distances, slopes, roots, and pictures as traps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from phosphene.fractals.escape import NEVER, Outcome, Rules
from phosphene.fractals.formula import Formula
from phosphene.fractals.palette import SHADES, decode, lightened
from phosphene.fractals.program import Array

LIGHT = math.radians(135)
"""Where light comes from, anticlockwise from the right: the upper left."""

LIGHT_HEIGHT = 1.3
REACH = 0.4
"""How near the set darkens a pixel, in pixels."""

FIRST_ROOT = 0.12
"""Where the colour of a root on the positive real axis is in the palette: past its darkest."""

_HUGE = 1e300


@dataclass(frozen=True, eq=False)
class Colours:
    """How outcomes are coloured.

    Attributes:
        palette: linear RGB, `SHADES` 3.
        cycles: how often the palette comes round while the smooth count grows tenfold.
        offset: where it begins, as a share of it.
        light: how strongly slopes are lit, 0 to 1.
        trap: the picture that catches points, linear RGB, h w 3; None for none.
    """

    palette: Array = field(repr=False)
    cycles: float = 1.0
    offset: float = 0.0
    light: float = 0.5
    trap: Array | None = field(default=None, repr=False)


def degree(formula: Formula) -> float | None:
    """Return the power with which the formula grows far from 0, if it is above 1; None if it does not grow as a power.

    >>> from phosphene.fractals.formula import parse
    >>> degree(parse("z^3 + c")), degree(parse("c*sin(z)"))
    (3.0, None)
    """
    found: dict[int, float | None] = {}
    graph = formula.graph
    for node in graph.needed(formula.next):
        operation, operands, name = graph.entries[node]
        powers = [found[each] for each in operands]
        if not operands:
            found[node] = 1.0 if name in ("x", "y") and operation == "variable" else 0.0
        elif any(power is None for power in powers):
            found[node] = None
        else:
            known = [power for power in powers if power is not None]
            found[node] = _degree(operation, known)
    both = [found[node] for node in formula.next]
    known = [power for power in both if power is not None]
    return max(known) if len(known) == 2 and max(known) > 1 else None


def _degree(operation: str, powers: list[float]) -> float | None:
    match operation:
        case "add" | "sub" | "maximum":
            return max(powers)
        case "mul":
            return sum(powers)
        case "div":
            return powers[0] - powers[1]
        case "sqrt":
            return powers[0] / 2
        case "abs":
            return powers[0]
        case "sign" | "atan2":
            return 0.0
    return 0.0 if all(power == 0 for power in powers) else None


def smooth_count(outcome: Outcome, rules: Rules, power: float | None) -> Array:
    """Return counts without steps; NaN for points that never left.

    With a known power of growth, n + 1 - log(log |z| / log bailout) / log power; else by where between the last two
    places the border lies. Points that settle do so quadratically near a simple root.
    """
    with np.errstate(all="ignore"):
        count = outcome.count.astype(np.float64)
        radius = np.nan_to_num(np.hypot(outcome.x, outcome.y), nan=_HUGE, posinf=_HUGE)
        border = math.log(rules.bailout)
        far = np.log(np.maximum(radius, rules.bailout))
        if power is not None:
            share = 1 - np.log(far / border) / math.log(power)
        else:
            near = np.log(np.clip(outcome.before, 1e-9, rules.bailout))
            share = (border - near) / np.maximum(far - near, 1e-9) - 1
        if rules.settles is not None:
            moved = np.clip(outcome.before, 1e-300, rules.settles)
            settled = -np.log(np.log(moved) / math.log(rules.settles)) / math.log(2)
            share = np.where(outcome.stopped, settled, share)
        elif rules.trap is not None:
            share = np.where(outcome.stopped, 0, share)
        smooth = count + np.clip(share, -1, 1)
        return np.where(outcome.count == NEVER, np.nan, np.maximum(smooth, 0))


def gradient_of(outcome: Outcome) -> tuple[Array, Array]:
    """Return the derivatives of |z| by both coordinates of the point, from the outcome's slopes."""
    slopes = outcome.slopes
    xa, ya = slopes["xa"], slopes["ya"]
    xb, yb = (slopes["xb"], slopes["yb"]) if "xb" in slopes else (-ya, xa)
    radius = np.hypot(outcome.x, outcome.y)
    along = (outcome.x * xa + outcome.y * ya) / radius
    return along, (outcome.x * xb + outcome.y * yb) / radius


def distance(outcome: Outcome) -> Array:
    """Estimate each escaped point's distance from the set to a factor of 2: |z| log |z| over the slope of |z|.

    Source: Milnor, "Self-similarity and hairiness in the Mandelbrot set" (1989).
    """
    with np.errstate(all="ignore"):
        radius = np.hypot(outcome.x, outcome.y)
        return np.asarray(radius * np.log(radius) / np.hypot(*gradient_of(outcome)))


def colour(outcome: Outcome, rules: Rules, colours: Colours, power: float | None, spacing: float) -> Array:
    """Return the colours of points, linear RGB, as many times 3.

    Args:
        outcome: what became of them.
        rules: of the iteration.
        colours: how to colour it.
        power: `degree` of the formula.
        spacing: the distance between pixels in the plane.
    """
    smooth = smooth_count(outcome, rules, power)
    left = ~np.isnan(smooth)
    with np.errstate(all="ignore"):
        place = colours.cycles * np.log10(1 + np.nan_to_num(smooth))
        if rules.settles is not None:
            place = np.where(outcome.stopped, FIRST_ROOT + _root(outcome), place)
    palette = colours.palette if rules.settles is None else lightened(colours.palette)
    shade = _look_up(palette, place + colours.offset)
    if rules.settles is not None:
        dimmed = 0.12 + 0.88 * np.exp(-np.nan_to_num(smooth) / 12)
        shade *= np.where(outcome.stopped, dimmed, 1)[:, None]
    if outcome.slopes:
        shade *= _relief(outcome, colours.light, spacing)[:, None]
    if colours.trap is not None and rules.trap is not None:
        shade = np.where(outcome.stopped[:, None], _caught(outcome, rules.trap, colours.trap), 0.5 * shade)
    return np.where(left[:, None], shade, 0)


def _look_up(palette: Array, place: Array) -> Array:
    return palette[(np.nan_to_num(place) % 1 * SHADES).astype(np.int64) % SHADES]


def _root(outcome: Outcome) -> Array:
    """Return the angle at which a point has settled, as a share of the circle."""
    angle = np.arctan2(outcome.y, outcome.x) / (2 * math.pi)
    near = np.hypot(outcome.x, outcome.y) < 1e-3
    return np.where(near, 0, np.round(angle, 6))


def _relief(outcome: Outcome, light: float, spacing: float) -> Array:
    """Return how light escaped points are: lit from one side, and dark where the set is nearer than a pixel."""
    with np.errstate(all="ignore"):
        along_a, along_b = gradient_of(outcome)
        steep = np.hypot(along_a, along_b)
        facing = (along_a * math.cos(LIGHT) + along_b * math.sin(LIGHT)) / np.where(steep > 0, steep, 1)
        lit = (facing + LIGHT_HEIGHT) / (1 + LIGHT_HEIGHT)
        near = np.clip(distance(outcome) / (REACH * spacing), 0, 1)
        found = (1 - light + light * np.nan_to_num(lit, nan=1.0)) * np.sqrt(np.nan_to_num(near, nan=1.0))
    return np.where(outcome.stopped, 1, found)


def _caught(outcome: Outcome, trap: tuple[float, float, float, float], picture: Array) -> Array:
    """Return the picture's colours where it caught points (bilinear)."""
    height, width = picture.shape[:2]
    centre_x, centre_y, half_width, half_height = trap
    across = np.clip(((outcome.x - centre_x) / half_width + 1) / 2 * width - 0.5, 0, width - 1)
    down = np.clip((1 - (outcome.y - centre_y) / half_height) / 2 * height - 0.5, 0, height - 1)
    across, down = np.nan_to_num(across), np.nan_to_num(down)
    left, top = across.astype(np.int64), down.astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = (across - left)[:, None], (down - top)[:, None]
    above = picture[top, left] * (1 - u) + picture[top, right] * u
    below = picture[bottom, left] * (1 - u) + picture[bottom, right] * u
    return np.asarray(above * (1 - v) + below * v)


def as_trap(pixels: Array) -> Array:
    """Return a picture (sRGB in [0, 1], h w 3) as a trap's, in linear light."""
    return decode(pixels.astype(np.float64))
