"""Formulas in arithmetic of any precision: the orbits that deep zooms are measured from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath

from phosphene.fractals.graph import Graph


def evaluate(graph: Graph, nodes: Sequence[int], variables: Mapping[str, Any], context: Any) -> dict[int, Any]:
    """Return the values of `nodes` and of what they are computed from, in an mpmath context.

    Infinities and undefined values are NaN.
    """
    functions = _functions(context)
    found: dict[int, Any] = {}
    for node in graph.needed(nodes):
        operation, operands, name = graph.entries[node]
        match operation:
            case "variable":
                found[node] = variables[name]
            case "number":
                found[node] = context.mpf(name)
            case "constant":
                found[node] = +(context.pi if name == "pi" else context.e)
            case _:
                try:
                    found[node] = functions[operation](*(found[each] for each in operands))
                except (ZeroDivisionError, ValueError, OverflowError):
                    found[node] = context.nan
    return found


def context_for(digits: int) -> Any:
    """Return an mpmath context of its own with this many decimal digits."""
    context = mpmath.mp.clone()
    context.dps = digits
    return context


def _functions(context: Any) -> dict[str, Callable[..., Any]]:
    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "atan2": context.atan2,
        "maximum": max,
        "sqrt": lambda a: context.sqrt(a) if a >= 0 else context.nan,
        "exp": context.exp,
        "log": lambda a: context.log(a) if a >= 0 else context.nan,
        "sin": context.sin,
        "cos": context.cos,
        "tan": context.tan,
        "sinh": context.sinh,
        "cosh": context.cosh,
        "tanh": context.tanh,
        "abs": abs,
        "sign": context.sign,
        "expm1": context.expm1,
        "log1p": context.log1p,
        "round": context.nint,
    }
