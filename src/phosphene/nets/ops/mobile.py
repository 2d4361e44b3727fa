"""Frozen-weight operations of mobile networks: depthwise and 1x1 convolutions, ReLU6, TensorFlow's `SAME` padding.

As in `frozen`, only the image gets a gradient: a ReLU6 keeps one byte per response, which says whether it is between 0
and 6, and a linear convolution keeps nothing. PyTorch's backward pass of a depthwise convolution is 4 to 30 times as
slow as its forward pass. Here it consists of depthwise convolutions: one with flipped kernels at stride 1, and one for
each of the four phases of the input's pixels at stride 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.base import is_sparing
from phosphene.nets.ops import frozen
from phosphene.nets.ops.derived import derived

TOP = 6.0
TOP_BITS = {torch.bfloat16: 0x40C0, torch.float16: 0x4600, torch.float32: 0x40C00000, torch.float64: 0x4018 << 48}
"""The bits of 6, as an integer."""

FUSED = (torch.bfloat16, torch.float32)
"""The number formats in which oneDNN adds bias and input and clamps while the sums are still in registers."""


def padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros TensorFlow's `SAME` adds before and after a side.

    >>> padding(8, kernel=3, stride=2), padding(9, kernel=3, stride=2)
    ((0, 1), (1, 1))
    """
    zeros = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return zeros // 2, zeros - zeros // 2


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int = 1,
    *,
    relu6: bool = False,
    residual: Tensor | None = None,
) -> Tensor:
    """Return the convolution of `x` (n c h w), padded as TensorFlow's `SAME`, plus `residual`.

    Args:
        x: the input.
        weight: `k c r r`, or `c 1 r r` for a depthwise convolution.
        bias: `k`, or None.
        stride: of rows and columns.
        relu6: clamp the result to 0 ... 6; not together with a residual.
        residual: what is added, of the result's shape, or None.
    """
    assert not (relu6 and residual is not None), "a residual is added to a linear convolution"
    frozen_weights = not any(each is not None and each.requires_grad for each in (weight, bias))
    exported = torch.compiler.is_compiling()  # a program has PyTorch's own operations, and weights without numbers
    if exported or not frozen_weights or not _is_known(x.shape[1], weight, stride):
        y = _plain(x, weight, bias, stride)
        y = F.relu6(y) if relu6 else y
        return y if residual is None else y + residual
    wants_grad = x.requires_grad or (residual is not None and residual.requires_grad)
    if torch.is_grad_enabled() and wants_grad:
        return _Convolution.apply(x, residual, weight, bias, stride, relu6)
    return forward(x, residual, weight, bias, stride, relu6)


