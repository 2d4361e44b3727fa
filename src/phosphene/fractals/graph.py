"""Real expressions as a graph in which equal parts are one node: built, simplified and differentiated symbolically.

A node is a number, the index of its entry; operands come before what uses them. Complex arithmetic is written on top of
this (`phosphene.fractals.complex_numbers`), programs are compiled from it (`phosphene.fractals.program`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal
from typing import NamedTuple

from phosphene.errors import SettingError

MOST_NODES = 5_000
"""Of a formula and its derivatives together; a Newton's method of degree 30 has some hundreds."""

UNARY = frozenset("sqrt exp log sin cos tan sinh cosh tanh abs sign expm1 log1p round".split())  # noqa: SIM905
BINARY = frozenset("add sub mul div atan2 maximum".split())  # noqa: SIM905

_EXACT = Context(prec=10_000)
_SHORT = 12


class GraphNode(NamedTuple):
    """One node: what it does, with which operands; `name` is a variable's, or a number as text."""

    operation: str
    operands: tuple[int, ...] = ()
    name: str = ""


class Graph:
    """Nodes, each of which is there once.

    >>> graph = Graph()
    >>> x = graph.variable("x")
    >>> graph.mul(x, graph.number(1)) == x, graph.mul(x, x) == graph.mul(x, x)
    (True, True)

    Methods that make a node raise `SettingError` if there would be more than `MOST_NODES`.
    """

    def __init__(self) -> None:
        self.entries: list[GraphNode] = []
        self._known: dict[GraphNode, int] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def variable(self, name: str) -> int:
        """Return the node of a variable."""
        return self._node(GraphNode("variable", (), name))

    def number(self, value: int | str) -> int:
        """Return the node of a number; decimal text is kept exactly."""
        return self._node(GraphNode("number", (), str(Decimal(value).normalize(_EXACT))))

    def constant(self, name: str) -> int:
        """Return the node of a number that has a name, "pi" or "e"."""
        return self._node(GraphNode("constant", (), name))

    def value_of(self, node: int) -> Decimal | None:
        """Return the number that a node is; None for anything else."""
        entry = self.entries[node]
        return Decimal(entry.name) if entry.operation == "number" else None

    def is_number(self, node: int, value: int) -> bool:
        """Return whether a node is this number."""
        return self.value_of(node) == value

    def add(self, a: int, b: int) -> int:
        """Return a + b."""
        if self.is_number(a, 0):
            return b
        if self.is_number(b, 0):
            return a
        return self._folded("add", min(a, b), max(a, b), lambda x, y: x + y)

    def sub(self, a: int, b: int) -> int:
        """Return a - b."""
        if self.is_number(b, 0):
            return a
        if a == b:
            return self.number(0)
        operation, operands, _ = self.entries[b]
        if operation == "sub" and self.is_number(operands[0], 0):  # a - -c
            return self.add(a, operands[1])
        return self._folded("sub", a, b, lambda x, y: x - y)

    def mul(self, a: int, b: int) -> int:
        """Return a * b; 0 if one of them is the number 0, even where the other is infinite.

        Twice something times b is twice a product that is there already, which is exact.
        """
        for one, other in ((a, b), (b, a)):
            if self.is_number(one, 0):
                return one
            if self.is_number(one, 1):
                return other
        for one, other in ((a, b), (b, a)):
            half = None if self.is_number(other, 2) else self._half_of(one)
            product = None if half is None else self._known.get(GraphNode("mul", (min(half, other), max(half, other))))
            if product is not None:
                return self.double(product)
        return self._folded("mul", min(a, b), max(a, b), lambda x, y: x * y)

    def div(self, a: int, b: int) -> int:
        """Return a / b."""
        if self.is_number(b, 1) or (self.is_number(a, 0) and not self.is_number(b, 0)):
            return a
        return self._node(GraphNode("div", (a, b)))

    def neg(self, a: int) -> int:
        """Return -a."""
        return self.sub(self.number(0), a)

    def double(self, a: int) -> int:
        """Return 2 a."""
        return self.mul(self.number(2), a)

    def half(self, a: int) -> int:
        """Return a / 2."""
        return self.mul(self.number("0.5"), a)

    def square(self, a: int) -> int:
        """Return a * a."""
        return self.mul(a, a)

    def apply(self, operation: str, *operands: int) -> int:
        """Return the node of one of the operations in `UNARY` and `BINARY`."""
        match operation:
            case "add" | "sub" | "mul" | "div":
                make: Callable[[int, int], int] = getattr(self, operation)
                return make(*operands)
        assert operation in UNARY or operation in BINARY, operation
        return self._node(GraphNode(operation, operands))

    def depends(self) -> list[frozenset[str]]:
        """Return the variables that each node depends on."""
        found: list[frozenset[str]] = []
        for entry in self.entries:
            own = frozenset((entry.name,)) if entry.operation == "variable" else frozenset[str]()
            found.append(own.union(*(found[each] for each in entry.operands)))
        return found

    def needed(self, roots: Iterable[int]) -> list[int]:
        """Return the nodes that `roots` are computed from, themselves included, operands first."""
        wanted = set(roots)
        for node in range(max(wanted, default=-1), -1, -1):
            if node in wanted:
                wanted.update(self.entries[node].operands)
        return sorted(wanted)

    def derivative(self, roots: Iterable[int], seeds: Mapping[str, int]) -> list[int]:
        """Return the derivative of each root along a direction: `seeds` has each variable's derivative, 0 by default.

        Raises `SettingError` where there is none.
        """
        roots = list(roots)
        zero = self.number(0)
        found: dict[int, int] = {}
        for node in self.needed(roots):
            operation, operands, name = self.entries[node]
            if operation == "variable":
                found[node] = seeds.get(name, zero)
            elif not operands or all(found[each] == zero for each in operands):
                found[node] = zero
            else:
                found[node] = self._derivative(node, operation, operands, [found[each] for each in operands])
        return [found[root] for root in roots]

    def _derivative(self, node: int, operation: str, operands: tuple[int, ...], rates: list[int]) -> int:
        a, da = operands[0], rates[0]
        b, db = operands[-1], rates[-1]
        one = self.number(1)
        match operation:
            case "add" | "sub":
                return self.apply(operation, da, db)
            case "mul":
                return self.double(self.mul(a, da)) if a == b else self.add(self.mul(da, b), self.mul(a, db))
            case "div":
                return self.div(self.sub(da, self.mul(node, db)), b)
            case "atan2":
                turned = self.sub(self.mul(da, b), self.mul(a, db))
                return self.div(turned, self.add(self.square(a), self.square(b)))
            case "sqrt":
                return self.div(da, self.double(node))
            case "log":
                return self.div(da, a)
        slopes: dict[str, Callable[[], int]] = {
            "exp": lambda: node,
            "sin": lambda: self.apply("cos", a),
            "cos": lambda: self.neg(self.apply("sin", a)),
            "tan": lambda: self.add(one, self.square(node)),
            "sinh": lambda: self.apply("cosh", a),
            "cosh": lambda: self.apply("sinh", a),
            "tanh": lambda: self.sub(one, self.square(node)),
            "abs": lambda: self.apply("sign", a),
            "sign": lambda: self.number(0),
        }
        return self.mul(slopes[operation](), da)

    def _folded(self, operation: str, a: int, b: int, compute: Callable[[Decimal, Decimal], Decimal]) -> int:
        """Return the node; of two short numbers, the number that they give."""
        first, second = self.value_of(a), self.value_of(b)
        if first is not None and second is not None and _is_short(first) and _is_short(second):
            return self.number(str(compute(first, second)))
        return self._node(GraphNode(operation, (a, b)))

    def _half_of(self, node: int) -> int | None:
        """Return what a node is twice of; None if it is no such product."""
        operation, operands, _ = self.entries[node]
        if operation != "mul":
            return None
        return next((b for a, b in (operands, operands[::-1]) if self.is_number(a, 2)), None)

    def _node(self, entry: GraphNode) -> int:
        if entry not in self._known:
            if len(self.entries) == MOST_NODES:
                raise SettingError(f"the formula has more than {MOST_NODES} operations: simplify it", setting="formula")
            self._known[entry] = len(self.entries)
            self.entries.append(entry)
        return self._known[entry]


def _is_short(number: Decimal) -> bool:
    """Return whether sums and products with the number have few digits."""
    return len(number.as_tuple().digits) <= _SHORT and abs(number.adjusted()) <= _SHORT
