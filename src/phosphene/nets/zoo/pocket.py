"""The smallest bundled network, pocket, in the manner of GoogLeNet (Szegedy et al. 2014), trained for this project.

6.5 million weights, trained at 64 x 64 pixels on the 200 classes of Tiny ImageNet, partly against adversarial changes,
which makes its gradients draw things rather than noise. Batch norm is folded into the weights. `docs/pocket.md` has
its layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.nets.base import ChainNet, Net
from phosphene.nets.card import Card, InputSpec, LayerCard
from phosphene.nets.ops import frozen
from phosphene.nets.ops.batch_norm import Normalisable, add_batch_norm
from phosphene.nets.receptive import Field

MEAN = (0.45, 0.45, 0.45)
STD = (0.225, 0.225, 0.225)
SIZE = 64

# Channels of a mixed layer's branches: 1x1, then (reduce, 3x3), then (reduce, 3x3, 3x3), then the pool's projection.
Branches = tuple[int, tuple[int, int], tuple[int, int, int], int]
MIXED: dict[str, Branches] = {
    "mixed3a": (64, (96, 128), (32, 64, 64), 32),
    "mixed3b": (128, (128, 192), (32, 96, 96), 64),
    "mixed4a": (192, (96, 208), (32, 64, 64), 48),
    "mixed4b": (160, (112, 224), (32, 64, 64), 64),
    "mixed4c": (128, (128, 256), (32, 64, 64), 64),
    "mixed4d": (112, (144, 288), (32, 64, 64), 64),
    "mixed4e": (256, (160, 320), (32, 128, 128), 128),
    "mixed5a": (256, (160, 320), (32, 128, 128), 128),
    "mixed5b": (384, (192, 384), (48, 128, 128), 128),
}
POOLED_BEFORE = ("mixed3a", "mixed4a", "mixed5a")
CLASSES = 200


class _Convolution(Normalisable, nn.Conv2d):
    """A convolution and its bias, or a convolution and a batch norm."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(channels_in, channels, kernel, stride, padding)
        self.register_module("norm", None)


class ConvReLU(_Convolution):
    """A convolution, its bias or batch norm, and a ReLU."""

    def forward(self, input: Tensor) -> Tensor:
        padding = (int(self.padding[0]), int(self.padding[1]))
        return self.convolve(input, self.stride[0], padding, relu=True)


class Mixed(nn.Module):
    """Four branches with different receptive fields, side by side, after an optional 2x2 average pool."""

    double_reduce: ConvReLU
    double_1: ConvReLU
    double_2: ConvReLU
    pool_proj: _Convolution

    def __init__(self, channels: int, branches: Branches, pooled: bool) -> None:
        super().__init__()
        one, (reduce, three), (double_reduce, double_1, double_2), pool = branches
        self.pooled = pooled
        self.channels = one + three + double_2 + pool
        self.add_module("1x1", ConvReLU(channels, one, 1))
        self.add_module("3x3_reduce", ConvReLU(channels, reduce, 1))
        self.add_module("3x3", ConvReLU(reduce, three, 3, padding=1))
        self.add_module("double_reduce", ConvReLU(channels, double_reduce, 1))
        self.add_module("double_1", ConvReLU(double_reduce, double_1, 3, padding=1))
        self.add_module("double_2", ConvReLU(double_1, double_2, 3, padding=1))
        self.add_module("pool_proj", _Convolution(channels, pool, 1))  # its bias is added after the pool

    def forward(self, x: Tensor) -> Tensor:
        if self.pooled:
            x = frozen.mean_pool(x, 2, 2)
        # Projecting first and pooling afterwards gives the same and is cheaper.
        pooled = frozen.mean_pool(frozen.convolve(x, self.pool_proj.weight, None), 3, 1, 1)
        norm, bias = self.pool_proj.norm, self.pool_proj.bias
        if norm is None:
            assert bias is not None, "without a batch norm there is a bias"
            pooled = pooled + bias.view(1, -1, 1, 1)
        else:
            pooled = norm(pooled)
        branches = (
            getattr(self, "1x1")(x),
            getattr(self, "3x3")(getattr(self, "3x3_reduce")(x)),
            self.double_2(self.double_1(self.double_reduce(x))),
            frozen.rectify_(pooled),
        )
        return torch.cat(branches, dim=1)

    def receptive(self, field: Field) -> Field:
        """Return the receptive field after this layer; the branch of two 3x3 convolutions sees furthest."""
        if self.pooled:
            field = field.through(2, stride=2)
        return field.through(3, padding=1).through(3, padding=1)


def structure(classes: int = CLASSES, *, with_batch_norm: bool = False) -> ChainNet:
    """Return the network untrained, its weights drawn by PyTorch from its global generator.

    >>> net = structure(classes=10, with_batch_norm=True)
    >>> net.training, net(torch.rand(2, 3, 64, 64), ["logits"])["logits"].shape
    (True, torch.Size([2, 10]))

    Args:
        classes: the number of classes, whose labels are "class 0" and so on.
        with_batch_norm: follow each convolution by a batch norm, for training; `ops.batch_norm.fold_batch_norm` gives
            the network for dreaming.
    """
    stages: dict[str, nn.Module] = {
        "conv1": ConvReLU(3, 64, 6, stride=2, padding=2),
        "conv2": ConvReLU(64, 128, 3, padding=1),
    }
    field = Field().through(6, stride=2, padding=2)
    receptive = {"conv1": field, "conv2": field.through(3, padding=1)}
    widths = {"conv1": 64, "conv2": 128, "logits": classes}
    field, channels = receptive["conv2"], 128
    for name, branches in MIXED.items():
        mixed = Mixed(channels, branches, pooled=name in POOLED_BEFORE)
        stages[name] = mixed
        field, channels = mixed.receptive(field), mixed.channels
        receptive[name], widths[name] = field, channels

    layers, cost = {}, 0.0
    for name in [*stages, "logits"]:
        if name in stages:  # each weight of a convolution is multiplied once at every position
            weights = sum(weight.numel() for weight in stages[name].parameters() if weight.dim() > 1)
            cost += weights / receptive[name].stride ** 2
        layers[name] = LayerCard(name, widths[name], receptive.get(name), cost=cost)
    card = Card(
        name="pocket",
        title="the structure of the pocket network, untrained",
        input=InputSpec(mean=MEAN, std=STD, size=SIZE),
        layers=layers,
        labels=tuple((f"class {index}",) for index in range(classes)),
        classes="logits",
        pooled="mixed5b",
        default_target="mixed4d",
        source="phosphene",
        sha256="",
        licence="Apache-2.0",
    )
    net = ChainNet(card, stages, nn.Linear(channels, classes))
    return add_batch_norm(net) if with_batch_norm else net


def load() -> Net:
    """Return the pocket network with its weights, float32, ready for dreaming.

    >>> load()(torch.rand(1, 3, 64, 64), ["mixed4c"])["mixed4c"].shape
    torch.Size([1, 512, 8, 8])
    """
    from phosphene.nets.zoo import catalogue, structures  # it imports this module

    return structures.bundled(catalogue.find("pocket"))
