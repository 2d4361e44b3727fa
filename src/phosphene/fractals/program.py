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


class Machine:
    """A program with buffers for `capacity` points, of which the first `count` are there.

    `state` and `fixed` have an array for each variable of the state, and for each node that is the same in every
    application. `alive` says which points have passed every test since it was last set.
    """

    def __init__(self, program: Program, capacity: int) -> None:
        self.program = program
        self.capacity = capacity
        self.count = 0
        self._state = {name: np.empty(capacity) for name in program.state}
        self._fixed = {node: np.empty(capacity) for node in program.fixed}
        self._scalars = {name: np.zeros(()) for name in program.inputs}
        self._gathered: dict[str, Array] = {}
        self._alive = np.empty(capacity, bool)
        self._mask = np.empty(capacity, bool)
        self._plan, buffers = _schedule(program)
        self._buffers = [np.empty(capacity) for _ in range(buffers)]
        self._numbers = {each: each[1] for _, operands, _ in self._plan for each in operands if each[0] == "number"}
        self._arrays: dict[Reference, Array] = {
            **{("state", name): column for name, column in self._state.items()},
            **{("fixed", node): column for node, column in self._fixed.items()},
            **{("buffer", index): buffer for index, buffer in enumerate(self._buffers)},
            ("mask", None): self._mask,
            ("alive", None): self._alive,
        }
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = []

    @property
    def state(self) -> dict[str, Array]:
        """Return the state's variables, views of `count`."""
        return {name: column[: self.count] for name, column in self._state.items()}

    @property
    def alive(self) -> Array:
        """Return which points have passed every test, a view."""
        return self._alive[: self.count]

    def load(self, state: Mapping[str, Array], fixed: Mapping[int, Array]) -> None:
        """Take in points: the state's variables and what stays the same, `count` values each."""
        count = len(next(iter(state.values())))
        for name, column in self._state.items():
            column[:count] = state[name]
        for node, column in self._fixed.items():
            column[:count] = fixed[node]
        self._bind(count)

    def keep(self, indices: Array) -> None:
        """Keep these points only."""
        count = len(indices)
        for column in (*self._state.values(), *self._fixed.values()):
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
        for function, operands, out in self._calls:
            function(*operands, out)

    def _bind(self, count: int) -> None:
        """Take views of the first `count` values of every array, once for each array."""
        self.count = count
        views: dict[Reference, Any] = {}
        for reference, array in self._arrays.items():
            views[reference] = array[:count]
        for name, scalar in self._scalars.items():
            gathered = self._gathered.get(name)
            views["input", name] = scalar if gathered is None else gathered[:count]
        views |= self._numbers
        self._calls = [
            (call, tuple([views[each] for each in operands]), views[out]) for call, operands, out in self._plan
        ]


Reference = tuple[str, Any]
Call = tuple[Callable[..., Any], tuple[Reference, ...], Reference]


def _schedule(program: Program) -> tuple[list[Call], int]:
    """Return the calls of one application, and how many buffers they need."""
    graph = program.graph
    order = _order(program)
    last: dict[int, int] = {}
    for index, node in enumerate(order):
        for operand in graph.entries[node].operands:
            last[operand] = index
    results = set(program.state.values())
    last |= {node: len(order) for node in results if graph.entries[node].operation == "variable"}
    where: dict[int, Reference] = {node: ("number", value) for node, value in program.numbers.items()}
    where |= {node: ("fixed", node) for node in program.fixed}
    variable = {}
    for node, entry in enumerate(graph.entries):
        if entry.operation == "variable" and entry.name in program.state:
            where[node], variable[entry.name] = ("state", entry.name), node
        elif entry.operation == "variable" and entry.name in program.inputs:
            where[node] = ("input", entry.name)
    target = {node: name for name, node in program.state.items()}
    calls: list[Call] = []
    moved: dict[str, Reference] = {}
    free: list[int] = []
    buffers = 0
    for index, node in enumerate(order):
        operation, operands, _ = graph.entries[node]
        references = tuple(where[each] for each in operands)
        for each in set(operands):
            kind, which = where[each]
            if kind == "buffer" and last[each] == index and each not in results:
                free.append(which)
        own = target.get(node)
        if own is not None and last.get(variable.get(own, -1), -1) <= index and last.get(node, -1) <= index:
            where[node] = ("state", own)
        else:
            if not free:
                free.append(buffers)
                buffers += 1
            where[node] = ("buffer", free.pop())
        calls.append((UFUNCS[operation], references, where[node]))
        for test in program.tests:
            if test.node == node:
                calls += _tested(test, where[node])
        if last.get(node, -1) <= index and node not in results:  # only a test needed it
            free.append(where[node][1])
    calls += [call for test in program.tests if test.node not in order for call in _tested(test, where[test.node])]
    for name, node in program.state.items():  # what another variable was is read before anything is written
        if where[node][0] == "state" and where[node] != ("state", name):
            calls.append((np.positive, (where[node],), ("buffer", buffers)))
            moved[name] = ("buffer", buffers)
            buffers += 1
        elif where[node] != ("state", name):
            moved[name] = where[node]
    return calls + [(np.positive, (source,), ("state", name)) for name, source in moved.items()], buffers


def _order(program: Program) -> list[int]:
    """Return the nodes of an application so that what the next state is made with comes as late as it can."""
    results = [node for node in program.loop if node in set(program.state.values())]
    used = {each for node in program.loop for each in program.graph.entries[node].operands}
    late = [node for node in results if node not in used]
    return [node for node in program.loop if node not in late] + late


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
