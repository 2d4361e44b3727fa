"""Convolutions padded as TensorFlow's `SAME`, of which mobile networks consist: full, depthwise and linear ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nets.ops import inverted, mobile
from phosphene.nets.ops.batch_norm import Normalisable
from phosphene.nets.ops.modules import Operation, draw
from phosphene.nets.receptive import Field


class SameConvolution(Operation, Normalisable):
    """A convolution and its bias or batch norm, with or without a ReLU6 after it.

    It has `ceil(side / stride)` positions. The zeros that this takes are on both sides; if their number is odd, one
    more is at the end. With a stride of 2 that depends on the side: an even one needs one zero less.

    With `depthwise`, every channel is convolved by itself. With a second input, such as the input of a block, that is
    added to the result.
    """

    def __init__(
        self, given: int, channels: int, kernel: int, stride: int = 1, *, depthwise: bool = False, relu6: bool = True
    ) -> None:
        super().__init__()
        assert not depthwise or given == channels, "depthwise convolutions keep the number of channels"
        self.channels, self.kernel, self.stride, self.relu6 = channels, kernel, stride, relu6
        self.weight = nn.Parameter(torch.empty(channels, 1 if depthwise else given, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(channels))
        self.work = self.weight.numel()
        self.register_module("norm", None)

    def reset_parameters(self) -> None:
        draw(self.weight, self.bias)
        if self.norm is not None:
            self.norm.reset_parameters()

    def round_weights(self, dtype: torch.dtype) -> None:
        if self.weight.shape[1] == 1:
            self.weight.data = mobile.rounded_kernels(self.weight.data, dtype)

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        x, *others = inputs
        residual = others[0] if others else None
        if self.norm is None:
            return mobile.convolve(x, self.weight, self.bias, self.stride, relu6=self.relu6, residual=residual)
        y = self.norm(mobile.convolve(x, self.weight, None, self.stride))
        y = F.relu6(y) if self.relu6 else y
        return y if residual is None else y + residual

    @property
    def layer(self) -> inverted.Layer:
        """The weight and the bias."""
        return self.weight, self.bias

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        field = seen[0].through_same(self.kernel, self.stride)
        return field.union(seen[1]) if len(seen) > 1 else field


class InvertedBlock(Operation):
    """The convolutions of an inverted residual block at once, with or without the first one; the input may be added.

    It has no parameters of its own: `parts` are steps of a network.
    """

    def __init__(self, *parts: SameConvolution, residual: bool) -> None:
        super().__init__()
        self.parts, self.residual = parts, residual  # a tuple: its modules are not registered twice
        self.channels = parts[-1].channels

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        (x,) = inputs
        *expand, depthwise, project = self.parts
        if all(part.norm is None and not part.weight.requires_grad for part in self.parts):
            first = expand[0].layer if expand else None
            return inverted.block(x, first, depthwise.layer, project.layer, depthwise.stride, self.residual)
        inner = x
        for part in (*expand, depthwise):
            inner = part([inner], False)
        return project([inner, x] if self.residual else [inner], False)
