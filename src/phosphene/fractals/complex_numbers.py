"""Complex arithmetic on a graph of real operations: a complex value is two nodes, a real one is one.

Array libraries compute real functions many times as fast as complex ones, and parts that both components share are
computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from phosphene.errors import SettingError
from phosphene.fractals.graph import Graph

LARGEST_POWER = 1000
"""Whole powers up to this are products; larger ones are refused, as no picture shows them."""


MOST_TERMS = 6
"""Terms of a polynomial that is known as one."""


@dataclass(frozen=True)
class Value:
    """A value: the nodes of its real and imaginary part, `imaginary` None for a real one.

    `analytic` says that it has a complex derivative: that neither conj, abs, re, im nor arg is in it. `terms` has the
    coefficients of a polynomial of what is iterated, by power, where it was written as a sum of few; None for others.
    """

    real: int
    imaginary: int | None = None
    analytic: bool = True
    terms: Terms | None = field(default=None, compare=False)


Terms = Mapping[int, Value]


class ComplexArithmetic:
    """Arithmetic of values on a graph.

    Args:
        graph: where nodes are made.
        real: whether everything is real, as in pairs of real functions: roots and logarithms of negative numbers are
            then not numbers, in place of imaginary.
    """

    def __init__(self, graph: Graph, *, real: bool = False) -> None:
        self.graph = graph
        self.real = real

    def number(self, text: str) -> Value:
        """Return a number."""
        return self.constant(Value(self.graph.number(text)))

    def constant(self, value: Value) -> Value:
        """Return a value that does not depend on what is iterated, known as such."""
        return replace(value, terms={0: value})

    def variable(self, real: int, imaginary: int | None) -> Value:
        """Return what is iterated."""
        return Value(real, imaginary, terms={1: Value(self.graph.number(1))})

    def imaginary(self, value: Value) -> int:
        """Return the node of the imaginary part, which is 0 for a real value."""
        return self.graph.number(0) if value.imaginary is None else value.imaginary

    def add(self, a: Value, b: Value) -> Value:
        """Return a + b."""
        return self._both("add", a, b, self._sum(a.terms, b.terms))

    def sub(self, a: Value, b: Value) -> Value:
        """Return a - b."""
        return self._both("sub", a, b, self._sum(a.terms, self._scaled(b.terms, {0: self.number("-1")})))

    def mul(self, a: Value, b: Value) -> Value:
        """Return a * b."""
        return replace(self._product(a, b), terms=self._scaled(a.terms, b.terms))

    def _product(self, a: Value, b: Value) -> Value:
        graph = self.graph
        analytic = a.analytic and b.analytic
        if a.imaginary is None or b.imaginary is None:
            factor, other = (a, b) if a.imaginary is None else (b, a)
            imaginary = None if other.imaginary is None else graph.mul(factor.real, other.imaginary)
            return Value(graph.mul(factor.real, other.real), imaginary, analytic)
        if a == b:
            real = graph.sub(graph.square(a.real), graph.square(a.imaginary))
            return Value(real, graph.double(graph.mul(a.real, a.imaginary)), analytic)
        real = graph.sub(graph.mul(a.real, b.real), graph.mul(a.imaginary, b.imaginary))
        cross = graph.add(graph.mul(a.real, b.imaginary), graph.mul(a.imaginary, b.real))
        return Value(real, cross, analytic)

    def div(self, a: Value, b: Value) -> Value:
        """Return a / b."""
        graph = self.graph
        if b.imaginary is None:
            imaginary = None if a.imaginary is None else graph.div(a.imaginary, b.real)
            return Value(graph.div(a.real, b.real), imaginary, a.analytic and b.analytic)
        norm = self._square_norm(b)
        if a.imaginary is None:
            real, imaginary = graph.mul(a.real, b.real), graph.neg(graph.mul(a.real, b.imaginary))
        else:
            real = graph.add(graph.mul(a.real, b.real), graph.mul(a.imaginary, b.imaginary))
            imaginary = graph.sub(graph.mul(a.imaginary, b.real), graph.mul(a.real, b.imaginary))
        return Value(graph.div(real, norm), graph.div(imaginary, norm), a.analytic and b.analytic)

    def neg(self, a: Value) -> Value:
        """Return -a."""
        return self.sub(self.number("0"), a)

    def power(self, a: Value, b: Value) -> Value:
        """Return a to the power of b: a product for whole numbers, else exp(b log a).

        Raises `SettingError` for a whole power beyond `LARGEST_POWER`.
        """
        exponent = self.graph.value_of(b.real) if b.imaginary is None else None
        if exponent is None or exponent != exponent.to_integral_value():
            if exponent is not None and 2 * exponent == (2 * exponent).to_integral_value() and abs(exponent) < 100:
                whole = self.power(a, self.number(str(int(exponent - exponent % 1))))
                root = self.sqrt(a)
                return self.mul(whole, root) if exponent > 0 else self.div(whole, root)
            return self.exp(self.mul(b, self.log(a)))
        if abs(exponent) > LARGEST_POWER:
            raise SettingError(f"a power must be from {-LARGEST_POWER} to {LARGEST_POWER}, but is {exponent}")
        count = abs(int(exponent))
        result, factor = self.number("1"), a
        while count:
            if count % 2:
                result = self.mul(result, factor)
            count //= 2
            factor = self.mul(factor, factor) if count else factor
        return result if exponent >= 0 else self.div(self.number("1"), result)

    def exp(self, a: Value) -> Value:
        """Return e to the power of a."""
        scale = self.graph.apply("exp", a.real)
        return Value(scale, None, a.analytic) if a.imaginary is None else self._polar(scale, a.imaginary, a.analytic)

    def log(self, a: Value) -> Value:
        """Return the logarithm, whose imaginary part is from -pi to pi."""
        if self.real:
            return Value(self.graph.apply("log", a.real), None, a.analytic)
        norm = self.graph.half(self.graph.apply("log", self._square_norm(a)))
        return Value(norm, self._angle(a), a.analytic)

    def sqrt(self, a: Value) -> Value:
        """Return the root with a real part that is not negative."""
        graph = self.graph
        known = graph.value_of(a.real) if a.imaginary is None else None
        if self.real or (known is not None and known >= 0):
            return Value(graph.apply("sqrt", a.real), None, a.analytic)
        return self._polar(graph.apply("sqrt", self._norm(a)), graph.half(self._angle(a)), a.analytic)

    def sin(self, a: Value) -> Value:
        """Return the sine."""
        return self._wave("sin", "cosh", "cos", "sinh", a)

    def cos(self, a: Value) -> Value:
        """Return the cosine."""
        found = self._wave("cos", "cosh", "sin", "sinh", a)
        return Value(found.real, None if found.imaginary is None else self.graph.neg(found.imaginary), a.analytic)

    def sinh(self, a: Value) -> Value:
        """Return the hyperbolic sine."""
        return self._wave("sinh", "cos", "cosh", "sin", a)

    def cosh(self, a: Value) -> Value:
        """Return the hyperbolic cosine."""
        return self._wave("cosh", "cos", "sinh", "sin", a)

    def tan(self, a: Value) -> Value:
        """Return the tangent, without overflow far from the real axis."""
        graph = self.graph
        tangent = graph.apply("tan", a.real)
        if a.imaginary is None:
            return Value(tangent, None, a.analytic)
        return self._tangent(tangent, graph.apply("tanh", a.imaginary), a.analytic)

    def tanh(self, a: Value) -> Value:
        """Return the hyperbolic tangent."""
        graph = self.graph
        if a.imaginary is None:
            return Value(graph.apply("tanh", a.real), None, a.analytic)
        turned = self._tangent(graph.apply("tan", a.imaginary), graph.apply("tanh", a.real), a.analytic)
        return Value(self.imaginary(turned), turned.real, a.analytic)

    def asin(self, a: Value) -> Value:
        """Return the arcsine, -i log(i a + sqrt(1 - a^2))."""
        root = self.sqrt(self.sub(self.number("1"), self.mul(a, a)))
        if self.real:
            return Value(self.graph.apply("atan2", a.real, root.real), None, a.analytic)
        found = self.log(self.add(self._times_i(a), root))
        return self.neg(self._times_i(found))

    def acos(self, a: Value) -> Value:
        """Return the arccosine, pi/2 - asin a."""
        quarter = Value(self.graph.half(self.graph.constant("pi")))
        return self.sub(quarter, self.asin(a))

    def atan(self, a: Value) -> Value:
        """Return the arctangent, i/2 (log(1 - i a) - log(1 + i a))."""
        one = self.number("1")
        if a.imaginary is None:
            return Value(self.graph.apply("atan2", a.real, one.real), None, a.analytic)
        turned = self._times_i(a)
        both = self.sub(self.log(self.sub(one, turned)), self.log(self.add(one, turned)))
        return self.mul(self._times_i(self.number("0.5")), both)

    def abs(self, a: Value) -> Value:
        """Return the distance from 0."""
        return Value(self._norm(a), None, analytic=False)

    def arg(self, a: Value) -> Value:
        """Return the angle, from -pi to pi."""
        return Value(self._angle(a), None, analytic=False)

    def re(self, a: Value) -> Value:
        """Return the real part."""
        return Value(a.real, None, analytic=False)

    def im(self, a: Value) -> Value:
        """Return the imaginary part."""
        return Value(self.imaginary(a), None, analytic=False)

    def conj(self, a: Value) -> Value:
        """Return the complex conjugate."""
        imaginary = None if a.imaginary is None else self.graph.neg(a.imaginary)
        return Value(a.real, imaginary, analytic=False)

    def fold(self, a: Value) -> Value:
        """Return |re a| + i |im a|, with which the Burning Ship is written."""
        imaginary = None if a.imaginary is None else self.graph.apply("abs", a.imaginary)
        return Value(self.graph.apply("abs", a.real), imaginary, analytic=False)

    def derivative(self, a: Value, variable: str) -> Value:
        """Return the complex derivative by a variable whose real part is the graph's variable `variable`.

        Raises `SettingError` for a value that has none.
        """
        if not a.analytic:
            raise SettingError("a derivative needs a function without conj, abs, re, im, arg and fold")
        real, imaginary = self.graph.derivative([a.real, self.imaginary(a)], {variable: self.graph.number(1)})
        return Value(real, None if a.imaginary is None else imaginary)

    def newton(self, a: Value, z: Value) -> Value:
        """Return the next value of Newton's method, z - a / a', for a function of `z`.

        A polynomial p of degree d has z (1 - 1/d) - r / p' with r = p - z p' / d, in which the highest power cancels.
        Raises `SettingError` for a value without a derivative.
        """
        slope = self.derivative(a, "x")
        degree = max(a.terms or (0,))
        if a.terms is None or degree < 2:
            return self.sub(z, self.div(a, slope))
        whole = self.number(str(degree))
        shrunk = self.mul(self.div(self.number(str(degree - 1)), whole), z)
        rest = {
            power: self._product(self.div(self.number(str(degree - power)), whole), factor)
            for power, factor in a.terms.items()
            if power < degree
        }
        if set(rest) == {0} and self.graph.value_of(a.terms[degree].real) and a.terms[degree].imaginary is None:
            above = self.power(z, self.number(str(degree - 1)))
            scale = self.div(rest[0], self._product(whole, a.terms[degree]))
            return self.sub(shrunk, self._over(scale, above, self._square_norm(z), degree - 1))
        return self.sub(shrunk, self.div(self._polynomial(rest, z), slope))

    def _over(self, scale: Value, power: Value, square_norm: int, exponent: int) -> Value:
        """Return scale / power, where `power` is a value of this square norm to the `exponent`."""
        graph = self.graph
        size = self.power(Value(square_norm), self.number(str(exponent))).real
        conjugate = Value(power.real, graph.neg(self.imaginary(power)))
        if scale.imaginary is None:
            share = graph.div(scale.real, size)
            return Value(graph.mul(power.real, share), graph.neg(graph.mul(self.imaginary(power), share)))
        product = self._product(scale, conjugate)
        return Value(graph.div(product.real, size), graph.div(self.imaginary(product), size))

    def _polynomial(self, terms: Terms, z: Value) -> Value:
        """Return the sum of terms."""
        result = self.number("0")
        for power, factor in sorted(terms.items()):
            result = self.add(result, self.mul(factor, self.power(z, self.number(str(power)))))
        return result

    def _sum(self, a: Terms | None, b: Terms | None) -> Terms | None:
        """Return the terms of a sum; None if they are not known or too many."""
        if a is None or b is None or len({*a, *b}) > MOST_TERMS:
            return None
        both = {**a, **b}
        for power in a.keys() & b.keys():
            both[power] = self._both("add", a[power], b[power], None)
        return {power: factor for power, factor in both.items() if not self._is_zero(factor)} or None

    def _is_zero(self, a: Value) -> bool:
        return self.graph.is_number(a.real, 0) and (a.imaginary is None or self.graph.is_number(a.imaginary, 0))

    def _scaled(self, a: Terms | None, b: Terms | None) -> Terms | None:
        """Return the terms of a product of a single term with others; None for other products."""
        if a is None or b is None or min(len(a), len(b)) > 1:
            return None
        ((power, factor),), others = (a.items(), b) if len(a) == 1 else (b.items(), a)
        if power + max(others) > LARGEST_POWER:
            return None
        return {power + other: self._product(factor, value) for other, value in others.items()}

    def _both(self, operation: str, a: Value, b: Value, terms: Terms | None) -> Value:
        graph = self.graph
        real = graph.apply(operation, a.real, b.real)
        analytic = a.analytic and b.analytic
        if a.imaginary is None and b.imaginary is None:
            return Value(real, None, analytic, terms)
        return Value(real, graph.apply(operation, self.imaginary(a), self.imaginary(b)), analytic, terms)

    def _times_i(self, a: Value) -> Value:
        return Value(self.graph.neg(self.imaginary(a)), a.real, a.analytic)

    def _square_norm(self, a: Value) -> int:
        square = self.graph.square(a.real)
        return square if a.imaginary is None else self.graph.add(square, self.graph.square(a.imaginary))

    def _norm(self, a: Value) -> int:
        return (
            self.graph.apply("abs", a.real) if a.imaginary is None else self.graph.apply("sqrt", self._square_norm(a))
        )

    def _angle(self, a: Value) -> int:
        return self.graph.apply("atan2", self.imaginary(a), a.real)

    def _polar(self, radius: int, angle: int, analytic: bool) -> Value:
        graph = self.graph
        return Value(
            graph.mul(radius, graph.apply("cos", angle)), graph.mul(radius, graph.apply("sin", angle)), analytic
        )

    def _wave(self, first: str, second: str, third: str, fourth: str, a: Value) -> Value:
        graph = self.graph
        if a.imaginary is None:
            return Value(graph.apply(first, a.real), None, a.analytic)
        real = graph.mul(graph.apply(first, a.real), graph.apply(second, a.imaginary))
        imaginary = graph.mul(graph.apply(third, a.real), graph.apply(fourth, a.imaginary))
        return Value(real, imaginary, a.analytic)

    def _tangent(self, t: int, h: int, analytic: bool) -> Value:
        """(t + i h) / (1 - i t h)"""
        graph = self.graph
        one = graph.number(1)
        t2, h2 = graph.square(t), graph.square(h)
        below = graph.add(one, graph.mul(t2, h2))
        real = graph.div(graph.mul(t, graph.sub(one, h2)), below)
        return Value(real, graph.div(graph.mul(h, graph.add(one, t2)), below), analytic)


FUNCTIONS = tuple("exp log sqrt sin cos tan sinh cosh tanh asin acos atan abs arg re im conj fold".split())  # noqa: SIM905
"""Functions of one value that formulas may call; each is a method of `ComplexArithmetic`."""
