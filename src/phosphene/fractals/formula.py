"""The language of formulas: read here, and never evaluated as a program. `docs/fractals.md` has the grammar.

z^2 + c                                   the Mandelbrot set
z^2 + c; c = -0.8 + 0.156i                a Julia set
newton(z^3 - 1)                           Newton's method
fold(z)^2 + c                             the Burning Ship
(x^2 - y^2 + a, 2 x y + b)                a pair of real functions
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from phosphene.errors import nearest
from phosphene.fractals.complex_numbers import FUNCTIONS, ComplexArithmetic, Value
from phosphene.fractals.graph import Graph
from phosphene.scanner import Scanner

LONGEST = 2000
"""Characters of a formula."""

DEEPEST = 24
"""Parentheses, powers and functions in one another."""

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4}(?![0-9]))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = ("newton", "diff")
_EXAMPLE = "a formula such as z^2 + c"
_VALUE = "a number, a variable, a function or '('"

PAIR = ("x", "y")


@dataclass(frozen=True, eq=False)
class Formula:
    """A formula: what is applied again and again, where it starts, as nodes of a graph.

    The graph's variables are x and y, the parts of what is iterated; a and b, the point of the plane; and n, the number
    of the iteration, from 0.

    Attributes:
        text: as it was written.
        next: the nodes of both parts after one application.
        start: the nodes of both parts before the first one.
        settles: whether it is Newton's method, whose points are told apart by where they settle.
        analytic: whether it has a complex derivative by z.
        parameter: whether each point of the plane has a function of its own, as in the Mandelbrot set.
    """

    text: str
    graph: Graph = field(repr=False)
    next: tuple[int, int]
    start: tuple[int, int]
    settles: bool
    analytic: bool
    parameter: bool

    @property
    def counts(self) -> bool:
        """Whether an application depends on how many there were before."""
        depends = self.graph.depends()
        return any("n" in depends[node] for node in self.next)


@lru_cache(maxsize=16)
def parse(text: str) -> Formula:
    """Read a formula.

    >>> parse("z^2 + c").parameter, parse("z^2 + c; c = i").parameter
    (True, False)

    Raises `ExpressionError` in one line for anything else, with the position.
    """
    return _Parser(text).whole()


class _Parser(Scanner):
    """Recursive descent, straight to the nodes of a graph."""

    number_form = _NUMBER

    def __init__(self, text: str) -> None:
        super().__init__(text, LONGEST, "formula", _EXAMPLE)
        self.graph = Graph()
        self.pair = self.peek() == "(" and self._has_comma()
        self.arithmetic = ComplexArithmetic(self.graph, real=self.pair)
        a, b = self.graph.variable("a"), self.graph.variable("b")
        x, y = self.graph.variable("x"), self.graph.variable("y")
        constant = self.arithmetic.constant
        shared = {name: constant(Value(self.graph.constant(name))) for name in ("pi", "e")}
        self.point: dict[str, Value] = {"a": Value(a), "b": Value(b)} if self.pair else {"c": constant(Value(a, b))}
        own = {"x": Value(x), "y": Value(y)} if self.pair else {"z": self.arithmetic.variable(x, y)}
        if not self.pair:
            shared["i"] = constant(Value(self.graph.number(0), self.graph.number(1)))
        self.names = {**shared, **self.point, **own, "n": Value(self.graph.variable("n"))}
        self.fixed = {*shared, "n", *own}
        self.start: dict[str, Value] = {}
        self.depth = 0
        self.settles = False
        self.used: set[str] = set()

    def whole(self) -> Formula:
        """body {';' name '=' sum}; the definitions are read first"""
        for start in [found.end() for found in re.finditer(";", self.text)]:
            self.at = start
            self.definition()
        self.at, self.used = 0, set()
        parts = self.body()
        if self.peek() not in ("", ";"):
            self.expected("an operator, ';' or the end")
        free = {name for name in self.point if name in self.used and self.names[name] == self.point[name]}
        begins = (self.starting("x", bool(free)), self.starting("y", bool(free)))
        analytic = not self.pair and parts[0].analytic
        nodes = (parts[0].real, parts[1].real) if self.pair else (parts[0].real, self.arithmetic.imaginary(parts[0]))
        return Formula(self.text, self.graph, nodes, begins, self.settles, analytic, bool(free))

    def starting(self, part: str, parameter: bool) -> int:
        """Return where a part starts: as defined, at 0 if the plane's points are parameters, else at the point."""
        if self.pair and part in self.start:
            return self.start[part].real
        if "z" in self.start:
            value = self.start["z"]
            return value.real if part == "x" else self.arithmetic.imaginary(value)
        return self.graph.number(0) if parameter else self.graph.variable({"x": "a", "y": "b"}[part])

    def definition(self) -> None:
        """name '=' sum"""
        self.peek()
        start = self.at
        found = self.match(_NAME)
        if found is None:
            self.expected("a name and '=', as in c = -0.8 + 0.156i")
        name = found.group()
        starts = PAIR if self.pair else ("z",)
        if name in FUNCTIONS or name in _SPECIAL or (name in self.fixed and name not in starts):
            self.fail(f"{name} has a meaning of its own: choose another name", start)
        if not self.accept("="):
            self.expected(f"'=', as in {name} = 0.5")
        self.used = set()
        value = self.sum()
        if self.peek() not in ("", ";"):
            self.expected("an operator, ';' or the end")
        if self.used & {*starts, "n"}:
            self.fail(f"{name} must not depend on {' or '.join(sorted(self.used & {*starts, 'n'}))}", start)
        if name in starts:
            self.start[name] = value
        else:
            self.names[name] = value

    def body(self) -> tuple[Value, ...]:
        if not self.pair:
            return (self.sum(),)
        self.accept("(")
        first = self.sum()
        if not self.accept(","):
            self.expected("',' and the second function of the pair")
        second = self.sum()
        if not self.accept(")"):
            self.expected("an operator or ')'")
        return first, second

    def sum(self) -> Value:
        value = self.product()
        while (sign := self.peek()) in ("+", "-") and sign:
            start = self.at
            self.at += 1
            right, left = self.product(), value
            make = self.arithmetic.add if sign == "+" else self.arithmetic.sub
            value = self.made(start, make, left, right)
        return value

    def product(self) -> Value:
        """power {('*' | '/' | nothing) power}: 2 x y is 2*x*y"""
        value = self.signed()
        while True:
            sign = self.peek()
            start = self.at
            if sign in ("*", "/") and sign:
                self.at += 1
            elif not (sign.isalnum() and sign.isascii()) and sign not in ("(", "_"):
                return value
            right, left = self.signed() if sign in ("*", "/") else self.power(), value
            make = self.arithmetic.div if sign == "/" else self.arithmetic.mul
            value = self.made(start, make, left, right)

    def signed(self) -> Value:
        """{'-' | '+'} power"""
        negative = False
        while (sign := self.peek()) in ("+", "-") and sign:
            negative ^= sign == "-"
            self.at += 1
        value = self.power()
        return self.made(self.at, self.arithmetic.neg, value) if negative else value

    def power(self) -> Value:
        """value ['^' signed], from the right: 2^3^2 is 2^9"""
        base = self.value()
        start = self.at
        if self.peek() == "^":
            self.at += 1
        elif self.text.startswith("**", self.at):
            self.at += 2
        else:
            return base
        with_depth = self.deeper(self.signed, start)
        return self.made(start, self.arithmetic.power, base, with_depth)

    def value(self) -> Value:
        sign = self.peek()
        start = self.at
        if sign == "(":
            self.at += 1
            value = self.deeper(self.sum, start)
            if not self.accept(")"):
                self.expected("an operator or ')'")
            return value
        number = self.match(_NUMBER)
        if number is not None:
            return self.made(start, self.arithmetic.number, number.group())
        name = self.match(_NAME)
        if name is None:
            self.expected(_VALUE)
        return self.named(name.group(), start)

    def named(self, name: str, start: int) -> Value:
        if name in FUNCTIONS or name in _SPECIAL:
            return self.call(name, start)
        if name not in self.names:
            known = [*self.names, *FUNCTIONS, *_SPECIAL]
            close = nearest(name, known)
            hint = f"; did you mean {close[0]}?" if close else f": there are {', '.join(self.names)}"
            self.fail(f"no variable or function named {name!r}{hint}", start)
        self.used.add(name)
        return self.names[name]

    def call(self, name: str, start: int) -> Value:
        """name '(' sum [',' sum] ')'"""
        if not self.accept("("):
            self.expected(f"'(' after {name}")
        inner = self.deeper(self.sum, start)
        relaxed = self.deeper(self.sum, start) if name == "newton" and self.accept(",") else None
        if not self.accept(")"):
            self.expected("an operator or ')'")
        if name in FUNCTIONS:
            return self.made(start, getattr(self.arithmetic, name), inner)
        if self.pair:
            self.fail(f"{name} needs a function of z, not a pair", start)
        if name == "diff":
            return self.made(start, self.arithmetic.derivative, inner, "x")
        self.settles = True
        self.used.add("z")
        after = self.made(start, self.arithmetic.newton, inner, self.names["z"])
        if relaxed is None:
            return after
        step = self.made(start, self.arithmetic.sub, after, self.names["z"])
        return self.made(
            start, self.arithmetic.add, self.names["z"], self.made(start, self.arithmetic.mul, relaxed, step)
        )

    def deeper(self, read: Callable[[], Value], start: int) -> Value:
        if self.depth == DEEPEST:
            self.fail(f"parentheses and powers stand more than {DEEPEST} deep in one another", start)
        self.depth += 1
        value = read()
        self.depth -= 1
        return value

    def made(self, start: int, make: Callable[..., Value], *operands: object) -> Value:
        return self.build(start, lambda: make(*operands))

    def _has_comma(self) -> bool:
        """Return whether the first parenthesis holds a comma of its own, as a pair does."""
        depth = 0
        for sign in self.text[self.at :]:
            depth += (sign == "(") - (sign == ")")
            if depth == 0:
                return False
            if depth == 1 and sign == ",":
                return True
        return False
