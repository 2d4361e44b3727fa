"""Escape and settling: how many applications of a formula a point takes, exactly as one at a time would tell.

    repeat: apply the formula a few times to all points that are left
            of those that a test failed meanwhile, find out at which application, from the state before
            keep the others; drop those whose orbit has come back to exactly where it was, for ever

The state after each application is the same as if each point were computed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.fractals.formula import Formula
from phosphene.fractals.program import Array, Machine, Program, Test, columns_of

BLOCK = 8192
"""Points of a block: its buffers fit the second level of cache."""

CHUNKS = (2, 4, 8, 16)
"""Applications between looks at which points are left: few at first, when many leave."""

FIRST_ROUND = 24
"""Applications until the points that are left are gathered into full blocks for the first time."""

NEVER = -1
"""The count of a point that did not leave."""


@dataclass(frozen=True)
class Rules:
    """When a point stops.

    Attributes:
        iterations: the most applications.
        bailout: the distance from 0 beyond which a point has escaped.
        settles: the distance of two successive places at which a point has settled; None not to ask.
        trap: the centre and half the width and height of a rectangle that catches points, after the first
            application; None for none.
        slopes: whether the derivative by the point of the plane is followed too.
    """

    iterations: int = 256
    bailout: float = 1000.0
    settles: float | None = None
    trap: tuple[float, float, float, float] | None = None
    slopes: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of points, arrays of their number.

    Attributes:
        count: the application after which a point had escaped, settled or was caught; `NEVER` for one that was not.
        x, y: where it was then; for one that never left, a place at which its orbit stays.
        before: the distance from 0 one application earlier; of one that stopped, how far the last application moved it.
        slopes: derivatives of x and y by both coordinates of the point, as "xa", "ya", "xb", "yb"; empty without.
        stopped: whether it settled or was caught, in place of escaping.
    """

    count: Array
    x: Array
    y: Array
    before: Array
    stopped: Array
    slopes: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Outcome]) -> Outcome:
        """Return the outcomes of several groups of points as one."""

        def whole(name: str) -> Array:
            return np.concatenate([getattr(part, name) for part in parts])

        slopes = {name: np.concatenate([part.slopes[name] for part in parts]) for name in parts[0].slopes}
        return cls(whole("count"), whole("x"), whole("y"), whole("before"), whole("stopped"), slopes)


@dataclass(frozen=True, eq=False)
class Iteration:
    """A formula with the rules of its iteration, ready to be applied to points.

    `start` has the node of each state variable before the first application.
    """

    program: Program
    start: Mapping[str, int]
    rules: Rules
    analytic: bool
    counts: bool


def prepare(formula: Formula, rules: Rules) -> Iteration:
    """Return the iteration of a formula; raises `SettingError` if its derivatives are too large."""
    graph = formula.graph
    state, start = dict(zip("xy", formula.next, strict=True)), dict(zip("xy", formula.start, strict=True))
    x, y = graph.variable("x"), graph.variable("y")
    if rules.slopes:
        for way in "a" if formula.analytic else "ab":
            names = {"x": f"x{way}", "y": f"y{way}"}
            seeds = {name: graph.variable(own) for name, own in names.items()} | {way: graph.number(1)}
            after = graph.derivative([state["x"], state["y"]], seeds)
            before = graph.derivative([start["x"], start["y"]], {way: graph.number(1)})
            state |= dict(zip(names.values(), after, strict=True))
            start |= dict(zip(names.values(), before, strict=True))
    tests = [Test(graph.add(graph.square(x), graph.square(y)), rules.bailout**2)]
    if rules.settles is not None:
        moved = [graph.square(graph.sub(state[name], graph.variable(name))) for name in "xy"]
        tests.append(Test(graph.add(*moved), rules.settles**2, above=True))
    if rules.trap is not None:
        tests.append(Test(_trap(formula, rules.trap), 1.0, above=True))
    columns = ("a", "b")
    return Iteration(Program(graph, state, tests, columns, ("n",)), start, rules, formula.analytic, formula.counts)


def _trap(formula: Formula, trap: tuple[float, float, float, float]) -> int:
    """Return the node of how far the next place is from the middle of the trap; 1 on its border."""
    graph = formula.graph
    far = []
    for node, centre, half in zip(formula.next, trap[:2], trap[2:], strict=True):
        away = graph.sub(node, graph.number(repr(centre)))
        far.append(graph.div(graph.apply("abs", away), graph.number(repr(half))))
    return graph.apply("maximum", *far)


