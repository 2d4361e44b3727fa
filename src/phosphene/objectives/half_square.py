"""Half the weighted sum of squares of an activation, and its gradient, without a copy of the activation.

Autograd's own way through `(a.float() / s) ** 2` keeps several float32 copies of maps that may have 512
channels of millions of positions. Here only the activation itself is kept, and the gradient is a single
product in its own type.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from phosphene.types import Features, Scores

_BLOCK = 2**22
"""Elements that are squared at a time: 16 MiB of float32, little beside the activation, and few enough blocks
for threads to be worth their start."""


def half_square(activation: Features, weight: Float[Tensor, " c"]) -> Scores:
    """1/2 sum over channels and positions of weight * a^2, accumulated in float32 (float64 for float64).

    The gradient, weight * a, is in the activation's type and memory format.

    >>> half_square(torch.tensor([[[[3.0, 4.0]]]]), torch.ones(1))
    tensor([12.5000])
    """
    return _HalfSquare.apply(activation, weight.to(activation.device, accumulator(activation)))


def accumulator(activation: Tensor) -> torch.dtype:
    """The type in which scores of this activation are summed."""
    return torch.promote_types(activation.dtype, torch.float32)


class _HalfSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, activation: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(activation, weight)
        n, channels, _, width = activation.shape
        squares = weight.new_zeros(n, channels)
        rows = max(1, _BLOCK // max(1, n * channels * width))
        for block in activation.split(rows, dim=2):
            squares += block.to(weight.dtype).square().sum(dim=(2, 3))
        return 0.5 * (squares @ weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        activation, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        scale = (gradient[:, None] * weight).to(activation.dtype)
        return activation * scale[:, :, None, None], None
