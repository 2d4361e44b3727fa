"""TensorFlow's frozen graphs, `.pb`: the constants of a graph by the names of their nodes.

Field numbers are those of TensorFlow's `graph.proto`, `node_def.proto`, `attr_value.proto` and
`tensor.proto`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.weights import wire
from phosphene.nets.weights.wire import BYTES, FOUR_BYTES, Field, Walker, WireError

NODE = 1
NAME, OPERATION, ATTRIBUTE = 1, 2, 5
KEY, VALUE = 1, 2
TENSOR = 8
CONTENT, FLOATS = 4, 5

DTYPES = {1: "<f4", 2: "<f8", 19: "<f2"}
"""TensorFlow's numbers of the types that weights have."""

MOST_REPEATED = 1 << 20
"""Values of a whole file that are not written, because they repeat the one before."""

SCHEMA = {
    "Node": {"name": (1, "bytes"), "op": (2, "bytes")},
    "Value": {"i": (3, "int64"), "f": (4, "float")},
    "Dimension": {"size": (1, "int64")},
    "Shape": {"dim": (2, "repeated Dimension")},
    "Tensor": {"dtype": (1, "int32"), "shape": (2, "Shape")},
}


@cache
def _classes() -> dict[str, type]:
    return wire.message_classes("phosphene.tensorflow", SCHEMA)


@dataclass
class FrozenGraph:
    """A graph's constants, the numeric attributes of its other nodes, and how many values were repeated."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    attributes: dict[str, dict[str, float]] = field(default_factory=dict)
    repeated: int = 0


def read(path: Path) -> FrozenGraph:
    """Read the constants and attributes of a frozen graph. Raise `WeightsError` naming the bad node."""
    classes, walker, graph = _classes(), Walker(), FrozenGraph()
    last = "its beginning"
    try:
        for number, kind, value in walker.fields(wire.mapped(path)):
            if number == NODE and kind == BYTES:
                last = f"node {_node(walker, classes, value, graph)!r}"
    except WireError as problem:
        raise WeightsError(f"{path} is not a complete frozen graph: after {last}, {problem}", path=path) from None
    if not graph.tensors:
        raise WeightsError(f"{path} is not a frozen graph: it has no constants", path=path)
    return graph


def _node(walker: Walker, classes: dict[str, type], node: memoryview, graph: FrozenGraph) -> str:
    head: list[Field] = []
    values: dict[str, memoryview] = {}
    for found in walker.fields(node):
        if found[0] in (NAME, OPERATION):
            head.append(found)
        elif found[0] == ATTRIBUTE and found[1] == BYTES:
            key, value = _entry(walker, found[2])
            values[key] = value
    message = wire.parsed(classes["Node"], head)
    name = message.name.decode("utf-8", errors="replace")
    try:
        if message.op == b"Const":
            tensor = _constant(walker, classes, values.get("value", memoryview(b"")), graph)
            if tensor is not None:
                graph.tensors[name] = tensor
        else:
            graph.attributes[name] = _numbers(walker, classes, values)
    except WireError as problem:
        raise WireError(f"node {name!r} is damaged: {problem}") from None
    return name


def _entry(walker: Walker, entry: memoryview) -> tuple[str, memoryview]:
    key, value = "", memoryview(b"")
    for number, kind, found in walker.fields(entry):
        if number == KEY and kind == BYTES and len(found) < 1000:
            key = bytes(found).decode("utf-8", errors="replace")
        elif number == VALUE and kind == BYTES:
            value = found
    return key, value


def _numbers(walker: Walker, classes: dict[str, type], values: dict[str, memoryview]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for key, value in values.items():
        plain = [found for found in walker.fields(value) if found[0] in (3, 4)]
        if plain:
            message = wire.parsed(classes["Value"], plain)
            numbers[key] = message.f if message.HasField("f") else message.i
    return numbers


def _constant(walker: Walker, classes: dict[str, type], value: memoryview, graph: FrozenGraph) -> Tensor | None:
    """Return a constant as float32, or None if its type is not a floating-point one."""
    tensors = [found for number, kind, found in walker.fields(value) if number == TENSOR and kind == BYTES]
    if not tensors:
        raise WireError("it has no value")
    head, chunks = [], []
    for number, kind, found in walker.fields(tensors[-1]):
        if number in (1, 2):
            head.append((number, kind, found))
        elif (number == CONTENT and kind == BYTES) or (number == FLOATS and kind in (BYTES, FOUR_BYTES)):
            chunks.append(found)
    message = wire.parsed(classes["Tensor"], head)
    if message.dtype not in DTYPES:
        return None
    shape = tuple(each.size for each in message.shape.dim)
    if len(shape) > 8 or any(side < 0 for side in shape):
        raise WireError(f"its shape is {shape}")
    item = np.dtype(DTYPES[message.dtype])
    size, count = sum(map(len, chunks)), math.prod(shape)
    if size % item.itemsize:
        raise WireError(f"its {size} bytes are not a list of integers")
    array = np.frombuffer(chunks[0] if len(chunks) == 1 else b"".join(chunks), item).astype(np.float32)
    if 0 < len(array) < count:  # the last value stands for all that follow
        graph.repeated += count - len(array)
        if graph.repeated > MOST_REPEATED:
            raise WireError(f"its shape {' x '.join(map(str, shape))} does not fit its {size} bytes")
        array = np.concatenate([array, np.full(count - len(array), array[-1], np.float32)])
    if len(array) != count:
        raise WireError(f"its shape {' x '.join(map(str, shape))} does not fit its {size} bytes")
    return torch.from_numpy(array).reshape(shape)