def iterate(iteration: Iteration, a: Array, b: Array, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Apply a formula to the points (a, b), arrays of one length, until each has left or `iterations` are done.

    `stop` is asked now and then, and ends the work early.
    """
    program = iteration.program
    graph = program.graph
    points = {"a": a, "b": b}
    state = {name: columns_of(graph, [node], points)[node].copy() for name, node in iteration.start.items()}
    found = Found(len(a), tuple(program.state))
    left, before, done = np.arange(len(a)), np.hypot(state["x"], state["y"]), 0
    machines = Machine(program, min(BLOCK, len(a))), Machine(program, min(BLOCK, len(a)))
    with np.errstate(all="ignore"):
        for until in _rounds(iteration.rules.iterations):
            several = []
            for at in range(0, len(left), BLOCK):
                here = slice(at, at + BLOCK)
                fixed = columns_of(graph, program.fixed, {"a": a[left[here]], "b": b[left[here]]})
                machines[0].load({name: column[here] for name, column in state.items()}, fixed)
                several.append(_run(iteration, machines, found, left[here], before[here], (done, until), stop))
            done = until
            left, before = (np.concatenate(each) for each in list(zip(*several, strict=True))[:2])
            state = {name: np.concatenate([each[2][name] for each in several]) for name in program.state}
            if not len(left) or stop():
                break
        for name, column in state.items():
            found.state[name][left] = column
    return found.outcome()


def _rounds(iterations: int) -> Iterator[int]:
    """Yield after how many applications the points that are left are gathered into full blocks again."""
    until = FIRST_ROUND
    while until < iterations:
        yield until
        until += max(FIRST_ROUND, until // 2)
    yield iterations


Left = tuple[Array, Array, dict[str, Array]]
"""Points that are left: where they are, their distance from 0 one application earlier, and their state."""


def _run(
    iteration: Iteration,
    machines: tuple[Machine, Machine],
    found: Found,
    left: Array,
    before: Array,
    span: tuple[int, int],
    stop: Callable[[], bool],
) -> Left:
    """Apply a formula to the points in the first machine, from one number of applications to another."""
    machine, again = machines
    done, until = span
    chunk = 0
    seen = {name: machine.state[name].copy() for name in "xy"}
    while len(left) and done < until and not stop():
        count = min(CHUNKS[min(chunk + (done > 0) * len(CHUNKS), len(CHUNKS) - 1)], until - done)
        saved = {name: column.copy() for name, column in machine.state.items()}
        last = _apply(machine, done, count)
        stays = machine.alive.copy()
        gone = np.flatnonzero(~stays)
        if len(gone):
            again.load({name: column[gone] for name, column in saved.items()}, machine.fixed_at(gone))
            replay(again, iteration.rules, found, left[gone], done, count, before[gone])
        done, chunk, before = done + count, chunk + 1, last
        if not iteration.counts:
            returned = stays & _periodic(machine, seen)
            if returned.any():
                found.never(machine, left, returned)
                stays &= ~returned
        kept = np.flatnonzero(stays)
        if len(kept) < len(left):
            machine.keep(kept)
            left, before = left[kept], before[kept]
            seen = {name: column[kept] for name, column in seen.items()}
        if chunk & (chunk - 1) == 0:
            seen = {name: machine.state[name].copy() for name in "xy"}
    return left, before, {name: column.copy() for name, column in machine.state.items()}


def _apply(machine: Machine, done: int, count: int) -> Array:
    """Apply a program `count` times; return the distance from 0 before the last time."""
    machine.alive[:] = True
    state = machine.state
    for step in range(count - 1):
        machine.set_input("n", float(done + step))
        machine.apply()
    before: Array = np.hypot(state["x"], state["y"])
    machine.set_input("n", float(done + count - 1))
    machine.apply()
    return before


def _periodic(machine: Machine, seen: Mapping[str, Array]) -> Array:
    """Return which points are exactly where they were: they will be there again and again."""
    state = machine.state
    same: Array = (state["x"] == seen["x"]) & (state["y"] == seen["y"])
    return same


def replay(machine: Machine, rules: Rules, found: Found, where: Array, done: int, count: int, before: Array) -> None:
    """Apply the formula again to points that leave within `count` applications, one application at a time."""
    open_ = np.ones(len(where), bool)
    for step in range(count):
        state = {name: column.copy() for name, column in machine.state.items()}
        machine.alive[:] = True
        machine.set_input("n", float(done + step))
        machine.apply()
        escaped = open_ & ~(state["x"] * state["x"] + state["y"] * state["y"] <= rules.bailout**2)
        found.take(escaped, where, done + step, state, before)
        before = np.hypot(state["x"], state["y"])
        stopped = open_ & ~machine.alive & ~escaped
        if stopped.any():
            after = machine.state
            moved = np.hypot(after["x"] - state["x"], after["y"] - state["y"])
            found.take(stopped, where, done + step + 1, after, moved, stopped=True)
        open_ &= machine.alive & ~escaped
        kept = np.flatnonzero(open_)
        if not len(kept):
            return
        if 2 * len(kept) < len(where):
            machine.keep(kept)
            where, before, open_ = where[kept], before[kept], open_[kept]


class Found:
    """What has become of points so far."""

    def __init__(self, count: int, names: tuple[str, ...]) -> None:
        self._count = np.full(count, NEVER, np.int32)
        self.state = {name: np.zeros(count) for name in names}
        self._before = np.zeros(count)
        self._stopped = np.zeros(count, bool)

    def take(
        self,
        which: Array,
        where: Array,
        count: int,
        state: Mapping[str, Array],
        before: Array,
        *,
        stopped: bool = False,
    ) -> None:
        """Note that the points `which` of those at `where` have left."""
        places = where[which]
        self._count[places] = count
        for name, column in self.state.items():
            column[places] = state[name][which]
        self._before[places] = before[which]
        self._stopped[places] = stopped

    def never(self, machine: Machine, where: Array, which: Array) -> None:
        """Note where the points `which` of those at `where` are, which do not leave."""
        places = where[which]
        for name, column in self.state.items():
            column[places] = machine.state[name][which]

    def outcome(self) -> Outcome:
        """Return everything."""
        slopes = {name: column for name, column in self.state.items() if name not in ("x", "y")}
        return Outcome(self._count, self.state["x"], self.state["y"], self._before, self._stopped, slopes)
