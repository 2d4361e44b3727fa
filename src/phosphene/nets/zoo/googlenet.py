"""GoogLeNet as Caffe has it (Szegedy et al. 2014, table 1): BVLC's of the 2015 notebook, and those of Places.

Layer names are Caffe's, `conv1/7x7_s2` to `inception_5b/output`. Inception 5h has the same plan with other
names and widths and with TensorFlow's padding: `inception5h.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from phosphene.nets.ops.modules import Convolution, Dense, Join, LocalNorm, MaxPool
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo.graph import Structure, Table

# Channels of each block's branches: 1x1, then (reduce, 3x3), then (reduce, 5x5), then the pool's projection.
Branches = tuple[int, tuple[int, int], tuple[int, int], int]
BLOCKS: dict[str, Branches] = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
POOLED_BEFORE = {"4a": "pool3/3x3_s2", "5a": "pool4/3x3_s2"}

# Krizhevsky's constants; Caffe's alpha of 1e-4 is divided by the window of 5.
WINDOW, ALPHA, BETA, K = 5, 1e-4 / 5, 0.75, 1.0

TRAINING_ONLY = ("loss1/", "loss2/")
"""Prefixes of the auxiliary classifiers, which were used in training and are in the files."""


def structure(classes: int) -> Structure:
    """Return the network without its weights, for this many classes."""
    table = Table()
    with torch.device("meta"):
        table.add("conv1/7x7_s2", Convolution(3, 64, 7, 2, 3, relu=True))
        table.add("pool1/3x3_s2", MaxPool(64, 3, 2, ceil=True))
        table.add("pool1/norm1", LocalNorm(64, WINDOW, ALPHA, BETA, K))
        table.add("conv2/3x3_reduce", Convolution(64, 64, 1, relu=True))
        table.add("conv2/3x3", Convolution(64, 192, 3, 1, 1, relu=True))
        table.add("conv2/norm2", LocalNorm(192, WINDOW, ALPHA, BETA, K))
        name = table.add("pool2/3x3_s2", MaxPool(192, 3, 2, ceil=True))
        for block, branches in BLOCKS.items():
            if block in POOLED_BEFORE:
                name = table.add(POOLED_BEFORE[block], MaxPool(table.channels(name), 3, 2, ceil=True))
            name = _inception(table, f"inception_{block}", name, branches)
        table.add("loss3/classifier", Dense(table.channels(name), classes))
    return Structure(table, "loss3/classifier", name, "inception_4c/output", input_size=224)


def _inception(table: Table, block: str, source: str, branches: Branches) -> str:
    one, (three_reduce, three), (five_reduce, five), projection = branches
    given = table.channels(source)
    ends = [
        table.add(f"{block}/1x1", Convolution(given, one, 1, relu=True), source),
        _through(table, f"{block}/3x3", source, three_reduce, three, 3),
        _through(table, f"{block}/5x5", source, five_reduce, five, 5),
    ]
    table.add(f"{block}/pool", MaxPool(given, 3, 1, 1), source)
    ends.append(table.add(f"{block}/pool_proj", Convolution(given, projection, 1, relu=True)))
    return table.add(f"{block}/output", Join(one, three, five, projection), *ends)


def _through(table: Table, name: str, source: str, reduce: int, channels: int, kernel: int) -> str:
    table.add(f"{name}_reduce", Convolution(table.channels(source), reduce, 1, relu=True), source)
    return table.add(name, Convolution(reduce, channels, kernel, 1, kernel // 2, relu=True))


def caffe_weights(structure: Structure, source: TensorSource, ignored: Iterable[str] = ()) -> Mapping[str, Tensor]:
    """Return the weights from a Caffe file, the first layer's channels reordered from BGR to RGB."""
    weights = {}
    for name, operation in structure.table.steps.items():
        for kind, parameter in operation.named_parameters():
            weights[f"{name}.{kind}"] = source.take(f"{name}.{kind}", parameter.shape, pad=True)
    source.finish(tuple(ignored))
    first = next(iter(structure.table.steps)) + ".weight"
    weights[first] = weights[first].flip(1)
    return weights
