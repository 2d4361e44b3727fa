"""A network's table as JSON, so that a file can describe the structure that its weights belong to.

Only the operations listed here can be written and read, each with its numbers: reading a table runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from phosphene.errors import SettingError
from phosphene.nets.ops.modules import AddReLU, Convolution, Dense, Join, MaxPool, MeanPool, Operation, ReLU
from phosphene.nets.ops.same import SameConvolution
from phosphene.nets.zoo.graph import INPUT, Table

Json = dict[str, Any]

MOST_STEPS = 10_000
MOST_CHANNELS = 1 << 16
LARGEST = 1 << 10
"""Kernel, stride or padding."""


class TableError(ValueError):
    """A table that cannot be understood."""


def to_json(table: Table) -> Json:
    """Return the table as JSON. Raises `SettingError` for an operation that cannot be written."""
    steps = [
        {"name": name, "from": list(table.inputs[name]), **_described(operation)}
        for name, operation in table.steps.items()
    ]
    return {"channels": table.given, "steps": steps, "aliases": dict(table.aliases)}


def from_json(data: Json) -> Table:
    """Return the table that `to_json` wrote, without weights. Raises `TableError` for anything else."""
    try:
        table = Table(given=_whole(data["channels"], 1, MOST_CHANNELS))
        steps = data["steps"]
        if not isinstance(steps, list) or not 0 < len(steps) <= MOST_STEPS:
            raise TableError("the number of steps")
        with torch.device("meta"):
            for step in steps:
                _add(table, step)
        for alias, name in data.get("aliases", {}).items():
            if not isinstance(alias, str) or name not in table.steps or alias in table.steps:
                raise TableError(f"the alias {str(alias)[:40]!r}")
            table.aliases[alias] = name
    except (KeyError, TypeError, AttributeError, IndexError, AssertionError) as problem:
        raise TableError(f"{type(problem).__name__}: {problem}") from None
    return table


def _add(table: Table, step: Json) -> None:
    name, sources = step["name"], tuple(step["from"])
    if not isinstance(name, str) or not name or name in table.steps or name == INPUT:
        raise TableError(f"the name {str(name)[:40]!r}")
    if not sources or len(sources) > MOST_STEPS or any(each != INPUT and each not in table.steps for each in sources):
        raise TableError(f"the inputs of {name[:40]!r}")
    if step["op"] not in BUILDERS:
        raise TableError(f"the operation {str(step['op'])[:40]!r}")
    given = [table.channels(each) for each in sources]
    table.add(name, BUILDERS[step["op"]](step, given), *sources)


def _described(operation: Operation) -> Json:
    match operation:
        case Convolution():
            return {
                "op": "convolution",
                "channels": operation.channels,
                "kernel": list(operation.kernel),
                "stride": operation.stride,
                "padding": list(operation.padding),
                "extra": operation.extra,
                "relu": operation.relu,
            }
        case SameConvolution():
            return {
                "op": "same_convolution",
                "channels": operation.channels,
                "kernel": operation.kernel,
                "stride": operation.stride,
                "depthwise": operation.channels > 1 and operation.weight.shape[1] == 1,
                "relu6": operation.relu6,
            }
        case ReLU():
            return {"op": "relu"}
        case MaxPool():
            window = {"kernel": operation.kernel, "stride": operation.stride, "padding": operation.padding}
            return {"op": "max_pool", **window, "ceil": operation.ceil}
        case MeanPool():
            return {"op": "mean_pool", "kernel": operation.kernel, "stride": operation.stride}
        case Join():
            return {"op": "join"}
        case AddReLU():
            return {"op": "sum"}
        case Dense():
            return {"op": "dense", "channels": operation.channels, "grid": operation.grid}
    raise SettingError(f"a network with {type(operation).__name__} cannot be trained further yet", setting="start")


def _convolution(step: Json, given: list[int]) -> Operation:
    (channels,) = given
    kernel = (_whole(step["kernel"][0], 1, LARGEST), _whole(step["kernel"][1], 1, LARGEST))
    padding = (_whole(step["padding"][0], 0, LARGEST), _whole(step["padding"][1], 0, LARGEST))
    made, stride = _whole(step["channels"], 1, MOST_CHANNELS), _whole(step["stride"], 1, LARGEST)
    extra = _whole(step["extra"], 0, LARGEST)
    return Convolution(channels, made, kernel, stride, padding, extra=extra, relu=step["relu"] is True)


def _same_convolution(step: Json, given: list[int]) -> Operation:
    made, depthwise = _whole(step["channels"], 1, MOST_CHANNELS), step["depthwise"] is True
    if len(given) > 2 or given[1:] not in ([], [made]) or (depthwise and given[0] != made):
        raise TableError(f"{given} channels of a convolution to {made}")
    kernel, stride = _whole(step["kernel"], 1, LARGEST), _whole(step["stride"], 1, LARGEST)
    return SameConvolution(given[0], made, kernel, stride, depthwise=depthwise, relu6=step["relu6"] is True)


def _max_pool(step: Json, given: list[int]) -> Operation:
    (channels,) = given
    kernel, stride = _whole(step["kernel"], 1, LARGEST), _whole(step["stride"], 1, LARGEST)
    return MaxPool(channels, kernel, stride, _whole(step["padding"], 0, kernel // 2), ceil=step["ceil"] is True)


def _mean_pool(step: Json, given: list[int]) -> Operation:
    (channels,) = given
    return MeanPool(channels, _whole(step["kernel"], 1, LARGEST), _whole(step["stride"], 1, LARGEST))


def _sum(step: Json, given: list[int]) -> Operation:
    one, two = given
    if one != two:
        raise TableError(f"a sum of {one} and {two} channels")
    return AddReLU(one)


def _dense(step: Json, given: list[int]) -> Operation:
    (channels,) = given
    return Dense(channels, _whole(step["channels"], 1, MOST_CHANNELS), grid=_whole(step["grid"], 1, LARGEST))


BUILDERS: Mapping[str, Callable[[Json, list[int]], Operation]] = {
    "convolution": _convolution,
    "relu": lambda step, given: ReLU(given[0]),
    "same_convolution": _same_convolution,
    "max_pool": _max_pool,
    "mean_pool": _mean_pool,
    "join": lambda step, given: Join(*given),
    "sum": _sum,
    "dense": _dense,
}


def _whole(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise TableError(f"the number {str(value)[:40]!r}, which must be from {least} to {most}")
    return value
