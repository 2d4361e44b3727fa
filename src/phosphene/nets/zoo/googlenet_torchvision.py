"""GoogLeNet as torchvision has it: with batch norm instead of local normalisation, and 3x3 in place of 5x5.

Layers have torchvision's names: `conv1`, `inception4c`, and inside a block `inception4c.branch2.0` (its
convolution, batch norm folded in, and ReLU).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from phosphene.nets.ops.batch_norm import folded, plain
from phosphene.nets.ops.modules import Convolution, Dense, Join, MaxPool
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo import googlenet
from phosphene.nets.zoo.graph import Structure, Table

POOLED_BEFORE = {"4a": ("maxpool3", 3), "5a": ("maxpool4", 2)}
"""The pool before a block, and its window."""

EPSILON = 1e-3
CLASSES = 1000
TRAINING_ONLY = ("aux1.", "aux2.")


def structure() -> Structure:
    """Return the network without its weights."""
    table = Table()
    with torch.device("meta"):
        table.add("conv1", Convolution(3, 64, 7, 2, 3, relu=True))
        table.add("maxpool1", MaxPool(64, 3, 2, ceil=True))
        table.add("conv2", Convolution(64, 64, 1, relu=True))
        table.add("conv3", Convolution(64, 192, 3, 1, 1, relu=True))
        name = table.add("maxpool2", MaxPool(192, 3, 2, ceil=True))
        for block, branches in googlenet.BLOCKS.items():
            if block in POOLED_BEFORE:
                pool, window = POOLED_BEFORE[block]
                name = table.add(pool, MaxPool(table.channels(name), window, 2, ceil=True))
            name = _inception(table, f"inception{block}", name, branches)
        table.add("fc", Dense(table.channels(name), CLASSES))
    return Structure(table, "fc", name, "inception4c", input_size=224, epsilon=EPSILON)


def _inception(table: Table, block: str, source: str, branches: googlenet.Branches) -> str:
    one, *deep, projection = branches
    given = table.channels(source)
    ends = [table.add(f"{block}.branch1", Convolution(given, one, 1, relu=True), source)]
    widths = [one]
    for number, (reduce, channels) in enumerate(deep, start=2):
        table.add(f"{block}.branch{number}.0", Convolution(given, reduce, 1, relu=True), source)
        ends.append(table.add(f"{block}.branch{number}.1", Convolution(reduce, channels, 3, 1, 1, relu=True)))
        table.aliases[f"{block}.branch{number}"] = ends[-1]
        widths.append(channels)
    table.add(f"{block}.branch4.0", MaxPool(given, 3, 1, 1, ceil=True), source)
    ends.append(table.add(f"{block}.branch4.1", Convolution(given, projection, 1, relu=True)))
    table.aliases[f"{block}.branch4"] = ends[-1]
    return table.add(block, Join(*widths, projection), *ends)


def torchvision_weights(
    structure: Structure, source: TensorSource, ignored: tuple[str, ...] = TRAINING_ONLY
) -> Mapping[str, Tensor]:
    """Return the weights from torchvision's state dict, where each convolution is a `conv` and a `bn`."""
    weights: dict[str, Tensor] = {}
    for name, operation in structure.table.steps.items():
        if isinstance(operation, Convolution):
            found = folded(source, f"{name}.conv", f"{name}.bn", operation, EPSILON)
        else:
            found = plain(source, name, operation)
        weights |= {f"{name}.{kind}": tensor for kind, tensor in found.items()}
    source.finish(ignored)
    return weights
