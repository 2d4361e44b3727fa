"""Inception 5h, the "InceptionV1" of Lucid, Distill and OpenAI Microscope: TensorFlow's own GoogLeNet.

The plan is that of `googlenet.py`; other than there, names are `conv2d0` ... `mixed5b`, every convolution's
value before its ReLU can be asked for (`mixed4d_3x3_bottleneck_pre_relu`), two widths differ, normalisation
has other constants, and padding is TensorFlow's: for an image of even sides, 2 zeros before and 3 after.
Where TensorFlow would shift that by one pixel for odd sides, this network does not, so that a tile of a
picture sees what it sees in the whole; Lucid's port to PyTorch does the same.

Caffe's names are aliases: `inception_4c/output` is `mixed4c`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.ops.modules import Convolution, Dense, Join, LocalNorm, MaxPool, ReLU
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo import googlenet
from phosphene.nets.zoo.graph import Structure, Table

BLOCKS = googlenet.BLOCKS | {
    "4a": (192, (96, 204), (16, 48), 64),
    "5a": (256, (160, 320), (48, 128), 128),
}
POOLED_BEFORE = {"4a": ("maxpool4", "pool3/3x3_s2"), "5a": ("maxpool10", "pool4/3x3_s2")}
CLASSES = 1008

NORMS = ("localresponsenorm0", "localresponsenorm1")
WINDOW, ALPHA, BETA, K = 9, 1e-4, 0.5, 1.0
"""The defaults; the constants in a model file replace them."""

TRAINING_ONLY = ("head0_", "head1_", "nn0", "nn1", "softmax0", "softmax1")

LUCID_TO_CAFFE = {"": "output", "_pool": "pool", "_pool_reduce": "pool_proj"} | {
    f"_{kernel}{lucid}": kernel + caffe
    for kernel in ("1x1", "3x3", "5x5")
    for lucid, caffe in (("", ""), ("_bottleneck", "_reduce"))
}


def structure() -> Structure:
    """Return the network without its weights."""
    table = Table()
    with torch.device("meta"):
        _convolution(table, "conv2d0", Convolution(3, 64, 7, 2, 2, extra=1), caffe="conv1/7x7_s2")
        _pool(table, "maxpool0", 64, caffe="pool1/3x3_s2")
        _norm(table, NORMS[0], 64, caffe="pool1/norm1")
        _convolution(table, "conv2d1", Convolution(64, 64, 1), caffe="conv2/3x3_reduce")
        _convolution(table, "conv2d2", Convolution(64, 192, 3, 1, 1), caffe="conv2/3x3")
        _norm(table, NORMS[1], 192, caffe="conv2/norm2")
        name = _pool(table, "maxpool1", 192, caffe="pool2/3x3_s2")
        for block, branches in BLOCKS.items():
            if block in POOLED_BEFORE:
                pool, caffe = POOLED_BEFORE[block]
                name = _pool(table, pool, table.channels(name), caffe=caffe)
            name = _mixed(table, f"mixed{block}", name, branches)
            for lucid, caffe in LUCID_TO_CAFFE.items():
                if f"mixed{block}{lucid}" in table.steps:
                    table.aliases[f"inception_{block}/{caffe}"] = f"mixed{block}{lucid}"
        table.add("softmax2_pre_activation", Dense(table.channels(name), CLASSES))
        table.aliases["loss3/classifier"] = "softmax2_pre_activation"
    return Structure(table, "softmax2_pre_activation", name, "mixed4c", input_size=224)


def _mixed(table: Table, block: str, source: str, branches: googlenet.Branches) -> str:
    one, (three_reduce, three), (five_reduce, five), projection = branches
    given = table.channels(source)
    ends = [_convolution(table, f"{block}_1x1", Convolution(given, one, 1), source)]
    for kernel, reduce, channels in ((3, three_reduce, three), (5, five_reduce, five)):
        _convolution(table, f"{block}_{kernel}x{kernel}_bottleneck", Convolution(given, reduce, 1), source)
        wide = Convolution(reduce, channels, kernel, 1, kernel // 2)
        ends.append(_convolution(table, f"{block}_{kernel}x{kernel}", wide))
    table.add(f"{block}_pool", MaxPool(given, 3, 1, 1), source)
    ends.append(_convolution(table, f"{block}_pool_reduce", Convolution(given, projection, 1)))
    return table.add(block, Join(one, three, five, projection), *ends)


def _convolution(
    table: Table, name: str, convolution: Convolution, source: str | None = None, *, caffe: str | None = None
) -> str:
    table.add(f"{name}_pre_relu", convolution, *([source] if source else []))
    return _aliased(table, table.add(name, ReLU(convolution.channels)), caffe)


def _pool(table: Table, name: str, channels: int, *, caffe: str) -> str:
    return _aliased(table, table.add(name, MaxPool(channels, 3, 2, ceil=True)), caffe)


def _norm(table: Table, name: str, channels: int, *, caffe: str) -> str:
    return _aliased(table, table.add(name, LocalNorm(channels, WINDOW, ALPHA, BETA, K)), caffe)


def _aliased(table: Table, name: str, alias: str | None) -> str:
    if alias:
        table.aliases[alias] = name
    return name


def tensorflow_weights(
    structure: Structure, source: TensorSource, attributes: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Tensor]:
    """Return the weights from a frozen graph, and set the constants of the structure's normalisations from it."""
    weights = {}
    for name, operation in structure.table.steps.items():
        parameters = dict(operation.named_parameters())
        if not parameters:
            continue
        stem = name.removesuffix("_pre_relu").removesuffix("_pre_activation")
        # TensorFlow's kernels are rows x columns x in x out, its matrices in x out.
        shape = parameters["weight"].shape
        turned = (*shape[2:], shape[1], shape[0])
        weight = source.take(f"{stem}_w", turned)
        order = (3, 2, 0, 1) if len(turned) == 4 else (1, 0)
        weights[f"{name}.weight"] = weight.permute(order).contiguous()
        weights[f"{name}.bias"] = source.take(f"{stem}_b", parameters["bias"].shape)
    source.finish(TRAINING_ONLY)
    for name in NORMS:
        operation = structure.table.steps[name]
        assert isinstance(operation, LocalNorm)
        if name not in attributes:
            raise WeightsError(f"{source.name} has no layer {name!r}: it belongs to another network", path=source.name)
        # TensorFlow's defaults, for constants that the graph omits.
        found = {"depth_radius": 5, "bias": 1.0, "alpha": 1.0, "beta": 0.5} | dict(attributes[name])
        window = 2 * int(found["depth_radius"]) + 1
        operation.set(window, found["alpha"], found["beta"], found["bias"])
    return weights
