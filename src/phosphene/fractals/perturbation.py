"""Zooms beyond double precision: points as differences from one reference orbit of high precision.

    Z <- F(Z, C)                      once, in as many digits as the zoom needs
    d <- F(Z + d, C + dc) - F(Z, C)   for every point, in doubles, written so that nothing cancels

The difference of any formula is found operation by operation: that of a product is da (B + db) + A db, that of a sine
2 cos(A + d/2) sin(d/2), and so on. A point that comes nearer to the start of the reference orbit than its difference is
large goes on as a difference from there (Zhuoran, "Another solution to perturbation glitches", 2021).

Source: K. I. Martin, "Superfractalthing maths" (2013).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from phosphene.errors import SettingError
from phosphene.fractals import exact
from phosphene.fractals.escape import BLOCK, NEVER, Found, Outcome, Rules
from phosphene.fractals.formula import Formula
from phosphene.fractals.graph import Graph
from phosphene.fractals.program import Array, FormulaProgram, Interpreter, columns_of

GUARD = 15
"""Digits of the reference orbit beyond those that tell pixels apart."""


class Differences:
    """The differences of nodes from their values on the reference orbit, as nodes of the same graph.

    The difference of the variable x is the variable dx; the reference's value of a node is the variable r followed by
    the node's number.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._depends = graph.depends()
        self._found: dict[int, int] = {}

    def of(self, roots: Sequence[int]) -> list[int]:
        """Return the difference of each root."""
        graph = self.graph
        for node in graph.needed(roots):
            operation, operands, name = graph.entries[node]
            if node in self._found:
                continue
            if operation == "variable":
                self._found[node] = graph.number(0) if name == "n" else graph.variable(f"d{name}")
            elif all(graph.is_number(self._found[each], 0) for each in operands):
                self._found[node] = graph.number(0)
            else:
                self._found[node] = self._difference(node, operation, operands)
        return [self._found[root] for root in roots]

    def reference(self, node: int) -> int:
        """Return the value that a node has on the reference orbit."""
        return self.graph.variable(f"r{node}") if self._depends[node] else node

    def value(self, node: int) -> int:
        """Return the value of a node, rounded."""
        return self.graph.add(self.reference(node), self._found[node])

    def _difference(self, node: int, operation: str, operands: tuple[int, ...]) -> int:
        graph = self.graph
        a, b = operands[0], operands[-1]
        da, db = self._found[a], self._found[b]
        ra = self.reference(a)
        match operation:
            case "add" | "sub":
                return graph.apply(operation, da, db)
            case "mul" if a == b:
                return graph.mul(graph.add(graph.double(ra), da), da)
            case "mul":
                return graph.add(graph.mul(da, self.value(b)), graph.mul(ra, db))
            case "div":
                return graph.div(graph.sub(da, graph.mul(self.reference(node), db)), self.value(b))
            case "atan2":
                return self._turn(node, a, b)
        return self._of_function(operation, node, ra, da)

    def _turn(self, node: int, y: int, x: int) -> int:
        graph = self.graph
        across = graph.sub(graph.mul(self.reference(x), self._found[y]), graph.mul(self.reference(y), self._found[x]))
        along = graph.add(graph.mul(self.reference(x), self.value(x)), graph.mul(self.reference(y), self.value(y)))
        turn = graph.apply("atan2", across, along)
        circle = graph.double(graph.constant("pi"))
        times = graph.apply("round", graph.div(graph.add(self.reference(node), turn), circle))
        return graph.sub(turn, graph.mul(circle, times))

    def _of_function(self, operation: str, node: int, a: int, d: int) -> int:
        graph, apply = self.graph, self.graph.apply
        middle, half, near = graph.add(a, graph.half(d)), graph.half(d), graph.add(a, d)
        match operation:
            case "sqrt":
                return graph.div(d, graph.add(apply("sqrt", near), self.reference(node)))
            case "exp":
                return graph.mul(self.reference(node), apply("expm1", d))
            case "log":
                return apply("log1p", graph.div(d, a))
            case "sin":
                return graph.double(graph.mul(apply("cos", middle), apply("sin", half)))
            case "cos":
                return graph.neg(graph.double(graph.mul(apply("sin", middle), apply("sin", half))))
            case "sinh":
                return graph.double(graph.mul(apply("cosh", middle), apply("sinh", half)))
            case "cosh":
                return graph.double(graph.mul(apply("sinh", middle), apply("sinh", half)))
            case "tan":
                return graph.div(apply("sin", d), graph.mul(apply("cos", a), apply("cos", near)))
            case "tanh":
                return graph.div(apply("sinh", d), graph.mul(apply("cosh", a), apply("cosh", near)))
        assert operation == "abs", operation
        sign = graph.add(apply("sign", a), graph.sub(graph.number(1), apply("abs", apply("sign", a))))
        ahead = graph.mul(sign, d)
        return apply("maximum", ahead, graph.neg(graph.add(graph.double(apply("abs", a)), ahead)))


