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
class Program:
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


SETS = 3
"""Places of a machine's state: those before and after an application, and those before that."""


class Machine:
    """A program with buffers for `capacity` points, of which the first `count` are there.

    `state` and `fixed` have an array for each variable of the state, and for each node that is the same in every
    application. `alive` says which points have passed every test since it was last set.
    """

    def __init__(self, program: Program, capacity: int) -> None:
        self.program = program
        self.capacity = capacity
        self.count = 0
        self._at = 0
        self._sets = [{name: np.empty(capacity) for name in program.state} for _ in range(SETS)]
        self._fixed = {node: np.empty(capacity) for node in program.fixed}
        self._scalars = {name: np.zeros(()) for name in program.inputs}
        self._gathered: dict[str, Array] = {}
        self._alive = np.empty(capacity, bool)
        self._mask = np.empty(capacity, bool)
        self._plan, buffers = _schedule(program)
        self._numbers = {each: each[1] for _, operands, _ in self._plan for each in operands if each[0] == "number"}
        self._arrays: dict[Reference, Array] = {
            **{("fixed", node): column for node, column in self._fixed.items()},
            **{("buffer", index): np.empty(capacity) for index in range(buffers)},
            ("mask", None): self._mask,
            ("alive", None): self._alive,
        }
        self._calls: list[list[tuple[Callable[..., Any], tuple[Any, ...], Any]] | None] = [None] * SETS

    @property
    def state(self) -> dict[str, Array]:
        """Return the state's variables, views of `count`."""
        return self._set(0)

    @property
    def alive(self) -> Array:
        """Return which points have passed every test, a view."""
        return self._alive[: self.count]

    def earlier(self, applications: int) -> dict[str, Array]:
        """Return the state 1 or 2 applications ago, views, until the next one; `keep` leaves that of one ago."""
        return self._set(-applications)

    def load(
        self, state: Mapping[str, Array], fixed: Mapping[int, Array], before: tuple[Array, Array] | None = None
    ) -> None:
        """Take in points: the state's variables, what stays the same, and x and y one application ago."""
        self._bind(len(next(iter(state.values()))))
        if before is not None:
            self.earlier(1)["x"][:], self.earlier(1)["y"][:] = before
        for name, column in self.state.items():
            column[:] = state[name]
        for node, column in self._fixed.items():
            column[: self.count] = fixed[node]

    def keep(self, indices: Array) -> None:
        """Keep these points only."""
        count = len(indices)
        now, before = self._sets[self._at], self._sets[self._at - 1]
        for column in (*now.values(), *before.values(), *self._fixed.values()):
            column[:count] = column[indices]
        self._bind(count)

    def fixed_at(self, indices: Array) -> dict[int, Array]:
        """Return what stays the same of these points."""
        return {node: column[indices] for node, column in self._fixed.items()}

    def set_input(self, name: str, value: float | Array) -> None:
        """Set a variable that changes with every application: one number, or one for each point."""
        if isinstance(value, np.ndarray) and value.ndim:
            if name not in self._gathered:
                self._gathered[name] = np.empty(self.capacity)
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
            calls = self._calls[self._at] = self._bound()
        for function, operands, out in calls:
            function(*operands, out)
        self._at = (self._at + 1) % SETS

    def _set(self, ahead: int) -> dict[str, Array]:
        return {name: column[: self.count] for name, column in self._sets[(self._at + ahead) % SETS].items()}

    def _bind(self, count: int) -> None:
        """Let the calls be those of the first `count` values of every array."""
        self.count = count
        self._calls = [None] * SETS

    def _bound(self) -> list[tuple[Callable[..., Any], tuple[Any, ...], Any]]:
        """Return the calls of an application to the present state, each array's view being taken once."""
        views: dict[Reference, Any] = {reference: array[: self.count] for reference, array in self._arrays.items()}
        views |= {("state", name): column for name, column in self._set(0).items()}
        views |= {("next", name): column for name, column in self._set(1).items()}
        for name, scalar in self._scalars.items():
            gathered = self._gathered.get(name)
            views["input", name] = scalar if gathered is None else gathered[: self.count]
        views |= self._numbers
        return [(call, tuple([views[each] for each in operands]), views[out]) for call, operands, out in self._plan]


Reference = tuple[str, Any]
Call = tuple[Callable[..., Any], tuple[Reference, ...], Reference]


def _schedule(program: Program) -> tuple[list[Call], int]:
    """Return the calls of one application, and how many buffers they need."""
    graph = program.graph
    last: dict[int, int] = {}
    for index, node in enumerate(program.loop):
        for operand in graph.entries[node].operands:
            last[operand] = index
    where: dict[int, Reference] = {node: ("number", value) for node, value in program.numbers.items()}
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
        for test in program.tests:
            if test.node == node:
                calls += _tested(test, where[node])
        if last.get(node, -1) <= index and node not in target:  # only a test needed it
            free.append(where[node][1])
    calls += [
        call for test in program.tests if test.node not in program.loop for call in _tested(test, where[test.node])
    ]
    for name, node in program.state.items():
        if where[node] != ("next", name):
            calls.append((np.positive, (where[node],), ("next", name)))
    return calls, buffers


def _tested(test: Test, value: Reference) -> list[Call]:
    compare = np.greater if test.above else np.less_equal
    return [
        (compare, (value, ("number", test.bound)), ("mask", None)),
        (np.logical_and, (("alive", None), ("mask", None)), ("alive", None)),
    ]


def columns_of(graph: Graph, nodes: Iterable[int], variables: Mapping[str, Array]) -> dict[int, Array]:
    """Return the values of nodes for each point of `variables`, as arrays of their length."""
    nodes = list(nodes)
    count = len(next(iter(variables.values())))
    values = evaluate(graph, nodes, variables)
    return {node: np.broadcast_to(value, (count,)) for node, value in zip(nodes, values, strict=True)}