def rounded_kernels(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Return depthwise kernels, `c 1 r r`, of numbers that `dtype` has, whose sums are nearly those of `weight`.

    Many kernels sum to about zero and see responses that are nearly constant: what counts is the sum, which rounding
    each weight by itself would change. Here each weight, from the largest to the smallest, takes on the error of those
    before (error diffusion: Floyd and Steinberg, 1976). Without it, bfloat16's error of a gradient is larger by half.
    """
    flat, error = weight.flatten(1).double(), weight.new_zeros(len(weight), dtype=torch.float64)
    found = torch.empty_like(flat)
    order = flat.abs().argsort(dim=1, descending=True, stable=True)
    for index in order.unbind(1):
        at = index[:, None]
        wanted = flat.gather(1, at)[:, 0] + error
        nearest = wanted.to(dtype).double()
        error = wanted - nearest
        found.scatter_(1, at, nearest[:, None])
    return found.view_as(weight).to(weight)


def _is_known(given: int, weight: Tensor, stride: int) -> bool:
    """Return whether the backward pass is written here: for 1x1, depthwise, and convolutions of a few colours."""
    channels, per_group, kernel = weight.shape[:3]
    if per_group == given and kernel == 1:
        return stride == 1
    depthwise = per_group == 1 and channels == given
    colours = per_group == given <= frozen.COLOURS
    return (depthwise or colours) and kernel % 2 == 1 and stride <= min(2, kernel)


def _groups(x: Tensor, weight: Tensor) -> int:
    return x.shape[1] // weight.shape[1]


def _plain(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    top, bottom = padding(x.shape[2], weight.shape[2], stride)
    left, right = padding(x.shape[3], weight.shape[3], stride)
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, groups=_groups(x, weight))


def forward(
    x: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor | None, stride: int, relu6: bool
) -> Tensor:
    """Return the convolution, as `convolve`, of which nothing is kept."""
    margin = [side // 2 for side in weight.shape[2:]]
    return _convolution(x, _evenly_padded(weight, x.shape, stride), bias, stride, margin, relu6, residual)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    margin: Sequence[int] = (0, 0),
    relu6: bool = False,
    residual: Tensor | None = None,
) -> Tensor:
    """Return a convolution with `margin` zeros on both sides of rows and columns, clamped or with an addend."""
    groups = _groups(x, weight)
    if x.dtype in FUSED and frozen.fuses(x):
        ops, common = torch.ops.mkldnn, (margin, [stride] * 2, [1, 1], groups)
        # oneDNN's order depends on the size, and weights in another order are brought into it again in each call.
        packed = derived(weight, ("packed", *margin, stride, *x.shape), partial(_pack, weight, *common, list(x.shape)))
        if residual is not None:
            return ops._convolution_pointwise.binary(x, residual, packed, bias, *common, "add", 1.0, None, [], None)
        clamp = ("hardtanh", [0.0, TOP], "") if relu6 else ("none", [], "")
        return ops._convolution_pointwise(x, packed, bias, *common, *clamp)
    y = F.conv2d(x, weight, bias, stride, margin, groups=groups)
    if residual is not None:
        y += residual
    return F.hardtanh_(y, 0.0, TOP) if relu6 else y


def _pack(weight: Tensor, *how: Any) -> Tensor:
    """Return the weights in the order in which oneDNN wants them, which it would otherwise bring about each time."""
    return torch.ops.mkldnn._reorder_convolution_weight(weight.detach(), *how)


def _evenly_padded(weight: Tensor, shape: torch.Size, stride: int) -> Tensor:
    """Return kernels for which `SAME` is as many zeros before as after: where it is one less before, with a tap of 0.

    A padded copy of the input would cost more than the larger kernels do.
    """
    lacking = [weight.shape[axis] // 2 - padding(shape[axis], weight.shape[axis], stride)[0] for axis in (2, 3)]
    if not any(lacking):
        return weight
    return derived(weight, ("even", *lacking), partial(_with_margin, weight, (lacking[0], 0), (lacking[1], 0)))


def _with_margin(weight: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    return F.pad(weight, (*columns, *rows)).contiguous(memory_format=torch.channels_last)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor | None, stride: int, relu6: bool
    ) -> Tensor:
        y = forward(x, residual, weight, bias, stride, relu6)
        ctx.save_for_backward(weight, *([to_keep(y)] if relu6 else []))
        ctx.shape, ctx.stride = x.shape, stride
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *kept = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        found = through_relu6(gradient, kept[0]) if kept else gradient
        found = towards_input(found, weight, ctx.shape, ctx.stride)
        return found, gradient if ctx.needs_input_grad[1] else None, None, None, None, None


def to_keep(y: Tensor) -> Tensor:
    """Return what to keep of a ReLU6's result for `through_relu6`: itself, or where memory is short, one byte each."""
    if not is_sparing():
        return y
    if y.device.type != "cpu":
        return (y > 0) & (y < TOP)
    # As integers: comparing 16-bit floats is five times as slow.
    bits = y.view(frozen.INTEGERS[y.element_size()])
    return bits.bool().logical_and_((bits - TOP_BITS[y.dtype]).bool())


def through_relu6(gradient: Tensor, kept: Tensor, into: Tensor | None = None) -> Tensor:
    """Return the gradient before a ReLU6 of which `kept` was kept, written to `into` if given."""
    if kept.dtype == torch.bool:
        return frozen.masked(gradient, kept, into)
    if into is None:
        return torch.ops.aten.hardtanh_backward(gradient, kept, 0.0, TOP)
    return torch.ops.aten.hardtanh_backward.grad_input(gradient, kept, 0.0, TOP, grad_input=into)


def towards_input(
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    stride: int,
    *,
    kept: Tensor | None = None,
    residual: Tensor | None = None,
) -> Tensor:
    """Return the gradient with respect to a convolution's input of this shape.

    It is taken through the ReLU6 of which `kept` was kept, if any; or `residual` is added, after a 1x1 convolution.
    """
    kernel, groups = weight.shape[-1], shape[1] // weight.shape[1]
    if kernel == 1 and groups == 1:
        return _convolution(gradient, frozen.flipped(weight), residual=residual)
    before = (padding(shape[2], kernel, stride)[0], padding(shape[3], kernel, stride)[0])
    if groups == 1:
        return frozen.towards_colours(gradient, weight, shape, stride, before)
    if stride == 1:
        turned = derived(weight, "turned", lambda: weight.flip(2, 3).contiguous(memory_format=torch.channels_last))
        found = _convolution(gradient, turned, None, 1, [kernel // 2] * 2)
        return found if kept is None else through_relu6(found, kept, found)
    found = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last)
    for row in range(min(2, shape[2])):
        rows = _Phase.of(row, shape[2], gradient.shape[2], kernel, before[0])
        for column in range(min(2, shape[3])):
            columns = _Phase.of(column, shape[3], gradient.shape[3], kernel, before[1])
            part = derived(weight, ("phase", rows, columns), partial(_phase_weight, weight, rows, columns))
            part = _convolution(gradient, part, None, 1, (rows.zeros, columns.zeros))
            into = found[:, :, row::2, column::2]
            if kept is None:
                into.copy_(part)
            else:
                through_relu6(part, kept[:, :, row::2, column::2], into)
    return found


@dataclass(frozen=True)
class _Phase:
    """Along one axis: the taps through which outputs reach every second pixel of the input, at stride 2.

    Pixel `2 a + r` is reached by output `a + (r + before - t) / 2` through tap t, for those t that make it whole: every
    second tap from `first` on. They are a convolution of the outputs, with `zeros` before and after, once `margin` taps
    of 0 are added to them.
    """

    first: int
    margin: tuple[int, int]
    zeros: int

    @classmethod
    def of(cls, phase: int, side: int, positions: int, kernel: int, before: int) -> _Phase:
        """Return the phase `phase`, 0 or 1, of an axis with `side` pixels and `positions` outputs."""
        ahead, first = divmod(phase + before, 2)
        taps, pixels = len(range(first, kernel, 2)), len(range(phase, side, 2))
        left, right = taps - 1 - ahead, pixels + ahead - positions
        zeros = max(left, right, 0)
        return cls(first, (zeros - left, zeros - right), zeros)


def _phase_weight(weight: Tensor, rows: _Phase, columns: _Phase) -> Tensor:
    return _with_margin(weight[:, :, rows.first :: 2, columns.first :: 2].flip(2, 3), rows.margin, columns.margin)
