"""ResNet-50 as torchvision has it (He et al. 2015; the stride is in the 3x3 convolution, "version 1.5").

Layers have torchvision's names: `layer3.2` is a block's output, `layer3` that of a whole stage. Inside a
block, `layer3.2.bn1` is a convolution with its batch norm, which is folded in, and `layer3.2.relu`,
`relu_1` what the ReLU makes of them, as torchvision's feature extraction calls them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from phosphene.nets.ops.batch_norm import folded, plain
from phosphene.nets.ops.modules import AddReLU, Convolution, Dense, MaxPool, ReLU
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo.graph import Structure, Table

STAGES = {"layer1": (3, 64, 1), "layer2": (4, 128, 2), "layer3": (6, 256, 2), "layer4": (3, 512, 2)}
"""Each stage's blocks, inner channels and stride."""

WIDENING = 4
EPSILON = 1e-5
CLASSES = 1000


def structure() -> Structure:
    """Return the network without its weights."""
    table = Table()
    with torch.device("meta"):
        table.add("bn1", Convolution(3, 64, 7, 2, 3))
        table.add("relu", ReLU(64))
        name = table.add("maxpool", MaxPool(64, 3, 2, 1))
        for stage, (blocks, inner, stride) in STAGES.items():
            for index in range(blocks):
                name = _block(table, f"{stage}.{index}", name, inner, stride if index == 0 else 1)
            table.aliases[stage] = name
        table.add("fc", Dense(table.channels(name), CLASSES))
    return Structure(table, "fc", name, "layer3", input_size=224)


def _block(table: Table, block: str, source: str, inner: int, stride: int) -> str:
    given, channels = table.channels(source), inner * WIDENING
    table.add(f"{block}.bn1", Convolution(given, inner, 1), source)
    table.add(f"{block}.relu", ReLU(inner))
    table.add(f"{block}.bn2", Convolution(inner, inner, 3, stride, 1))
    table.add(f"{block}.relu_1", ReLU(inner))
    deep = table.add(f"{block}.bn3", Convolution(inner, channels, 1))
    if stride != 1 or given != channels:
        source = table.add(f"{block}.downsample.1", Convolution(given, channels, 1, stride), source)
        table.aliases[f"{block}.downsample"] = source
    return table.add(block, AddReLU(channels), deep, source)


def torchvision_weights(structure: Structure, source: TensorSource) -> Mapping[str, Tensor]:
    """Return the weights from torchvision's state dict."""
    weights: dict[str, Tensor] = {}
    for name, operation in structure.table.steps.items():
        if isinstance(operation, Convolution):
            stem, _, last = name.rpartition(".")
            # A batch norm `bn2` follows `conv2`; that of a shortcut is `downsample.1`, after `downsample.0`.
            before = last.replace("bn", "conv") if last.startswith("bn") else "0"
            convolution = f"{stem}.{before}" if stem else before
            found = folded(source, convolution, name, operation, EPSILON)
        else:
            found = plain(source, name, operation)
        weights |= {f"{name}.{kind}": tensor for kind, tensor in found.items()}
    source.finish()
    return weights
