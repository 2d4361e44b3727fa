"""Formulas mean what mathematics means by them, and whatever is none is answered in one line and in bounded time."""

from __future__ import annotations

import cmath
import time
from collections.abc import Callable
from contextlib import suppress

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phosphene.errors import ExpressionError
from phosphene.fractals import exact
from phosphene.fractals.complex_numbers import FUNCTIONS
from phosphene.fractals.formula import parse
from phosphene.fractals.program import evaluate

Complex = Callable[..., complex]

MEANINGS: dict[str, Complex] = {
    "z^2 + c": lambda z, c: z * z + c,
    "z**3 - 2z c + 1/z": lambda z, c: z**3 - 2 * z * c + 1 / z,
    "-z^2": lambda z, c: -(z**2),
    "2^-z^2": lambda z, c: 2 ** -(z**2),
    "z^2.5 + z^-0.5": lambda z, c: z**2.5 + z**-0.5,
    "z^(1+i)": lambda z, c: z ** (1 + 1j),
    "(2 + 7z - (2 + 5z) cos(pi z))/4": lambda z, c: (2 + 7 * z - (2 + 5 * z) * cmath.cos(cmath.pi * z)) / 4,
    "newton(z^3 - 1)": lambda z, c: z - (z**3 - 1) / (3 * z * z),
    "newton(sin(z) - k, 0.5); k = 0.3i": lambda z, c: z - 0.5 * (cmath.sin(z) - 0.3j) / cmath.cos(z),
    "diff(exp(z^2)/z)": lambda z, c: cmath.exp(z * z) * (2 - 1 / (z * z)),
    "diff(tan(z) + tanh(z) + sqrt(z))": lambda z, c: (
        1 / cmath.cos(z) ** 2 + 1 / cmath.cosh(z) ** 2 + 0.5 / cmath.sqrt(z)
    ),
    "diff(log(z) + atan(z) + z^1.5)": lambda z, c: 1 / z + 1 / (1 + z * z) + 1.5 * cmath.sqrt(z),
    "fold(z)^2 + conj(c)": lambda z, c: complex(abs(z.real), abs(z.imag)) ** 2 + c.conjugate(),
    "abs(z) + i arg(z) + re(c) im(c)": lambda z, c: abs(z) + 1j * cmath.phase(z) + c.real * c.imag,
    "a z + b; a = 2; b = a c": lambda z, c: 2 * z + 2 * c,
}
MEANINGS |= {
    f"{name}(z)": lambda z, c, name=name: getattr(cmath, name)(z) for name in FUNCTIONS if hasattr(cmath, name)
}

POINTS = [0.3 + 0.7j, -1.2 + 0.4j, 0.9 - 1.1j, -0.6 - 0.35j]


@pytest.mark.parametrize("text", MEANINGS)
def test_formulas_mean_what_they_say(text: str) -> None:
    formula, meaning = parse(text), MEANINGS[text]
    c = -0.4 + 0.6j
    for z in POINTS:
        wanted = meaning(z, c)
        variables = {"x": z.real, "y": z.imag, "a": c.real, "b": c.imag, "n": 0.0}
        found = complex(*map(float, evaluate(formula.graph, formula.next, variables)))
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-13)
        context = exact.context_for(30)
        values = exact.evaluate(
            formula.graph, formula.next, {name: mpmath.mpf(value) for name, value in variables.items()}, context
        )
        assert complex(*(float(values[node]) for node in formula.next)) == pytest.approx(wanted, rel=1e-12, abs=1e-13)


def test_pairs_are_of_real_numbers() -> None:
    formula = parse("(1 - 1.4 x^2 + y, 0.3 x)")
    found = evaluate(formula.graph, formula.next, {"x": 0.5, "y": 0.25, "a": 0.0, "b": 0.0})
    assert list(map(float, found)) == pytest.approx([0.9, 0.15])
    assert not formula.parameter
    assert np.isnan(evaluate(parse("(sqrt(x), y)").graph, parse("(sqrt(x), y)").next, {"x": -1.0, "y": 0.0})[0])


@pytest.mark.parametrize(
    ("text", "parameter", "start"),
    [
        ("z^2 + c", True, 0j),
        ("z^2 + c; c = 0.3i", False, 2 + 3j),
        ("c sin(z); z = pi/2", True, complex(cmath.pi / 2)),
        ("newton(z^3 - 1)", False, 2 + 3j),
        ("z^2 + c; z = c/2", True, 1 + 1.5j),
        ("(x + a, y)", True, 0j),
        ("(x, y + 1)", False, 2 + 3j),
        ("(x, y + a); x = 1; a = 2", False, 1 + 3j),
    ],
)
def test_where_formulas_start(text: str, parameter: bool, start: complex) -> None:
    formula = parse(text)
    assert formula.parameter == parameter
    assert complex(*map(float, evaluate(formula.graph, formula.start, {"a": 2.0, "b": 3.0}))) == start


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("z^2 +", "expected a number, a variable"),
        ("z^2 + q", "no variable or function named 'q'"),
        ("sine(z)", "did you mean sin?"),
        ("z^1000000000", "a power must be from -1000 to 1000"),
        ("9^9^9^9", "a power must be"),
        ("(" * 1000, "more than 24 deep"),
        ("-" * 1999, "but the text ends"),
        ("z^" * 999 + "z", "more than 24 deep"),
        ("z" * 1_000_000, "at most 2000 characters"),
        ("newton(" * 20 + "z^7-1" + ")" * 20, "more than 5000 operations"),
        ("newton(abs(z))", "a derivative needs"),
        ("z; i = 2", "has a meaning of its own"),
        ("z; k = z", "must not depend on z"),
        ("(x, y, z)", "expected an operator or ')'"),
        ("newton((x, y))", "no variable or function named 'x'"),
        ("__import__('os')", "no variable or function named '__import__'"),
        ("z.real", "expected an operator"),
        ("z = 2", "expected an operator"),
    ],
)
def test_what_is_no_formula_is_said_in_one_line(text: str, says: str) -> None:
    began = time.process_time()
    with pytest.raises(ExpressionError, match=r".") as caught:
        parse(text)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert time.process_time() - began < 10


WORDS = st.sampled_from(
    "z c i x y n k newton( diff( exp( fold( atan( conj( ( ) , ; = ^ ** + - * / 2 0 1e9 .5 1e-9999 1000".split()  # noqa: SIM905
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=40).map("".join) | st.text(max_size=40))
@example("z/0")
@example("0^0 + 0^-1")
@example("1e9999 z - 1e9999")
@example("log(0)/log(0)")
def test_any_text_is_a_formula_that_computes_or_a_one_line_error(text: str) -> None:
    with suppress(ExpressionError):
        formula = parse(text)
        variables = {name: np.array([0.0, 1.5, -2.0]) for name in "xyabn"}
        assert len(evaluate(formula.graph, [*formula.next, *formula.start], variables)) == 4
        return
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert len(str(caught.value).splitlines()) == 1