@dataclass(frozen=True, eq=False)
class Deep:
    """A formula around a centre, ready for points that are given as differences from it.

    `table` has a row of the reference orbit for each input of the program: its value at each application. `place` is
    the reference orbit itself, one place longer.
    """

    program: FormulaProgram
    start: Mapping[str, int]
    rules: Rules
    table: Mapping[str, Array]
    place: tuple[Array, Array]


@lru_cache(maxsize=4)
def prepare(formula: Formula, centre: tuple[str, str], digits: int, rules: Rules) -> Deep:
    """Return what `iterate` needs; computes the reference orbit of `centre`, two decimal numbers, in `digits` digits.

    Raises `SettingError` for formulas that count their applications.
    """
    if formula.counts:
        raise SettingError("a formula with n cannot be zoomed into beyond double precision", setting="formula")
    graph = formula.graph
    differences = Differences(graph)
    state = dict(zip(("dx", "dy"), differences.of(formula.next), strict=True))
    start = dict(zip(("dx", "dy"), differences.of(formula.start), strict=True))
    if rules.slopes:
        differences.of([graph.variable(name) for name in "xyab"])
        near = {name: differences.value(graph.variable(name)) for name in "xyab"}
        for way in "a" if formula.analytic else "ab":
            seeds = {"x": graph.variable(f"x{way}"), "y": graph.variable(f"y{way}"), way: graph.number(1)}
            after = graph.derivative(formula.next, seeds)
            state |= dict(zip((f"x{way}", f"y{way}"), _substituted(graph, after, near), strict=True))
            before = graph.derivative(formula.start, {way: graph.number(1)})
            start |= dict(zip((f"x{way}", f"y{way}"), _substituted(graph, before, near), strict=True))
    wanted = graph.needed([*state.values(), *start.values()])
    inputs = [graph.entries[node].name for node in wanted if graph.entries[node].name.startswith("r")]
    table, place = _reference(formula, inputs, centre, digits, rules)
    program = FormulaProgram(graph, state, (), ("da", "db"), inputs)
    return Deep(program, start, rules, table, place)


def _substituted(graph: Graph, roots: Sequence[int], variables: Mapping[str, int]) -> list[int]:
    """Return the roots with other nodes in place of variables."""
    found: dict[int, int] = {}
    for node in graph.needed(roots):
        operation, operands, name = graph.entries[node]
        if operation == "variable":
            found[node] = variables.get(name, node)
        elif operands:
            found[node] = graph.apply(operation, *(found[each] for each in operands))
        else:
            found[node] = node
    return [found[root] for root in roots]


def _reference(
    formula: Formula, inputs: Sequence[str], centre: tuple[str, str], digits: int, rules: Rules
) -> tuple[dict[str, Array], tuple[Array, Array]]:
    """Return the values of the inputs' nodes along the reference orbit, and the orbit, until it escapes."""
    context = exact.context_for(digits)
    graph = formula.graph
    point = {"a": context.mpf(centre[0]), "b": context.mpf(centre[1]), "n": context.mpf(0)}
    nodes = {name: int(name[1:]) for name in inputs}
    begun = exact.evaluate(graph, formula.start, point, context)
    x, y = (begun[node] for node in formula.start)
    rows: dict[str, list[float]] = {name: [] for name in inputs}
    places = [(float(x), float(y))]
    roots = [*formula.next, *nodes.values()]
    for _ in range(rules.iterations):
        found = exact.evaluate(graph, roots, {**point, "x": x, "y": y}, context)
        following = [found[node] for node in formula.next]
        if not all(context.isfinite(each) for each in following):
            break
        for name, node in nodes.items():
            rows[name].append(float(found[node]))
        x, y = following
        places.append((float(x), float(y)))
        if x * x + y * y > rules.bailout**2:
            break
    if not rows or not all(len(row) and np.isfinite(row[0]) for row in rows.values()):
        raise SettingError(
            f"{formula.text!r} is not finite at the centre, from which a zoom beyond double precision is "
            "measured: move the centre a little",
            setting="centre",
            value=centre,
        )
    orbit = np.array(places)
    return {name: np.array(row) for name, row in rows.items()}, (orbit[:, 0].copy(), orbit[:, 1].copy())


