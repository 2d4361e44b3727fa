"""Batch norm: after each convolution while a network is trained, folded into the convolution once it is."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from phosphene.nets.ops import frozen
from phosphene.nets.weights.fit import COUNTERS, TensorSource

M = TypeVar("M", bound=nn.Module)


class Normalisable(nn.Module):
    """A convolution that a batch norm may follow: `norm` is None where none does."""

    weight: Tensor
    bias: Tensor | None
    norm: nn.BatchNorm2d | None

    def add_batch_norm(self, epsilon: float) -> None:
        """Follow the convolution by a batch norm, whose shift takes the place of the bias."""
        self.bias = None
        self.norm = nn.BatchNorm2d(self.weight.shape[0], eps=epsilon, device=self.weight.device)

    def fold_batch_norm(self) -> None:
        """Fold the batch norm, if there is one, into weight and bias, using its running mean and variance."""
        norm = self.norm
        if norm is None:
            return
        assert norm.running_mean is not None, "it keeps running statistics"
        assert norm.running_var is not None, "it keeps running statistics"
        weight, bias = fold(self.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps)
        self.weight, self.bias = nn.Parameter(weight.to(self.weight)), nn.Parameter(bias.to(self.weight))
        self.norm = None

    def convolve(self, x: Tensor, stride: int, padding: int | tuple[int, int], *, relu: bool) -> Tensor:
        """Return the convolution of `x` (n c h w), normalised and rectified where that is wanted."""
        if self.norm is None:
            return frozen.convolve(x, self.weight, self.bias, stride, padding, relu=relu)
        y = self.norm(frozen.convolve(x, self.weight, None, stride, padding))
        return frozen.rectify_(y) if relu else y


def add_batch_norm(module: M, epsilon: float = 1e-5) -> M:
    """Follow every convolution in `module` that can be normalised by a batch norm, in place; return `module`."""
    for each in list(module.modules()):
        if isinstance(each, Normalisable):
            each.add_batch_norm(epsilon)
    return module


def fold_batch_norm(module: M) -> M:
    """Return a frozen copy of a network, with each batch norm folded into the convolution before it.

    Its outputs are those of `module` in evaluation mode, up to rounding. Networks without batch norm are copied and
    frozen. `module` is not changed.

    >>> from phosphene.nets.zoo import pocket
    >>> trained = pocket.structure(classes=10, with_batch_norm=True).eval()
    >>> image = torch.rand(1, 3, 32, 32)
    >>> layer = {net: net(image, ["mixed4a"])["mixed4a"] for net in (trained, fold_batch_norm(trained))}
    >>> torch.allclose(*layer.values(), atol=1e-5)
    True
    """
    folded = copy.deepcopy(module)
    for each in list(folded.modules()):
        if isinstance(each, Normalisable):
            each.fold_batch_norm()
    return folded.eval().requires_grad_(False)


def fold(
    weight: Tensor, gain: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Return weight and bias, float32, of a convolution (out, in, rows, columns) with its batch norm folded in."""
    with torch.no_grad():
        # In float64: a channel's variance may be tiny, and this is done once.
        scale = gain.double() / (variance.double() + epsilon).sqrt()
        return (
            (weight.double() * scale.view(-1, 1, 1, 1)).float(),
            (shift.double() - mean.double() * scale).float(),
        )


def folded(
    source: TensorSource, convolution: str, norm: str, operation: nn.Module, epsilon: float
) -> dict[str, Tensor]:
    """Return weight and bias of `operation`: the file's `convolution`, which has no bias, with its `norm` folded in."""
    shape = tuple(operation.get_parameter("weight").shape)
    weight = source.take(f"{convolution}.weight", shape)
    gain, shift, mean, variance = (
        source.take(f"{norm}.{name}", shape[:1]) for name in ("weight", "bias", "running_mean", "running_var")
    )
    source.drop(f"{norm}.{COUNTERS}")
    found = fold(weight, gain, shift, mean, variance, epsilon)
    return dict(zip(("weight", "bias"), found, strict=True))


def plain(source: TensorSource, name: str, operation: nn.Module) -> dict[str, Tensor]:
    """Return the parameters of `operation` as they are in the file under `name`."""
    return {kind: source.take(f"{name}.{kind}", each.shape) for kind, each in operation.named_parameters()}
