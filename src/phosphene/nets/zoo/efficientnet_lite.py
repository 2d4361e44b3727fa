"""EfficientNet-Lite0, which `lite` and `lite-clean` are (Tan and Le 2019; the Lite variant is Google's of 2020).

Inverted residual blocks (Sandler et al., "MobileNetV2", CVPR 2018): a 1x1 convolution to six times the channels, a
depthwise convolution, and a linear 1x1 convolution to few channels, plus the block's input where stride and channels
allow. The Lite variant has ReLU6 for swish and no squeeze-and-excitation. `docs/lite.md` has its layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from phosphene.nets.ops.batch_norm import folded, plain
from phosphene.nets.ops.modules import Dense
from phosphene.nets.ops.same import InvertedBlock, SameConvolution
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo.graph import Fusion, Structure, Table

STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))  # fmt: skip
"""Each stage's number of blocks, kernel, stride of the first, expansion and channels."""

STEM, HEAD = 32, 1280
CLASSES = 1000
EPSILON = 1e-3


def structure(classes: int = CLASSES) -> Structure:
    """Return the network without its weights."""
    table = Table()
    with torch.device("meta"):
        name = table.add("stem", SameConvolution(3, STEM, 3, 2))
        number = 0
        for blocks, kernel, stride, expansion, channels in STAGES:
            for index in range(blocks):
                number += 1
                first = stride if index == 0 else 1
                name = _block(table, f"block{number}", name, kernel, first, expansion, channels)
        table.add("head", SameConvolution(table.channels(name), HEAD, 1))
        table.add("logits", Dense(HEAD, classes))
    return Structure(table, "logits", "head", "block15", input_size=224, epsilon=EPSILON)


def _block(table: Table, block: str, source: str, kernel: int, stride: int, expansion: int, channels: int) -> str:
    given = table.channels(source)
    inner = given * expansion
    parts = {
        **({f"{block}/expand": SameConvolution(given, inner, 1)} if expansion > 1 else {}),
        f"{block}/depthwise": SameConvolution(inner, inner, kernel, stride, depthwise=True),
        block: SameConvolution(inner, channels, 1, relu6=False),
    }
    residual = stride == 1 and given == channels
    deep = source
    for name, part in parts.items():
        deep = table.add(name, part, deep, *([source] if residual and name == block else []))
    operation = InvertedBlock(*parts.values(), residual=residual)
    table.fusions[block] = Fusion(operation, source, tuple(name for name in parts if name != block))
    return deep


def own_weights(structure: Structure, source: TensorSource) -> Mapping[str, Tensor]:
    """Return the weights from a file with the names of `lite`, or with those of the published package.

    The former has batch norm folded in (`block2.expand.weight`, `block2.expand.bias`), the latter batch norms
    (`_blocks.1._expand_conv.weight`, `_blocks.1._bn0.running_mean`).
    """
    published = "_conv_stem.weight" in source
    weights: dict[str, Tensor] = {}
    for step, convolution, norm in _published_names() if published else _own_names():
        operation = structure.table.steps[step]
        found = folded(source, convolution, norm, operation, EPSILON) if norm else plain(source, convolution, operation)
        weights |= {f"{step}.{kind}": tensor for kind, tensor in found.items()}
    source.finish()
    return weights


def _parts() -> Iterator[tuple[int, str, str]]:
    """Yield each convolution of each block: the block's number, the convolution's name, and its step's."""
    number = 0
    for blocks, _, _, expansion, _ in STAGES:
        for _ in range(blocks):
            number += 1
            if expansion > 1:
                yield number, "expand", f"block{number}/expand"
            yield number, "depthwise", f"block{number}/depthwise"
            yield number, "project", f"block{number}"


def _own_names() -> Iterator[tuple[str, str, str]]:
    yield "stem", "stem", ""
    for number, part, step in _parts():
        yield step, f"block{number}.{part}", ""
    yield "head", "head", ""
    yield "logits", "logits", ""


def _published_names() -> Iterator[tuple[str, str, str]]:
    norms = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
    yield "stem", "_conv_stem", "_bn0"
    for number, part, step in _parts():
        block = f"_blocks.{number - 1}"
        yield step, f"{block}._{part}_conv", f"{block}.{norms[part]}"
    yield "head", "_conv_head", "_bn1"
    yield "logits", "_fc", ""
