"""Counts are those of one point at a time, in exact arithmetic too; deep views are those of high precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.fractals import escape, perturbation
from phosphene.fractals.escape import NEVER, Rules
from phosphene.fractals.formula import parse

Exact = Callable[[Any, Any, Any], Any]
MP = mpmath.mp.clone()

FORMULAS: dict[str, tuple[Exact, bool]] = {
    "z^2 + c": (lambda m, z, c: z * z + c, True),
    "z^2 + c; c = -0.8 + 0.156i": (lambda m, z, c: z * z + m.mpc("-0.8", "0.156"), False),
    "fold(z)^2 + c": (lambda m, z, c: m.mpc(abs(z.real), abs(z.imag)) ** 2 + c, True),
    "conj(z)^3 + c": (lambda m, z, c: m.conj(z) ** 3 + c, True),
    "(2 + 7z - (2 + 5z) cos(pi z))/4": (lambda m, z, c: (2 + 7 * z - (2 + 5 * z) * m.cospi(z)) / 4, False),
    "(x^2 - y^2 + a, 2 x y + b)": (lambda m, z, c: m.mpc(z.real**2 - z.imag**2, 2 * z.real * z.imag) + c, True),
    "exp(z)/z + c; z = 1": (lambda m, z, c: m.exp(z) / z + c, True),
    "newton(z^3 - 1)": (lambda m, z, c: z - (z**3 - 1) / (3 * z**2), False),
    "newton(z^5 - 2z + 2, 0.9)": (lambda m, z, c: z - m.mpf("0.9") * (z**5 - 2 * z + 2) / (5 * z**4 - 2), False),
    "newton(z^3 + (c - 1) z - c)": (lambda m, z, c: z - (z**3 + (c - 1) * z - c) / (3 * z**2 + c - 1), True),
    "newton(sin(z))": (lambda m, z, c: z - m.tan(z), False),
}


def counted(context: Any, step: Exact, z: Any, c: Any, rules: Rules) -> int:
    """Count the applications until |z| is above the bailout, or until z has moved no further than `settles`."""
    for count in range(rules.iterations + 1):
        try:
            if not (context.isfinite(z) and z.real**2 + z.imag**2 <= rules.bailout**2):
                return count
            before, z = z, step(context, z, c)
        except (ZeroDivisionError, OverflowError):
            return count + 1
        moved = z - before
        if rules.settles is not None and moved.real**2 + moved.imag**2 <= rules.settles**2:
            return count + 1 if count < rules.iterations else NEVER
    return NEVER


def rules_for(text: str, iterations: int, *, slopes: bool = False) -> Rules:
    return Rules(iterations, 1000.0, 1e-6 if parse(text).settles else None, slopes=slopes)


def differing(text: str, points: int, rules: Rules, seed: int = 0) -> list[complex]:
    """Return the points, of random ones, whose counts are not those of 60 digits."""
    step, parameter = FORMULAS[text]
    generator = np.random.default_rng(seed)
    a, b = generator.uniform(-2, 1.5, points), generator.uniform(-1.5, 1.5, points)
    count = escape.iterate(escape.prepare(parse(text), rules), a, b).count
    MP.dps = 60
    wrong = []
    for index in range(points):
        point = MP.mpc(a[index], b[index])
        begin = MP.mpc(0) if parameter else point
        begin = MP.mpc(1) if text.startswith("exp") else begin
        if counted(MP, step, begin, point, rules) != count[index]:
            wrong.append(complex(a[index], b[index]))
    return wrong


@pytest.mark.parametrize("text", FORMULAS)
def test_counts_are_exact(text: str) -> None:
    assert len(differing(text, 60, rules_for(text, 60))) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("text", FORMULAS)
def test_counts_of_a_thousand_points_are_exact(text: str) -> None:
    wrong = differing(text, 1000, rules_for(text, 100), seed=1)
    assert len(wrong) < 10, wrong
    for point in wrong:  # rounding has grown to the size of the bailout
        ready = escape.prepare(parse(text), rules_for(text, 100, slopes=True))
        found = escape.iterate(ready, np.array([point.real]), np.array([point.imag]))
        assert max(abs(float(slope[0])) for slope in found.slopes.values()) * 2.0**-52 > 1e-3, point


def plain(z: complex, c: complex, rules: Rules) -> int:
    for count in range(rules.iterations + 1):
        if not z.real * z.real + z.imag * z.imag <= rules.bailout**2:
            return count
        z = complex(z.real * z.real - z.imag * z.imag + c.real, 2 * (z.real * z.imag) + c.imag)
    return NEVER


def test_counts_are_those_of_a_plain_loop_to_the_last_bit() -> None:
    rules = Rules(700, 2.0)
    x, y = np.meshgrid(np.linspace(-2, 0.6, 61), np.linspace(-1.2, 1.2, 47))
    a, b = x.ravel() + 1e-3, y.ravel() - 7e-4
    count = escape.iterate(escape.prepare(parse("z^2 + c"), rules), a, b).count
    assert [plain(0j, complex(*each), rules) for each in zip(a, b, strict=True)] == count.tolist()


@pytest.mark.parametrize("iterations", [1, 2, 7, 24, 25, 33, 100])
def test_the_last_application_counts(iterations: int) -> None:
    rules = Rules(iterations, 2.0)
    a, b = np.linspace(-2.2, 0.5, 301), np.full(301, 0.01)
    count = escape.iterate(escape.prepare(parse("z^2 + c"), rules), a, b).count
    assert count.max() <= iterations
    wanted = [plain(0j, complex(*each), Rules(400, 2.0)) for each in zip(a, b, strict=True)]
    assert count.tolist() == [each if each <= iterations - (each == iterations) else NEVER for each in wanted]


def test_points_that_leave_one_by_one_from_a_calm_block_are_those_of_a_plain_loop() -> None:
    rules = Rules(400, 2.0, slopes=True)
    a = np.concatenate([np.full(2000, -0.1), np.linspace(-0.76, -0.74, 40)])
    b = np.concatenate([np.full(2000, 0.1), np.full(40, 0.05)])
    found = escape.iterate(escape.prepare(parse("z^2 + c"), rules), a, b)
    assert [plain(0j, complex(*each), rules) for each in zip(a, b, strict=True)] == found.count.tolist()
    left = found.count != NEVER
    assert len(set(found.count[left].tolist())) > 5
    assert (np.hypot(found.x, found.y)[left] > 2).all()
    assert (found.before[left] <= 2).all()
    for index in np.flatnonzero(left):
        alone = escape.iterate(escape.prepare(parse("z^2 + c"), rules), a[index : index + 1], b[index : index + 1])
        assert (alone.x[0], alone.slopes["xa"][0]) == (found.x[index], found.slopes["xa"][index])


def orbit(text: str, count: int) -> Iterator[tuple[float, float]]:
    formula = parse(text)
    ready = escape.prepare(formula, Rules(count, 1e9))
    found = escape.iterate(ready, np.array([0.3]), np.array([0.2]))
    yield float(found.x[0]), float(found.y[0])


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("(y, 0.9 x)", lambda x, y: (y, 0.9 * x)),
        ("(y, 0.5 x + 0.1)", lambda x, y: (y, 0.5 * x + 0.1)),
        ("(0.5 y, y)", lambda x, y: (0.5 * y, y)),
        ("(a, x)", lambda x, y: (0.3, x)),
        ("(x/2 + n/100, y)", None),
    ],
)
def test_states_that_pass_on_to_one_another(text: str, step: Callable[..., tuple[float, float]] | None) -> None:
    point = (0.0, 0.0) if parse(text).parameter else (0.3, 0.2)
    for index in range(41):
        point = (point[0] / 2 + index / 100, point[1]) if step is None else step(*point)
    assert next(orbit(text, 41)) == pytest.approx(point, rel=1e-12)


def test_newton_settles_on_the_roots() -> None:
    rules = Rules(100, 1e6, settles=1e-6)
    generator = np.random.default_rng(0)
    found = escape.iterate(escape.prepare(parse("newton(z^3 - 1)"), rules), *generator.uniform(-2, 2, (2, 500)))
    z = found.x + 1j * found.y
    assert found.stopped.all()
    assert np.abs(z**3 - 1).max() < 1e-9
    assert len(set(np.round(z, 6))) == 3


def test_slopes_are_those_of_small_differences() -> None:
    for text in ("z^2 + c", "fold(z)^2 + c", "c sin(z); z = 1"):
        rules = Rules(50, 1000.0, slopes=True)
        a, b = np.full(3, [0.41, 0.6, -0.9]), np.array([0.3, -0.5, 0.45])
        ready = escape.prepare(parse(text), rules)
        here, there = (escape.iterate(ready, a + shift, b) for shift in (-1e-8, 1e-8))
        middle = escape.iterate(ready, a, b)
        slope = (there.x - here.x) / 2e-8
        assert middle.slopes["xa"] == pytest.approx(slope, rel=1e-4)


DEEP = ("-0.77568377364", "0.13646737003")


@pytest.mark.parametrize(
    "text",
    [
        "z^2 + c",
        "fold(z)^2 + c",
        "newton(z^3 - 1)",
        "c sin(z); z = pi/2",
        "(2 + 7z - (2 + 5z) cos(pi z))/4",
        "z^2 + c; c = -0.8 + 0.156i",
        "exp(z)/z + c; z = 1",
        "z^1.7 + c; z = c",
        "tan(z) + c tanh(z)",
        "(x^2 - abs(y) + a, 2 x y + b)",
    ],
)
def test_differences_of_any_formula_give_the_same_counts(text: str) -> None:
    formula = parse(text)
    settles = 1e-6 if formula.settles else None
    rules = Rules(60, 1000.0, settles)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 25), np.linspace(-0.5, 0.5, 25))
    direct = escape.iterate(escape.prepare(formula, rules), x.ravel() - 0.6, y.ravel() + 0.3)
    deep = perturbation.prepare(formula, ("-0.6", "0.3"), 40, rules)
    assert (perturbation.iterate(deep, x.ravel(), y.ravel()).count != direct.count).mean() < 0.01


def test_deep_views_are_those_of_high_precision() -> None:
    """At a width of 1e-20, around a point where the Mandelbrot set has spirals in spirals."""
    MP.dps = 60
    centre = misiurewicz(23, 2, MP.mpc(*DEEP))
    digits = tuple(MP.nstr(part, 50) for part in (centre.real, centre.imag))
    rules = Rules(3000, 1000.0)
    deep = perturbation.prepare(parse("z^2 + c"), digits, 50, rules)
    da, db = np.random.default_rng(3).uniform(-5e-21, 5e-21, (2, 40))
    count = perturbation.iterate(deep, da, db).count
    exact = [
        counted(MP, FORMULAS["z^2 + c"][0], MP.mpc(0), centre + MP.mpc(x, y), rules)
        for x, y in zip(da, db, strict=True)
    ]
    assert count.tolist() == exact
    assert len(set(exact)) > 10


def misiurewicz(before: int, period: int, guess: Any) -> Any:
    """Return the point near `guess` whose critical orbit has this period (Newton's method)."""
    c = guess
    for _ in range(12):
        z, slope, kept = MP.mpc(0), MP.mpc(0), []
        for _ in range(before + period):
            z, slope = z * z + c, 2 * z * slope + 1
            kept.append((z, slope))
        (first, first_slope), (last, last_slope) = kept[before - 1], kept[-1]
        c -= (last - first) / (last_slope - first_slope)
    return c


def test_formulas_that_count_are_not_zoomed_into() -> None:
    with pytest.raises(SettingError, match="with n cannot"):
        perturbation.prepare(parse("z^2 + c/(n + 1)"), ("0", "0"), 30, Rules())
