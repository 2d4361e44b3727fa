"""The sums of each channel's squares, and their gradient, without a copy of the activation.

Autograd's own way through `a.float() ** 2` keeps several float32 copies of maps that may have 512 channels of
millions of positions. Here only the activation itself is kept, and the gradient is a single product in its own type.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from phosphene.types import Features

_BLOCK = 2**22
"""Elements that are squared at a time: 16 MiB of float32, little beside the activation, and few enough blocks
for threads to be worth their start."""


def channel_squares(activation: Features) -> Float[Tensor, "n c"]:
    """Return the sum over positions of a^2 for each channel, accumulated in float32 (float64 for float64).

    The gradient, 2a, is in the activation's type and memory format.

    >>> channel_squares(torch.tensor([[[[3.0, 4.0]]]]))
    tensor([[25.]])
    """
    return _ChannelSquares.apply(activation)


def accumulator(activation: Tensor) -> torch.dtype:
    """Return the type in which scores of this activation are summed."""
    return torch.promote_types(activation.dtype, torch.float32)


class _ChannelSquares(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, activation: Tensor) -> Tensor:
        ctx.save_for_backward(activation)
        n, channels, _, width = activation.shape
        squares = activation.new_zeros(n, channels, dtype=accumulator(activation))
        rows = max(1, _BLOCK // max(1, n * channels * width))
        for block in activation.split(rows, dim=2):
            squares += block.to(squares.dtype).square().sum(dim=(2, 3))
        return squares

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (activation,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return activation * (2 * gradient).to(activation.dtype)[:, :, None, None]
