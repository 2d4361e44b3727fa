"""Programs over arrays: the operations of a graph, in order, each into a buffer that is used again.

A program applies a formula once to many points. Its blocks are small enough for the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.fractals.graph import Graph

Array = np.ndarray


def _maximum(a: Array, b: Array, out: Array | None = None) -> Array:
    return np.asarray(np.maximum(a, b, out=out))  # a third argument means something else to it


UFUNCS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "atan2": np.arctan2,
    "maximum": _maximum,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "abs": np.fabs,
    "sign": np.sign,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "round": np.rint,
}

CONSTANTS = {"pi": math.pi, "e": math.e}


def evaluate(graph: Graph, nodes: Sequence[int], variables: Mapping[str, Array | float]) -> list[Array]:
    """Return the values of nodes in double precision; whatever is not a number is NaN, and nothing is raised."""
    found: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for node in graph.needed(nodes):
            operation, operands, name = graph.entries[node]
            match operation:
                case "variable":
                    found[node] = np.asarray(variables[name], dtype=np.float64)
                case "number":
                    found[node] = np.float64(name)
                case "constant":
                    found[node] = np.float64(CONSTANTS[name])
                case _:
                    found[node] = UFUNCS[operation](*(found[each] for each in operands))
    return [np.asarray(found[node]) for node in nodes]


@dataclass(frozen=True)
class Test:
    """The condition for a point to go on: `node` at most `bound`, or above it with `above`."""

    node: int
    bound: float
    above: bool = False


@dataclass(frozen=True, eq=False)
class FormulaProgram:
    """One application of a formula: the state's variables with their next nodes, and the tests of each application.

    `columns` are the variables that each point has a value of and that never change; `inputs` those that change with
    every application.
    """

    graph: Graph = field(repr=False)
    state: Mapping[str, int]
    tests: Sequence[Test]
    columns: Sequence[str]
    inputs: Sequence[str] = ()

    def __post_init__(self) -> None:
        depends = self.graph.depends()
        changing = {*self.state, *self.inputs}
        needed = self.graph.needed([*self.state.values(), *(test.node for test in self.tests)])
        used = {each for node in needed if depends[node] & changing for each in self.graph.entries[node].operands}
        used |= {*self.state.values(), *(test.node for test in self.tests)}
        loop = [node for node in needed if depends[node] & changing and self.graph.entries[node].operands]
        fixed = [node for node in sorted(used) if depends[node] and not depends[node] & changing]
        numbers = [node for node in sorted(used) if not depends[node]]
        object.__setattr__(self, "loop", tuple(loop))
        object.__setattr__(self, "fixed", tuple(fixed))
        values = (float(value) for value in evaluate(self.graph, numbers, {}))
        object.__setattr__(self, "numbers", dict(zip(numbers, values, strict=True)))

    loop: tuple[int, ...] = field(init=False, repr=False)
    fixed: tuple[int, ...] = field(init=False, repr=False)
    numbers: Mapping[int, float] = field(init=False, repr=False)


FEW = 512
"""Points up to which a call costs about as much as one with twice as many."""


class Interpreter:
    """A program with buffers for `capacity` points, of which the first `count` are there.

    `alive` says which points have passed every test since it was last set. The states of the last `memory`
    applications can be asked for, and which of them a point has passed.

    The arrays are rows of one table: a ring of the state's variables at one application after another; what is the same
    in every application of a point; buffers.
    """

    def __init__(self, program: FormulaProgram, capacity: int, memory: int = 1) -> None:
        self.program = program
        self.capacity = capacity
        self.count = self._size = 0
        self._at = 0
        self._names = tuple(program.state)
        self._ring = memory + 2
        calls, buffers = _schedule(program)
        states = self._ring * len(self._names)
        self._table = np.zeros((states + len(program.fixed) + buffers, capacity))
        self._fixed = {node: self._table[states + index] for index, node in enumerate(program.fixed)}
        self._masks = np.empty((self._ring + 2, capacity), bool)
        self._scalars = {name: np.zeros(()) for name in program.inputs}
        bounds = [test.bound for test in program.tests]
        self._constants = [np.asarray(value) for value in (*program.numbers.values(), *bounds)]
        self._gathered: dict[str, Array] = {}
        self._places = self._numbered(calls)
        self._plans = [self._plan(calls, at) for at in range(self._ring)]
        self._values: list[Any] = []
        self._calls: list[list[tuple[Callable[..., Any], list[Any]]] | None] = [None] * self._ring

    @property
    def state(self) -> dict[str, Array]:
        """Return the state's variables, views of `count`."""
        return self.earlier(0)

    @property
    def alive(self) -> Array:
        """Return which points have passed every test, a view."""
        return self._masks[-1, : self.count]

    def earlier(self, applications: int) -> dict[str, Array]:
        """Return the state some applications ago, views, until it is overwritten; `keep` leaves that of one ago."""
        first = (self._at - applications) % self._ring * len(self._names)
        return {name: self._table[first + index, : self.count] for index, name in enumerate(self._names)}

    def failed(self, applications: int, indices: Array) -> Array:
        """Return at which of the last applications, from 0, these points failed a test first."""
        first = np.zeros(len(indices), np.int8)
        passed = np.ones(len(indices), bool)
        for step in range(self._at - applications, self._at):
            passed &= np.take(self._masks[step % self._ring], indices)
            first += passed
        return first.astype(np.intp)

    def places(self, applications: int, steps: Array, indices: Array) -> Array:
        """Return for `values` the places of some points, each after `steps` of the last applications, from -1."""
        rows = np.arange(self._at - applications - 1, self._at + 1) % self._ring
        return np.take(rows * (len(self._names) * self.capacity), steps + 1) + indices

    def values(self, name: str, places: Array) -> Array:
        """Return a variable at some places."""
        return np.take(self._table, places + self._names.index(name) * self.capacity)

    def load(
        self, state: Mapping[str, Array], fixed: Mapping[int, Array], before: tuple[Array, Array] | None = None
    ) -> None:
        """Take in points: the state's variables, what stays the same, and x and y one application ago."""
        self._bind(len(next(iter(state.values()))))
        if before is not None:
            earlier = self.earlier(1)
            earlier["x"][:], earlier["y"][:] = before
        for name, column in self.state.items():
            column[:] = state[name]
        for node, column in self._fixed.items():
            column[: self.count] = fixed[node]

    def keep(self, indices: Array) -> None:
        """Keep these points only."""
        count = len(indices)
        now, before = self.earlier(0), self.earlier(1)
        for column in (*now.values(), *before.values(), *self._fixed.values()):
            column[:count] = np.take(column, indices)
        self._bind(count)

    def fixed_at(self, indices: Array) -> dict[int, Array]:
        """Return what stays the same of these points."""
        return {node: column[indices] for node, column in self._fixed.items()}

    def set_input(self, name: str, value: float | Array) -> None:
        """Set a variable that changes with every application: one number, or one for each point."""
        if isinstance(value, np.ndarray) and value.ndim:
            if name not in self._gathered:
                self._gathered[name] = np.zeros(self.capacity)
                self._size = 0
                self._bind(self.count)
            self._gathered[name][: self.count] = value
        elif name in self._gathered:
            self._gathered[name][: self.count] = value
        else:
            self._scalars[name][()] = value

    def apply(self) -> None:
        """Apply the formula once to every point."""
        calls = self._calls[self._at]
        if calls is None:
            values = self._values
            calls = self._calls[self._at] = [
                (call, [values[each] for each in places]) for call, places in self._plans[self._at]
            ]
        for call, operands in calls:
            call(*operands)
        self._at = (self._at + 1) % self._ring

    def _bind(self, count: int) -> None:
        """Let the calls be those of the first values of every array: `count`, or a few more of few."""
        self.count = count
        size = count if count > FEW else min(self.capacity, max(FEW // 8, 1 << (count - 1).bit_length()))
        if size == self._size:
            return
        self._size = size
        inputs = [
            self._gathered[name][:size] if name in self._gathered else scalar for name, scalar in self._scalars.items()
        ]
        self._values = [*self._table[:, :size], *self._masks[:, :size], *inputs, *self._constants]
        self._calls = [None] * self._ring

    def _numbered(self, calls: Sequence[Call]) -> dict[Reference, int]:
        """Return where among the values each reference is, but for those to states and masks, which move on."""
        states, fixed = self._ring * len(self._names), len(self.program.fixed)
        places: dict[Reference, int] = {("fixed", node): states + index for index, node in enumerate(self._fixed)}
        masks = len(self._table)
        places |= {("buffer", index): states + fixed + index for index in range(masks - states - fixed)}
        places |= {("test", None): masks + self._ring, ("alive", None): masks + self._ring + 1}
        others = masks + len(self._masks)
        places |= {("input", name): others + index for index, name in enumerate(self._scalars)}
        others += len(self._scalars)
        places |= {("number", node): others + index for index, node in enumerate(self.program.numbers)}
        others += len(self.program.numbers)
        return places | {("bound", index): others + index for index in range(len(self.program.tests))}

    def _plan(self, calls: Sequence[Call], at: int) -> list[tuple[Callable[..., Any], list[int]]]:
        """Return the calls of an application to the state at one place of the ring, by where their values are."""
        count, following = len(self._names), (at + 1) % self._ring
        places = {**self._places, ("mask", None): len(self._table) + at}
        places |= {("state", name): at * count + index for index, name in enumerate(self._names)}
        places |= {("next", name): following * count + index for index, name in enumerate(self._names)}
        return [(call, [places[each] for each in (*operands, out)]) for call, operands, out in calls]


Reference = tuple[str, Any]
Call = tuple[Callable[..., Any], tuple[Reference, ...], Reference]


def _schedule(program: FormulaProgram) -> tuple[list[Call], int]:
    """Return the calls of one application, and how many buffers they need."""
    graph = program.graph
    last: dict[int, int] = {}
    for index, node in enumerate(program.loop):
        for operand in graph.entries[node].operands:
            last[operand] = index
    where: dict[int, Reference] = {node: ("number", node) for node in program.numbers}
    where |= {node: ("fixed", node) for node in program.fixed}
    for node, entry in enumerate(graph.entries):
        if entry.operation == "variable" and entry.name in program.state:
            where[node] = ("state", entry.name)
        elif entry.operation == "variable" and entry.name in program.inputs:
            where[node] = ("input", entry.name)
    target = {node: name for name, node in program.state.items()}
    calls: list[Call] = []
    free: list[int] = []
    buffers = 0
    waiting = list(range(len(program.tests)))
    for index, node in enumerate(program.loop):
        operation, operands, _ = graph.entries[node]
        references = tuple(where[each] for each in operands)
        free += [where[each][1] for each in set(operands) if where[each][0] == "buffer" and last[each] == index]
        if node in target:
            where[node] = ("next", target[node])
        else:
            if not free:
                free.append(buffers)
                buffers += 1
            where[node] = ("buffer", free.pop())
        calls.append((UFUNCS[operation], references, where[node]))
        for test in [each for each in waiting if program.tests[each].node == node]:
            calls += _tested(program.tests[test], test, where[node], first=len(waiting) == len(program.tests))
            waiting.remove(test)
        if last.get(node, -1) <= index and node not in target:  # only a test needed it
            free.append(where[node][1])
    for test in waiting.copy():
        asked = program.tests[test]
        calls += _tested(asked, test, where[asked.node], first=len(waiting) == len(program.tests))
        waiting.remove(test)
    if program.tests:
        calls.append((np.logical_and, (("alive", None), ("mask", None)), ("alive", None)))
    for name, node in program.state.items():
        if where[node] != ("next", name):
            calls.append((np.positive, (where[node],), ("next", name)))
    return calls, buffers


def _tested(test: Test, index: int, value: Reference, *, first: bool) -> list[Call]:
    """Return the calls that ask a test, and lay its answer on those of the tests before it."""
    compare = np.greater if test.above else np.less_equal
    if first:
        return [(compare, (value, ("bound", index)), ("mask", None))]
    return [
        (compare, (value, ("bound", index)), ("test", None)),
        (np.logical_and, (("mask", None), ("test", None)), ("mask", None)),
    ]


def columns_of(graph: Graph, nodes: Iterable[int], variables: Mapping[str, Array]) -> dict[int, Array]:
    """Return the values of nodes for each point of `variables`, as arrays of their length."""
    nodes = list(nodes)
    count = len(next(iter(variables.values())))
    values = evaluate(graph, nodes, variables)
    return {node: np.broadcast_to(value, (count,)) for node, value in zip(nodes, values, strict=True)}
