"""An inverted residual block with frozen weights as one operation (Sandler et al., "MobileNetV2", CVPR 2018).

It computes what its three convolutions compute one after the other. On the way back, gradients pass ReLU6s in place,
and the block's gradient is added by the last convolution.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from phosphene.nets.ops import mobile

Layer = tuple[Tensor, Tensor | None]
"""The weight and bias of a convolution."""


def block(x: Tensor, expand: Layer | None, depthwise: Layer, project: Layer, stride: int, residual: bool) -> Tensor:
    """Return the block's output for `x` (n c h w); no weight may require a gradient.

    Args:
        x: the input.
        expand: of the 1x1 convolution to more channels, followed by a ReLU6; None for a block without.
        depthwise: of the depthwise convolution, followed by a ReLU6.
        project: of the linear 1x1 convolution.
        stride: of the depthwise convolution.
        residual: whether to add `x` to the result.
    """
    wide = expand or (None, None)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Block.apply(x, *wide, *depthwise, *project, stride, residual)
    inner = x if expand is None else mobile.forward(x, None, *expand, 1, True)
    inner = mobile.forward(inner, None, *depthwise, stride, True)
    return mobile.forward(inner, x if residual else None, *project, 1, False)


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w1: Tensor | None,
        b1: Tensor | None,
        w2: Tensor,
        b2: Tensor | None,
        w3: Tensor,
        b3: Tensor | None,
        stride: int,
        residual: bool,
    ) -> Tensor:
        wide = x if w1 is None else mobile.forward(x, None, w1, b1, 1, True)
        kept = [] if w1 is None else [w1, mobile.to_keep(wide)]
        ctx.shapes, ctx.stride, ctx.residual = (x.shape, wide.shape), stride, residual
        deep = mobile.forward(wide, None, w2, b2, stride, True)
        del wide
        ctx.save_for_backward(w2, w3, mobile.to_keep(deep), *kept)
        return mobile.forward(deep, x if residual else None, w3, b3, 1, False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        w2, w3, deep, *kept = ctx.saved_tensors
        given, wide = ctx.shapes
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        added = gradient if ctx.residual else None
        found = mobile.towards_input(gradient, w3, deep.shape, 1)
        found = mobile.through_relu6(found, deep, found)
        if kept:
            w1, mask = kept
            found = mobile.towards_input(found, w2, wide, ctx.stride, kept=mask)
            found = mobile.towards_input(found, w1, given, 1, residual=added)
        else:
            found = mobile.towards_input(found, w2, wide, ctx.stride)
            found = found if added is None else found.add_(added)
        return found, *[None] * 8
