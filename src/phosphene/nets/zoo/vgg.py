"""VGG16 and VGG19 (Simonyan and Zisserman 2014, configurations D and E).

Layers have the names of the paper's Caffe models, as in the literature on style transfer: `conv4_3` before its
ReLU and `relu4_3` after it, `pool4`, `fc6` ... `fc8`. torchvision's names (`features.22`) are aliases. The
classifier looks at a grid of 7 x 7 means, so it has a fixed size and its layers see the whole image.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from phosphene.nets.ops.modules import Convolution, Dense, MaxPool, ReLU
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo import googlenet
from phosphene.nets.zoo.graph import Structure, Table

CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""The number of convolutions before each of the five pools."""

CHANNELS = (64, 128, 256, 512, 512)
CLASSIFIER = {"fc6": ("relu6", 4096, 0, 1), "fc7": ("relu7", 4096, 3, 4), "fc8": (None, 1000, 6, None)}
"""Each layer's ReLU and channels, and torchvision's numbers of both."""


def structure(depth: int, *, caffe: bool = False) -> Structure:
    """Return the network without its weights; `depth` is 16 or 19.

    With `caffe`, pools keep the last row and column of an odd number, which torchvision's drop.
    """
    table = Table()
    given, number = 3, 0
    with torch.device("meta"):
        for stage, (count, channels) in enumerate(zip(CONVOLUTIONS[depth], CHANNELS, strict=True), start=1):
            for index in range(1, count + 1):
                name = table.add(f"conv{stage}_{index}", Convolution(given, channels, 3, 1, 1))
                table.aliases[f"features.{number}"] = name
                table.aliases[f"features.{number + 1}"] = table.add(f"relu{stage}_{index}", ReLU(channels))
                given, number = channels, number + 2
            table.aliases[f"features.{number}"] = table.add(f"pool{stage}", MaxPool(channels, 2, 2, ceil=caffe))
            number += 1
        grid = 7
        for name, (relu, channels, number, relu_number) in CLASSIFIER.items():
            table.aliases[f"classifier.{number}"] = table.add(name, Dense(given, channels, grid=grid))
            if relu:
                table.aliases[f"classifier.{relu_number}"] = table.add(relu, ReLU(channels))
            given, grid = channels, 1
    return Structure(table, "fc8", None, "relu4_3", input_size=224)


def torchvision_weights(structure: Structure, source: TensorSource) -> Mapping[str, Tensor]:
    """Return the weights from torchvision's state dict."""
    aliases = {name: alias for alias, name in structure.table.aliases.items()}
    weights = {}
    for name, operation in structure.table.steps.items():
        for kind, parameter in operation.named_parameters():
            weights[f"{name}.{kind}"] = source.take(f"{aliases[name]}.{kind}", parameter.shape)
    source.finish()
    return weights


def caffe_weights(structure: Structure, source: TensorSource) -> Mapping[str, Tensor]:
    """Return the weights from the paper's Caffe models."""
    return googlenet.caffe_weights(structure, source)
