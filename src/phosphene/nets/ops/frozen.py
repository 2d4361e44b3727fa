"""The layers of convolutional networks with backward passes of their own, for weights that never learn.

PyTorch keeps each layer's input and output for the way back, because a weight's gradient may need them. Where only the
picture gets a gradient, a ReLU needs one bit for each response, a convolution its weights, a mean nothing at all. So
that is what is kept: a byte for each response, and where a canvas is so large that it is done in tiles, a bit
(`gradients.heap.apart`), which lets 24 megapixels go through a network once.

Each gives what the layer of `torch.nn.functional` gives, and its gradient, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

Pair = tuple[int, int]

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}

COLOURS = 4
"""Up to so many input channels are a picture's colours, towards which convolutions go their own way back."""

STRIPS = 4
"""Max pools go back in so many strips of rows, whatever the number of threads: it must not change a picture."""


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int | Pair = 0, *, relu: bool = False
) -> Tensor:
    """A convolution of `x`, `n c h w`, with square strides and no dilation, and a ReLU behind it if wanted."""
    padding = (padding, padding) if isinstance(padding, int) else padding
    if _fixed(x, weight, bias):
        return _Convolution.apply(x, weight, bias, stride, padding, relu)
    y = F.conv2d(x, weight, bias, stride, padding)
    return F.relu_(y) if relu else y


def rectify_(x: Tensor) -> Tensor:
    """Negative values become zero, in place."""
    return _ReLU.apply(x) if _fixed(x) else F.relu_(x)


def mean_pool(x: Tensor, kernel: int, stride: int, padding: int = 0) -> Tensor:
    """The mean of each window of `kernel` x `kernel`; zeros beyond the edge count."""
    return _MeanPool.apply(x, kernel, stride, padding) if _fixed(x) else F.avg_pool2d(x, kernel, stride, padding)


def max_pool(x: Tensor, kernel: int, stride: int, padding: int = 0, *, ceil: bool = False) -> Tensor:
    """The largest of each window; with `ceil`, windows may reach over the far edges."""
    if _fixed(x):
        return _MaxPool.apply(x, kernel, stride, padding, ceil)
    return F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)


def local_norm(x: Tensor, window: int, alpha: float, beta: float, k: float) -> Tensor:
    """x / (k + alpha * sum of squares over `window` neighbouring channels) ** beta."""
    if _fixed(x):
        return _LocalNorm.apply(x, window, alpha, beta, k)
    return x * _falling(_energy(x, window, alpha, k), beta)


def _fixed(x: Tensor, *weights: Tensor | None) -> bool:
    """Whether there is a way back to keep something for, and to `x` alone."""
    if not torch.is_grad_enabled() or any(each is not None and each.requires_grad for each in weights):
        return False
    return x.requires_grad


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Pair, relu: bool) -> Tensor:
    if relu and x.device.type == "cpu" and x.dtype == torch.bfloat16 and torch.backends.mkldnn.is_available():
        # As torch.compile does it: oneDNN rectifies while the sums are still in registers, which saves 3 to 5 % of
        # the layer's time. (Of NaN it makes 0.)
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, padding, [stride] * 2, [1, 1], 1, "relu", [], ""
        )
    y = F.conv2d(x, weight, bias, stride, padding)
    return F.relu_(y) if relu else y


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Pair, relu: bool
    ) -> Tensor:
        y = _forward(x, weight, bias, stride, padding, relu)
        ctx.save_for_backward(weight, *([y.bool()] if relu else []))
        ctx.shape, ctx.stride, ctx.padding = x.shape, stride, padding
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *mask = ctx.saved_tensors
        gradient = _masked(gradient, mask[0]) if mask else gradient
        if weight.shape[1] <= COLOURS:
            found = _towards_colours(gradient, weight, ctx.shape, ctx.stride, ctx.padding)
        elif ctx.stride == 1:
            # The transpose of a convolution is the convolution with the kernels turned about.
            rows, columns = (weight.shape[2 + axis] - 1 - ctx.padding[axis] for axis in (0, 1))
            found = F.conv2d(gradient, _turned(weight), None, 1, (rows, columns))
        else:
            like = _unfilled(ctx.shape, gradient)
            found, _, _ = torch.ops.aten.convolution_backward(
                gradient, like, weight, None, [ctx.stride] * 2, ctx.padding, [1, 1], False, [0, 0], 1,
                [True, False, False],
            )  # fmt: skip
        return found, None, None, None, None, None


