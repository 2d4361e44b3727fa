"""Escape and settling: how many applications of a formula a point takes, exactly as one at a time would tell.

    repeat: apply the formula a few times to all points that are left
            of those that a test failed meanwhile, look up at which application, and where they were
            keep the others; drop those whose orbit has come back to exactly where it was, for ever

The state after each application is the same as if each point were computed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.fractals.formula import Formula
from phosphene.fractals.graph import Graph
from phosphene.fractals.program import Array, FormulaProgram, Interpreter, Test, columns_of

BLOCK = 32768
"""Points of a block: many enough that calls cost little beside their arithmetic, and few enough for the cache."""

CHUNK = 16
"""Applications between looks at which points are left, where few leave."""

SHORT_CHUNK = 4
"""Applications between such looks where many leave; the places on the way are remembered."""

BUSY = 40
"""Many leave where at least one point in this many did."""

FIRST_ROUND = 8
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

    program: FormulaProgram
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
        moved = [graph.square(_moved(graph, state[name], graph.variable(name))) for name in "xy"]
        tests.append(Test(graph.add(*moved), rules.settles**2, above=True))
    if rules.trap is not None:
        tests.append(Test(_trap(formula, rules.trap), 1.0, above=True))
    columns = ("a", "b")
    return Iteration(
        FormulaProgram(graph, state, tests, columns, ("n",)), start, rules, formula.analytic, formula.counts
    )


def _moved(graph: Graph, after: int, before: int) -> int:
    """Return the node of how far a coordinate moves, either way; that of `before - step` is the step itself."""
    operation, operands, _ = graph.entries[after]
    if operation == "sub" and operands[0] == before:
        return operands[1]
    return graph.sub(after, before)


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
    left = Left(np.arange(len(a)), (state["x"], state["y"]), state)
    capacity = min(BLOCK, len(a))
    machines = Interpreter(program, capacity, SHORT_CHUNK), Interpreter(program, capacity, CHUNK)
    done, calm = 0, False
    with np.errstate(all="ignore"):
        for until in _rounds(iteration.rules.iterations):
            several = []
            for at in range(0, len(left.where), BLOCK):
                part = left.part(slice(at, at + BLOCK))
                fixed = columns_of(graph, program.fixed, {"a": a[part.where], "b": b[part.where]})
                machines[0].load(part.state, fixed, part.before)
                several.append(_Run(iteration, machines, found, part, done, calm))
                several[-1].to(until, stop)
            if not several:
                break
            done, calm = until, all(run.calm for run in several)
            left = Left.joined([run.left for run in several])
            if stop():
                break
        for name, column in left.state.items():
            found.state[name][left.where] = column
    return found.outcome()


def _rounds(iterations: int) -> Iterator[int]:
    """Yield after how many applications the points that are left are gathered into full blocks again."""
    until = FIRST_ROUND
    while until < iterations:
        yield until
        until += max(FIRST_ROUND, until // 2)
    yield iterations


@dataclass(frozen=True, eq=False)
class Left:
    """Points that have not left: which they are, their place one application earlier, and their state."""

    where: Array
    before: tuple[Array, Array]
    state: Mapping[str, Array]

    def part(self, which: slice | Array) -> Left:
        """Return some of the points."""
        before = self.before[0][which], self.before[1][which]
        return Left(self.where[which], before, {name: column[which] for name, column in self.state.items()})

    @classmethod
    def joined(cls, parts: Sequence[Left]) -> Left:
        """Return the points of several blocks as one group."""
        x, y = (np.concatenate([part.before[k] for part in parts]) for k in (0, 1))
        state = {name: np.concatenate([part.state[name] for part in parts]) for name in parts[0].state}
        return cls(np.concatenate([part.where for part in parts]), (x, y), state)


class _Run:
    """The iteration of one block: its points are in the first machine, the second repeats what a long chunk forgot."""

    def __init__(
        self,
        iteration: Iteration,
        machines: tuple[Interpreter, Interpreter],
        found: Found,
        left: Left,
        done: int,
        calm: bool,
    ) -> None:
        self.rules, self.counts = iteration.rules, iteration.counts
        self.machine, self.again = machines
        self.found = found
        self.where, self.done, self.calm = left.where, done, calm
        self.left = left
        self.open = np.ones(len(left.where), bool)
        self.all_open = True
        self.seen: tuple[Array, Array] | None = None

    def to(self, until: int, stop: Callable[[], bool]) -> None:
        """Apply the formula up to this total number of applications; `left` are then the points that are left."""
        chunk = 0
        while len(self.where) and self.done < until and not stop():
            count = len(self.where)
            gone = self._chunk(min(CHUNK if self.calm else SHORT_CHUNK, until - self.done))
            chunk, self.calm = chunk + 1, gone * BUSY <= count
            if self.calm:
                self._settle(chunk)
            if 8 * np.count_nonzero(self.open) < 7 * len(self.open):
                self._compact()
        self._compact()
        before = self.machine.earlier(1)
        state = {name: column.copy() for name, column in self.machine.state.items()}
        self.left = Left(self.where, (before["x"].copy(), before["y"].copy()), state)

    def _chunk(self, count: int) -> int:
        """Apply the formula `count` times; take in the points that left meanwhile, and return how many did."""
        machine = self.machine
        remembered = count <= SHORT_CHUNK
        if not remembered:
            saved = {name: column.copy() for name, column in machine.state.items()}
            before = machine.earlier(1)["x"].copy(), machine.earlier(1)["y"].copy()
        self._apply(machine, count)
        gone = np.flatnonzero(~machine.alive if self.all_open else self.open & ~machine.alive)
        if len(gone):
            self.open[gone], self.all_open = False, False
            if remembered:
                self._take(machine, gone, self.where[gone], count)
            else:
                state = {name: column[gone] for name, column in saved.items()}
                self.again.load(state, machine.fixed_at(gone), (before[0][gone], before[1][gone]))
                self._apply(self.again, count)
                self._take(self.again, np.arange(len(gone)), self.where[gone], count)
        self.done += count
        return len(gone)

    def _apply(self, machine: Interpreter, count: int) -> None:
        machine.alive[:] = True
        for step in range(count):
            if self.counts:
                machine.set_input("n", float(self.done + step))
            machine.apply()

    def _take(self, machine: Interpreter, gone: Array, where: Array, count: int) -> None:
        """Take in the points `gone` of a machine, which have left within its last `count` applications."""
        failed = machine.failed(count, gone)
        if self.rules.settles is None and self.rules.trap is None:
            self._escaped(machine, gone, where, failed, count)
            return
        places = machine.places(count, failed, gone)
        x, y = machine.values("x", places), machine.values("y", places)
        escaped = ~(x * x + y * y <= self.rules.bailout**2)
        if escaped.any():
            self._escaped(machine, gone[escaped], where[escaped], failed[escaped], count)
            where, gone, failed, x, y = (each[~escaped] for each in (where, gone, failed, x, y))
        places = machine.places(count, failed + 1, gone)
        state = {name: machine.values(name, places) for name in self.found.state}
        moved = np.sqrt(np.square(state["x"] - x) + np.square(state["y"] - y))
        self.found.take(where, self.done + failed + 1, state, moved, stopped=True)

    def _escaped(self, machine: Interpreter, gone: Array, where: Array, failed: Array, count: int) -> None:
        """Take in the points that were too far from 0 for their application `failed`."""
        places = machine.places(count, failed, gone)
        state = {name: machine.values(name, places) for name in self.found.state}
        places = machine.places(count, failed - 1, gone)
        x, y = machine.values("x", places), machine.values("y", places)
        self.found.take(where, self.done + failed, state, np.sqrt(x * x + y * y))

    def _settle(self, chunk: int) -> None:
        """Drop the points that are exactly where they were: their orbit stays for ever."""
        if self.counts:
            return
        state = self.machine.state
        if self.seen is not None:
            returned = state["x"] == self.seen[0]
            returned &= self.open
            if returned.any():
                returned &= state["y"] == self.seen[1]
                self.found.never(self.machine, self.where, returned)
                self.open &= ~returned
                self.all_open = bool(self.open.all())
        if self.seen is None or chunk & (chunk - 1) == 0:
            self.seen = state["x"].copy(), state["y"].copy()

    def _compact(self) -> None:
        """Keep the open points only."""
        if self.all_open:
            return
        kept = np.flatnonzero(self.open)
        self.machine.keep(kept)
        self.where, self.open, self.all_open = self.where[kept], np.ones(len(kept), bool), True
        if self.seen is not None:
            self.seen = self.seen[0][kept], self.seen[1][kept]


class Found:
    """The state of the points so far."""

    def __init__(self, count: int, names: tuple[str, ...]) -> None:
        self._count = np.full(count, NEVER, np.int32)
        self.state = {name: np.zeros(count) for name in names}
        self._before = np.zeros(count)
        self._stopped = np.zeros(count, bool)

    def take(
        self, where: Array, count: int | Array, state: Mapping[str, Array], before: Array, *, stopped: bool = False
    ) -> None:
        """Note that the points at `where` have left, with this state."""
        self._count[where] = count
        for name, column in self.state.items():
            column[where] = state[name]
        self._before[where] = before
        if stopped:
            self._stopped[where] = True

    def never(self, machine: Interpreter, where: Array, which: Array) -> None:
        """Note where the points `which` of those at `where` are, which do not leave."""
        places = where[which]
        for name, column in self.state.items():
            column[places] = machine.state[name][which]

    def outcome(self) -> Outcome:
        """Return everything."""
        slopes = {name: column for name, column in self.state.items() if name not in ("x", "y")}
        return Outcome(self._count, self.state["x"], self.state["y"], self._before, self._stopped, slopes)
