"""Places a picture in the plane: the points of its pixels, and the view to show by default."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phosphene.fractals import escape, perturbation
from phosphene.fractals.escape import NEVER, Outcome, Rules
from phosphene.fractals.formula import Formula
from phosphene.fractals.program import Array

FINEST = 1e-13
"""Spacing of pixels, relative to the distance from 0, below which double precision does not tell points apart."""

EVERYTHING = 4.0
"""Half the side of the square that is looked at to find what to show."""

_LOOK = 96
_STAYS = 20
_MARGIN = 1.3
_ORBIT_MARGIN = 1.15
_SETTLING = 200
_FIRST_ITERATIONS = 200
_MOST_ITERATIONS = 50_000
_FEW = 0.0007
"""Share of points that may leave in the second half of the iterations where their number is chosen."""


@dataclass(frozen=True)
class Viewport:
    """A rectangle of the plane: `centre` as two decimal numbers, its `width`, how far it is turned in degrees."""

    centre: tuple[str, str]
    width: float
    turn: float = 0.0

    def spacing(self, columns: int) -> float:
        """Return the distance between pixels of a picture with this many columns."""
        return self.width / columns

    def deep(self, columns: int) -> bool:
        """Return whether double precision is too coarse for it."""
        far = math.hypot(*map(float, self.centre))
        return self.spacing(columns) < FINEST * max(far, self.width)

    def differences(self, size: tuple[int, int], rows: slice, per_pixel: int) -> tuple[Array, Array]:
        """Return the points of some rows of a picture as differences from the centre, flat; y is up.

        `per_pixel` is how many points there are along each side of a pixel.
        """
        height, width = size
        step = self.width / (width * per_pixel)
        across = (np.arange(width * per_pixel) + 0.5 - width * per_pixel / 2) * step
        down = np.arange(rows.start * per_pixel, rows.stop * per_pixel) + 0.5 - height * per_pixel / 2
        x, y = np.meshgrid(across, -down * step)
        angle = math.radians(self.turn)
        cosine, sine = math.cos(angle), math.sin(angle)
        return (x * cosine + y * sine).ravel(), (y * cosine - x * sine).ravel()

    def pixels_of(self, size: tuple[int, int], x: Array, y: Array) -> tuple[Array, Array]:
        """Return the column and row of each place, as numbers that may be outside of the picture."""
        height, width = size
        angle = math.radians(self.turn)
        across, up = x - float(self.centre[0]), y - float(self.centre[1])
        cosine, sine = math.cos(angle), math.sin(angle)
        step = self.spacing(width)
        turned = across * cosine - up * sine, up * cosine + across * sine
        return turned[0] / step + width / 2, height / 2 - turned[1] / step


@dataclass(frozen=True, eq=False)
class Scene:
    """A formula, the rules of its iteration and a view of it, in whichever precision that needs."""

    formula: Formula
    rules: Rules
    view: Viewport

    def look(self, da: Array, db: Array, columns: int) -> Outcome:
        """Return what becomes of points, given as differences from the centre of the view."""
        centre = self.view.centre
        if self.view.deep(columns):
            digits = math.ceil(-math.log10(self.view.spacing(columns))) + perturbation.GUARD
            return perturbation.iterate(perturbation.prepare(self.formula, centre, digits, self.rules), da, db)
        ready = escape.prepare(self.formula, self.rules)
        return escape.iterate(ready, da + float(centre[0]), db + float(centre[1]))


def choose_view(formula: Formula, rules: Rules, size: tuple[int, int]) -> Viewport:
    """Return a view of everything that stays for a while within `EVERYTHING` of 0."""
    everything = Viewport(("0", "0"), EVERYTHING)
    if rules.settles is not None:
        return everything
    side = (np.arange(_LOOK) + 0.5) / _LOOK * 2 * EVERYTHING - EVERYTHING
    x, y = np.meshgrid(side, side)
    quick = Rules(_STAYS, rules.bailout)
    count = escape.iterate(escape.prepare(formula, quick), x.ravel(), y.ravel()).count.reshape(x.shape)
    stays = count == NEVER
    if not stays.any() or stays.all():
        return everything
    columns, rows = side[stays.any(axis=0)], side[stays.any(axis=1)]
    width, height = (float(np.ptp(each)) + side[1] - side[0] for each in (columns, rows))
    centre = tuple(f"{round((each[0] + each[-1]) / 2, 2):.2f}" for each in (columns, rows))
    wide = max(width, height * size[1] / size[0]) * _MARGIN
    return Viewport((centre[0], centre[1]), float(f"{wide:.2g}"))


def choose_orbit_view(formula: Formula, rules: Rules, size: tuple[int, int]) -> Viewport:
    """Return a view of where orbits are after `_SETTLING` applications."""
    side = (np.arange(_LOOK) + 0.5) / _LOOK * 2 * EVERYTHING - EVERYTHING
    x, y = np.meshgrid(side, side)
    found = escape.iterate(escape.prepare(formula, Rules(_SETTLING, rules.bailout)), x.ravel(), y.ravel())
    stays = found.count == NEVER
    if not stays.any():
        return Viewport(("0", "0"), EVERYTHING)
    x, y = found.x[stays], found.y[stays]
    width, height = float(np.ptp(x)), float(np.ptp(y))
    centre = tuple(f"{(float(each.min()) + float(each.max())) / 2:.2f}" for each in (x, y))
    wide = max(width, height * size[1] / size[0], 1e-3) * _ORBIT_MARGIN
    return Viewport((centre[0], centre[1]), float(f"{wide:.2g}"))


def choose_iterations(scene: Scene, size: tuple[int, int]) -> int:
    """Return a number of iterations after which hardly any more points of a picture leave."""
    small = (24, max(1, round(24 * size[1] / size[0])))
    da, db = scene.view.differences(small, slice(0, small[0]), 2)
    iterations = _FIRST_ITERATIONS
    while iterations < _MOST_ITERATIONS:
        rules = Rules(2 * iterations, scene.rules.bailout, scene.rules.settles, scene.rules.trap)
        count = Scene(scene.formula, rules, scene.view).look(da, db, size[1]).count
        late = float(((count > iterations) & (count != NEVER)).mean())
        early = float(((count <= iterations) & (count != NEVER)).mean())
        if late < _FEW and early > 0:
            break
        if late == 0 and iterations >= 16 * _FIRST_ITERATIONS:
            break
        iterations *= 2
    return iterations