def _masked(x: Tensor, mask: Tensor) -> Tensor:
    """`x` where `mask` is set, and zero elsewhere; a new tensor."""
    if x.device.type != "cpu":
        return torch.where(mask, x, 0)
    # Times 0 or 1 as integers: ten times as fast as a select of PyTorch's on a CPU, and what is dropped is 0 even if
    # it was NaN.
    return (x.view(INTEGERS[x.element_size()]) * mask).view(x.dtype)


def _turned(weight: Tensor) -> Tensor:
    """The weight, `given out rows columns`, of the convolution that goes back through this one."""
    known, version = _turned_weights.get(weight, (None, -1))
    if known is None or version != weight._version:
        known = weight.detach().flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        _turned_weights[weight] = known, weight._version
    return known


_turned_weights: MutableMapping[Tensor, tuple[Tensor, int]] = WeakTensorKeyDictionary()


def _unfilled(shape: torch.Size, like: Tensor) -> Tensor:
    """What stands for an input of which PyTorch's backward passes look only at the shape and the layout."""
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _towards_colours(gradient: Tensor, weight: Tensor, shape: torch.Size, stride: int, padding: Pair) -> Tensor:
    """The gradient with respect to an input of a few channels: a convolution at the output's own positions.

    A processor convolves 16 channels at once or more, and wastes most of them on three. Here the `stride` x `stride`
    pixels of each position are channels too (Shi et al., "Real-time single image and video super-resolution using an
    efficient sub-pixel convolutional neural network", CVPR 2016): 4.5 times as fast for the pocket network's first
    layer.
    """
    rows = _Phases(weight.shape[2], stride, padding[0], shape[2], gradient.shape[2])
    columns = _Phases(weight.shape[3], stride, padding[1], shape[3], gradient.shape[3])
    out, given = weight.shape[:2]
    weight = F.pad(weight, (*columns.pad_kernel, *rows.pad_kernel))
    weight = weight.view(out, given, rows.taps, stride, columns.taps, stride).flip(2, 4)
    weight = weight.permute(1, 3, 5, 0, 2, 4).reshape(given * stride**2, out, rows.taps, columns.taps)
    weight = weight.contiguous(memory_format=torch.channels_last)
    found = F.conv2d(gradient, weight, padding=(rows.padding, columns.padding))
    found = found[:, :, rows.first : rows.first + rows.count, columns.first : columns.first + columns.count]
    return F.pixel_shuffle(found, stride)[:, :, : shape[2], : shape[3]]


