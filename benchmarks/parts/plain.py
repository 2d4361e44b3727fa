"""The plain way to dream, as the known tools do it, to be measured beside ours.

Float32, channels first, the whole network to its logits, a module and its output kept for each convolution and each
ReLU, a hook on every layer, gradients for the weights too, and the loss read after every step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from phosphene.nets.ops import mobile
from phosphene.nets.zoo import efficientnet_lite, googlenet, pocket

Step = Callable[[Tensor], None]


class Conv(nn.Sequential):
    """A convolution and its ReLU."""

    def __init__(self, given: int, out: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(nn.Conv2d(given, out, kernel, stride, padding), nn.ReLU(inplace=True))


class Branches(nn.Module):
    """Branches side by side, joined."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def pocket_layers() -> tuple[dict[str, nn.Module], int]:
    """The pocket network's layers, and how many channels the last has."""
    layers: dict[str, nn.Module] = {"conv1": Conv(3, 64, 6, 2, 2), "conv2": Conv(64, 128, 3, 1, 1)}
    given = 128
    for name, (one, (reduce, three), (double_reduce, first, second), projection) in pocket.MIXED.items():
        if name in pocket.POOLED_BEFORE:
            layers[f"pool before {name}"] = nn.AvgPool2d(2)
        layers[name] = Branches(
            Conv(given, one, 1),
            nn.Sequential(Conv(given, reduce, 1), Conv(reduce, three, 3, 1, 1)),
            nn.Sequential(
                Conv(given, double_reduce, 1), Conv(double_reduce, first, 3, 1, 1), Conv(first, second, 3, 1, 1)
            ),
            nn.Sequential(nn.AvgPool2d(3, 1, 1), Conv(given, projection, 1)),
        )
        given = one + three + second + projection
    return layers, given


def googlenet_layers() -> tuple[dict[str, nn.Module], int]:
    """GoogLeNet's layers, and how many channels the last has."""
    norm = nn.LocalResponseNorm(googlenet.WINDOW, 1e-4, googlenet.BETA, googlenet.K)
    layers: dict[str, nn.Module] = {
        "conv1": Conv(3, 64, 7, 2, 3),
        "pool1": nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), norm),
        "conv2": nn.Sequential(Conv(64, 64, 1), Conv(64, 192, 3, 1, 1), norm),
        "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
    }
    given = 192
    for name, (one, (three_reduce, three), (five_reduce, five), projection) in googlenet.BLOCKS.items():
        if name in googlenet.POOLED_BEFORE:
            layers[googlenet.POOLED_BEFORE[name]] = nn.MaxPool2d(3, 2, ceil_mode=True)
        layers[f"inception_{name}/output"] = Branches(
            Conv(given, one, 1),
            nn.Sequential(Conv(given, three_reduce, 1), Conv(three_reduce, three, 3, 1, 1)),
            nn.Sequential(Conv(given, five_reduce, 1), Conv(five_reduce, five, 5, 1, 2)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), Conv(given, projection, 1)),
        )
        given = one + three + five + projection
    return layers, given


class Same(nn.Module):
    """A convolution padded as TensorFlow's SAME, and its ReLU6."""

    def __init__(self, given: int, out: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(given, out, kernel, stride, groups=groups)
        self.relu = nn.ReLU6(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = (mobile.padding(side, self.kernel, self.stride) for side in x.shape[2:])
        return self.relu(self.convolution(nn.functional.pad(x, (left, right, top, bottom))))


class Inverted(nn.Module):
    """An inverted residual block."""

    def __init__(self, given: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = given * expansion
        expand = [Same(given, inner, 1)] if expansion > 1 else []
        self.layers = nn.Sequential(*expand, Same(inner, inner, kernel, stride, inner), Same(inner, out, 1, relu=False))
        self.residual = stride == 1 and given == out

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x if self.residual else self.layers(x)


def lite_layers() -> tuple[dict[str, nn.Module], int]:
    """EfficientNet-Lite0's layers, and how many channels the last has."""
    layers: dict[str, nn.Module] = {"stem": Same(3, efficientnet_lite.STEM, 3, 2)}
    given = efficientnet_lite.STEM
    for blocks, kernel, stride, expansion, channels in efficientnet_lite.STAGES:
        for index in range(blocks):
            layers[f"block{len(layers)}"] = Inverted(given, channels, kernel, 1 if index else stride, expansion)
            given = channels
    layers["head"] = Same(given, efficientnet_lite.HEAD, 1)
    return layers, efficientnet_lite.HEAD


LAYERS = {"pocket": (pocket_layers, 200), "googlenet": (googlenet_layers, 1000), "lite": (lite_layers, 1000)}


def plain_step(name: str, target: str) -> Step:
    """A step towards `target`, on a picture `1 3 h w`; the weights are random."""
    build, classes = LAYERS[name]
    layers, channels = build()
    net = nn.Sequential(*layers.values(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
    seen: dict[str, Tensor] = {}
    for key, layer in layers.items():
        layer.register_forward_hook(lambda _, __, output, key=key: seen.__setitem__(key, output))
    mean, std = torch.full((1, 3, 1, 1), 0.45), torch.full((1, 3, 1, 1), 0.225)

    def step(image: Tensor) -> None:
        leaf = image.clone().requires_grad_()
        net((leaf - mean) / std)
        loss = seen[target].square().mean()
        loss.backward()
        assert leaf.grad is not None
        leaf.grad / leaf.grad.abs().mean()
        loss.item()

    return step