def iterate(deep: Deep, da: Array, db: Array, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Apply the formula to points, given as differences (da, db) from the centre, as `escape.iterate` does."""
    parts = [_block(deep, da[at : at + BLOCK], db[at : at + BLOCK], stop) for at in range(0, max(1, len(da)), BLOCK)]
    return Outcome.joined(parts)


def _block(deep: Deep, da: Array, db: Array, stop: Callable[[], bool]) -> Outcome:
    program, rules = deep.program, deep.rules
    points = {"da": da, "db": db}
    first = {name: float(row[0]) if len(row) else 0.0 for name, row in deep.table.items()}
    machine = Interpreter(program, len(da))
    variables = {**points, **{name: np.full(len(da), value) for name, value in first.items()}}
    state = {name: columns_of(program.graph, [node], variables)[node] for name, node in deep.start.items()}
    orbit_x, orbit_y = deep.place
    last = len(orbit_x) - 1
    found = Found(len(da), ("x", "y", *(name for name in program.state if name not in ("dx", "dy"))))
    with np.errstate(all="ignore"):
        machine.load(state, columns_of(program.graph, program.fixed, points))
        left, along = np.arange(len(da)), np.zeros(len(da), np.int64)
        x, y = orbit_x[0] + machine.state["dx"], orbit_y[0] + machine.state["dy"]
        before = np.hypot(x, y)
        together = True  # all points are at the same place of the reference orbit
        for done in range(rules.iterations + 1):
            gone = ~(x * x + y * y <= rules.bailout**2)
            radius = np.hypot(x, y)
            now = {**machine.state, "x": x, "y": y}
            if gone.any():
                found.take(left[gone], done, _some(now, gone), before[gone])
            if done == rules.iterations or stop():
                found.take(left[~gone], NEVER, _some(now, ~gone), radius[~gone])
                break
            kept, shrunk = np.flatnonzero(~gone), bool(gone.any())
            if shrunk:
                machine.keep(kept)
                left, along, x, y, radius = left[kept], along[kept], x[kept], y[kept], radius[kept]
            if not len(left):
                break
            for name, row in deep.table.items():
                machine.set_input(name, float(row[along[0]]) if together else row[along])
            machine.apply()
            along += 1
            dx, dy = machine.state["dx"], machine.state["dy"]
            before, old = radius, (x, y)
            x, y = orbit_x[along] + dx, orbit_y[along] + dy
            near = ((x - orbit_x[0]) ** 2 + (y - orbit_y[0]) ** 2 < dx * dx + dy * dy) | (along == last)
            if near.any():
                dx[near], dy[near] = (x - orbit_x[0])[near], (y - orbit_y[0])[near]
                along[near] = 0
                together = together and bool(near.all())
            stopped = _stopped(rules, x, y, old)
            if stopped is not None and stopped.any():
                moved = np.hypot(x - old[0], y - old[1])
                now = _some({**machine.state, "x": x, "y": y}, stopped)
                found.take(left[stopped], done + 1, now, moved[stopped], stopped=True)
                kept = np.flatnonzero(~stopped)
                machine.keep(kept)
                left, along, x, y, before = left[kept], along[kept], x[kept], y[kept], before[kept]
    return found.outcome()


def _some(state: Mapping[str, Array], which: Array) -> dict[str, Array]:
    return {name: column[which] for name, column in state.items()}


def _stopped(rules: Rules, x: Array, y: Array, before: tuple[Array, Array]) -> Array | None:
    """Return which points have settled or were caught; None where nothing is asked."""
    if rules.settles is not None:
        settled: Array = (x - before[0]) ** 2 + (y - before[1]) ** 2 <= rules.settles**2
        return settled
    if rules.trap is not None:
        centre_x, centre_y, half_width, half_height = rules.trap
        caught: Array = (np.fabs(x - centre_x) <= half_width) & (np.fabs(y - centre_y) <= half_height)
        return caught
    return None