class _Phases:
    """Along one axis: pixel `stride * a + r` hears output `a - d` through tap `stride * d + r + padding`.

    `taps` is how many `d` there are, once the kernel is padded to whole strides.
    """

    def __init__(self, kernel: int, stride: int, padding: int, side: int, positions: int) -> None:
        last = (kernel - 1 - padding) // stride
        first = -((padding + stride - 1) // stride)
        self.taps = last - first + 1
        self.pad_kernel = (-(stride * first + padding), stride * (last + 1) + padding - kernel)
        self.count = math.ceil(side / stride)
        self.padding = max(last, self.count - first - positions, 0)
        self.first = self.padding - last


class _ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(F.relu_(x))
        ctx.save_for_backward(x.bool())
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _masked(gradient, *ctx.saved_tensors)


class _MeanPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
        ctx.shape, ctx.window = x.shape, (kernel, stride, padding)
        return F.avg_pool2d(x, kernel, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kernel, stride, padding = ctx.window
        if stride == 1 and kernel == 2 * padding + 1:
            found = F.avg_pool2d(gradient, kernel, 1, padding)  # its own transpose
        elif stride == kernel and not padding:
            found = F.interpolate(gradient / kernel**2, scale_factor=float(kernel), mode="nearest")
            found = F.pad(found, (0, ctx.shape[3] - found.shape[3], 0, ctx.shape[2] - found.shape[2]))
        else:
            like = _unfilled(ctx.shape, gradient)
            found = torch.ops.aten.avg_pool2d_backward(
                gradient, like, [kernel] * 2, [stride] * 2, [padding] * 2, False, True, None
            )
        return found, None, None, None


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int, stride: int, padding: int, ceil: bool) -> Tensor:
        ctx.window = [[kernel] * 2, [stride] * 2, [padding] * 2, [1, 1], ceil]
        ctx.shape = x.shape
        y, index = torch.ops.aten.max_pool2d_with_indices(x, *ctx.window)
        ctx.save_for_backward(index.int())  # within a channel's plane: 31 bits are enough for 46,000 x 46,000
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (index,) = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if gradient.device.type == "cpu" and gradient.shape[2] >= STRIPS * ctx.window[0][0]:
            return _in_strips(gradient, index, ctx.shape, ctx.window), None, None, None, None
        like = _unfilled(ctx.shape, gradient)
        found = torch.ops.aten.max_pool2d_with_indices_backward(gradient, like, *ctx.window, index.long())
        return found, None, None, None, None


def _in_strips(gradient: Tensor, index: Tensor, shape: torch.Size, window: list[Any]) -> Tensor:
    """The gradient with respect to a max pool's input, found for each strip of rows as if it were a picture.

    PyTorch gives each picture of a batch to a thread, and one picture to one: this is 2 to 4 times as fast on two
    cores. Windows at a strip's lower edge reach `over` rows into the next, where both are added up.
    """
    (kernel, _), (stride, _), (padding, _) = window[:3]
    n, channels, windows, across = gradient.shape
    height, width = shape[2:]
    each = math.ceil(windows / STRIPS)
    if missing := each * STRIPS - windows:
        gradient = F.pad(gradient, (0, 0, 0, missing))
        index = F.pad(index, (0, 0, 0, missing), value=(height - 1) * width)
    gradient, index = (
        x.permute(0, 2, 3, 1).reshape(n * STRIPS, each, across, channels).permute(0, 3, 1, 2) for x in (gradient, index)
    )
    own, over = each * stride, max(kernel - stride, 0)
    first = (torch.arange(STRIPS, dtype=index.dtype) * own - padding).repeat(n) * width
    index = index - first[:, None, None, None]
    like = _unfilled(torch.Size([n * STRIPS, channels, own + over, width]), gradient)
    found = torch.ops.aten.max_pool2d_with_indices_backward(
        gradient, like, [kernel] * 2, [stride] * 2, [0, padding], [1, 1], window[-1], index.long()
    )
    found = found.permute(0, 2, 3, 1).view(n, STRIPS, own + over, width, channels)
    rows = max(STRIPS * own + over, padding + height)
    whole = _unfilled(torch.Size([n, channels, rows, width]), gradient).permute(0, 2, 3, 1)
    strips = whole[:, : STRIPS * own].view(n, STRIPS, own, width, channels)
    strips.copy_(found[:, :, :own])
    strips[:, 1:, :over] += found[:, :-1, own:]
    whole[:, STRIPS * own : STRIPS * own + over] = found[:, -1, own:]
    whole[:, STRIPS * own + over :] = 0
    return whole[:, padding : padding + height].permute(0, 3, 1, 2)


class _LocalNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int, alpha: float, beta: float, k: float) -> Tensor:
        energy = _energy(x, window, alpha, k)
        ctx.save_for_backward(x, energy)
        ctx.constants = window, alpha, beta
        return x * _falling(energy, beta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, energy = ctx.saved_tensors
        window, alpha, beta = ctx.constants
        scaled = gradient * _falling(energy, beta)
        crosstalk = F.conv2d((scaled * x).div_(energy), _band(x, window, alpha))
        return scaled.addcmul_(x, crosstalk, value=-2 * beta), None, None, None, None


def _falling(energy: Tensor, beta: float) -> Tensor:
    """energy ** -beta; with the usual beta by two reciprocal roots, of which PyTorch does many at once."""
    if beta != 0.75:
        return energy.pow(-beta)
    root = energy.rsqrt()
    return root.rsqrt().mul_(root).mul_(root)


def _energy(x: Tensor, window: int, alpha: float, k: float) -> Tensor:
    # The sum over neighbours as a product with a band matrix: 4 times as fast as PyTorch's own, which
    # has no bfloat16 either (measured at 192 channels).
    return F.conv2d(x * x, _band(x, window, alpha)).add_(k)


def _band(x: Tensor, window: int, alpha: float) -> Tensor:
    index = torch.arange(x.shape[1], device=x.device)
    near = (index[:, None] - index[None, :]).abs() <= window // 2
    return (near.to(x.dtype) * alpha)[:, :, None, None]
