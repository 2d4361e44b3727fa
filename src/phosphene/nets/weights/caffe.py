"""Caffe's `.caffemodel`: the weights of each layer, as `LAYER.weight` and `LAYER.bias`.

Both generations of the format are read, that of 2014 (`layers`, as BVLC's files are) and that of 2015
(`layer`). Field numbers are those of Caffe's own `caffe.proto`.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.weights import wire
from phosphene.nets.weights.wire import BYTES, Field, Walker, WireError

# In a network: the number of a layer; in a layer: those of its name and its blobs.
GENERATIONS = {2: ("OldLayer", 4, 6), 100: ("Layer", 1, 7)}

FLOATS, DOUBLES = 5, 8
"""The fields of a blob that hold its numbers."""

KINDS = ("weight", "bias")

SCHEMA = {
    "BlobShape": {"dim": (1, "repeated int64")},
    "Blob": {
        "num": (1, "int32"),
        "channels": (2, "int32"),
        "height": (3, "int32"),
        "width": (4, "int32"),
        "shape": (7, "BlobShape"),
    },
    "OldLayer": {"name": (4, "bytes")},
    "Layer": {"name": (1, "bytes")},
}


@cache
def _classes() -> dict[str, type]:
    return wire.message_classes("phosphene.caffe", SCHEMA)


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a Caffe model, in the order of its layers.

    Raises `WeightsError` that names the layer that is damaged.
    """
    classes, walker = _classes(), Walker()
    tensors: dict[str, Tensor] = {}
    last = "its beginning"
    try:
        for number, kind, value in walker.fields(wire.mapped(path)):
            if number in GENERATIONS and kind == BYTES:
                schema, name_field, blob_field = GENERATIONS[number]
                name, blobs = _layer(walker, classes, value, schema, name_field, blob_field)
                last = f"layer {name!r}"
                tensors |= _named(tensors, name, blobs, walker, classes)
    except WireError as problem:
        raise WeightsError(f"{path} must be a complete Caffe model, but after {last}: {problem}", path=path) from None
    if not tensors:
        raise WeightsError(f"{path} is not a Caffe model: it has no layer with weights", path=path)
    return tensors


def _layer(
    walker: Walker, classes: dict[str, type], layer: memoryview, schema: str, name_field: int, blob_field: int
) -> tuple[str, list[memoryview]]:
    blobs, head = [], []
    for field in walker.fields(layer):
        if field[0] == blob_field and field[1] == BYTES:
            blobs.append(field[2])
        elif field[0] == name_field:
            head.append(field)
    name = wire.parsed(classes[schema], head).name
    return name.decode("utf-8", errors="replace"), blobs


def _named(
    known: dict[str, Tensor], name: str, blobs: list[memoryview], walker: Walker, classes: dict[str, type]
) -> dict[str, Tensor]:
    if len(blobs) > len(KINDS):
        raise WireError(f"layer {name!r} has {len(blobs)} blobs instead of a weight and a bias")
    found = {}
    for kind, blob in zip(KINDS, blobs, strict=False):
        if f"{name}.{kind}" in known:
            raise WireError(f"there is a second layer {name!r}")
        try:
            found[f"{name}.{kind}"] = _blob(walker, classes, blob)
        except WireError as problem:
            raise WireError(f"layer {name!r} is damaged: {problem}") from None
    return found


def _blob(walker: Walker, classes: dict[str, type], blob: memoryview) -> Tensor:
    numbers: dict[int, list[memoryview]] = {FLOATS: [], DOUBLES: []}
    head: list[Field] = []
    for field in walker.fields(blob):
        if field[0] in numbers:
            if field[1] != BYTES:
                raise WireError("its numbers are not packed")
            numbers[field[0]].append(field[2])
        elif field[0] in (1, 2, 3, 4, 7):
            head.append(field)
    shape = _shape(wire.parsed(classes["Blob"], head))
    chunks, item = (numbers[DOUBLES], "<f8") if numbers[DOUBLES] else (numbers[FLOATS], "<f4")
    size = sum(map(len, chunks))
    if size != math.prod(shape) * np.dtype(item).itemsize:
        raise WireError(f"its shape {' x '.join(map(str, shape))} does not fit its {size} bytes")
    array = np.frombuffer(chunks[0] if len(chunks) == 1 else b"".join(chunks), item)
    return torch.from_numpy(array.astype(np.float32)).reshape(shape)


def _shape(blob: Any) -> tuple[int, ...]:
    old = (blob.num, blob.channels, blob.height, blob.width)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else old
    if len(shape) > 8 or any(side < 0 for side in shape):
        raise WireError(f"its shape is {shape}")
    return shape
