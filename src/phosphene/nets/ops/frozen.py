"""Frozen-weight operations: the layers of convolutional networks, with backward passes towards the image only.

PyTorch saves each layer's input and output for the backward pass, because a weight's gradient may need them. Where only
the image gets a gradient, a ReLU needs one bit per response, a convolution its weights, and a mean nothing. Saved is
one byte per response, or one bit where a canvas is so large that it is done in tiles (`gradients.allocator.apart`),
which lets 24 megapixels pass through a network at once.

Results and gradients are those of `torch.nn.functional`, up to rounding. Where a weight needs a gradient, as in
training, PyTorch's own operations are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.ops.derived import derived

Pair = tuple[int, int]

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}

COLOURS = 4
"""The most input channels for which a convolution's backward pass is `towards_colours`."""

STRIPS = 4
"""The strips of rows in a max pool's backward pass; the number of threads must not change the result."""


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int | Pair = 0, *, relu: bool = False
) -> Tensor:
    """Return the convolution of `x` (n c h w) without dilation, followed by a ReLU if `relu`."""
    padding = (padding, padding) if isinstance(padding, int) else padding
    if _towards_input_only(x, weight, bias):
        return _Convolution.apply(x, weight, bias, stride, padding, relu)
    learns = torch.is_grad_enabled() and x.requires_grad and weight.requires_grad
    if learns and bias is None and weight.shape[1] <= COLOURS:
        y = _FirstConvolution.apply(x, weight, stride, padding)
    else:
        y = F.conv2d(x, weight, bias, stride, padding)
    return F.relu_(y) if relu else y


def rectify_(x: Tensor) -> Tensor:
    """Set negative values to zero, in place, and return `x`."""
    return _ReLU.apply(x) if _towards_input_only(x) else F.relu_(x)


def mean_pool(x: Tensor, kernel: int, stride: int, padding: int = 0) -> Tensor:
    """Return the mean of each window of `kernel` x `kernel`; padding counts as zeros."""
    return (
        _MeanPool.apply(x, kernel, stride, padding)
        if _towards_input_only(x)
        else F.avg_pool2d(x, kernel, stride, padding)
    )


def max_pool(x: Tensor, kernel: int, stride: int, padding: int = 0, *, ceil: bool = False) -> Tensor:
    """Return the maximum of each window; with `ceil`, windows may extend past the bottom and right edges."""
    if _towards_input_only(x):
        return _MaxPool.apply(x, kernel, stride, padding, ceil)
    return F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)


def local_norm(x: Tensor, window: int, alpha: float, beta: float, k: float) -> Tensor:
    """Return x / (k + alpha * sum of squares over `window` neighbouring channels) ** beta."""
    if _towards_input_only(x):
        return _LocalNorm.apply(x, window, alpha, beta, k)
    return x * _falling(_energy(x, window, alpha, k), beta)


def _towards_input_only(x: Tensor, *weights: Tensor | None) -> bool:
    """Return whether there will be a backward pass towards `x` and no weight."""
    if not torch.is_grad_enabled() or any(each is not None and each.requires_grad for each in weights):
        return False
    return x.requires_grad


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Pair, relu: bool) -> Tensor:
    if relu and x.dtype == torch.bfloat16 and fuses(x):
        # As in torch.compile: oneDNN rectifies while the sums are still in registers, which saves 3 to 5 % of the
        # layer's time. (It turns NaN into 0.)
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, padding, [stride] * 2, [1, 1], 1, "relu", [], ""
        )
    y = F.conv2d(x, weight, bias, stride, padding)
    return F.relu_(y) if relu else y


def fuses(x: Tensor) -> bool:
    """Return whether oneDNN takes a convolution of `x` with what follows it. PyTorch's own operation takes any."""
    if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return x.dtype != torch.bfloat16 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


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
        gradient = masked(gradient, mask[0]) if mask else gradient
        if weight.shape[1] <= COLOURS:
            found = towards_colours(gradient, weight, ctx.shape, ctx.stride, ctx.padding)
        elif ctx.stride == 1:
            # The transpose of a convolution is the convolution with flipped kernels.
            rows, columns = (weight.shape[2 + axis] - 1 - ctx.padding[axis] for axis in (0, 1))
            found = F.conv2d(gradient, flipped(weight), None, 1, (rows, columns))
        else:
            like = _unfilled(ctx.shape, gradient)
            found, _, _ = torch.ops.aten.convolution_backward(
                gradient, like, weight, None, [ctx.stride] * 2, ctx.padding, [1, 1], False, [0, 0], 1,
                [True, False, False],
            )  # fmt: skip
        return found, None, None, None, None, None


class _FirstConvolution(torch.autograd.Function):
    """The convolution of a few channels in training, towards both its input, as attacks want it, and its weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = (each.to(gradient.dtype) for each in ctx.saved_tensors)  # autocast gives 16 bits here
        _, found, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, [ctx.stride] * 2, ctx.padding, [1, 1], False, [0, 0], 1, [False, True, False]
        )
        back = towards_colours(gradient, weight, x.shape, ctx.stride, ctx.padding)
        return back.to(ctx.saved_tensors[0].dtype), found.to(ctx.saved_tensors[1].dtype), None, None


def masked(x: Tensor, mask: Tensor, into: Tensor | None = None) -> Tensor:
    """Return the values of `x` where `mask` is set, and zero elsewhere, in a new tensor or written to `into`."""
    if x.device.type != "cpu":
        found = torch.where(mask, x, 0)
        return found if into is None else into.copy_(found)
    # Multiplying the bits, as integers, by 0 or 1 is ten times as fast as torch.where on a CPU, and turns NaN into 0.
    integers = INTEGERS[x.element_size()]
    if into is None:
        return (x.view(integers) * mask).view(x.dtype)
    torch.mul(x.view(integers), mask, out=into.view(integers))
    return into


def flipped(weight: Tensor) -> Tensor:
    """Return the weight (in, out, rows, columns) of the convolution that is the transpose of this one."""

    def flip() -> Tensor:
        return weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)

    return derived(weight, "flipped", flip)


def _unfilled(shape: torch.Size, like: Tensor) -> Tensor:
    """Return an uninitialised tensor for an input of which PyTorch's backward pass uses only shape and format."""
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def towards_colours(gradient: Tensor, weight: Tensor, shape: torch.Size, stride: int, padding: Pair) -> Tensor:
    """Return the gradient with respect to an input of a few channels, by a convolution at the output's positions.

    A processor convolves 16 channels at once or more, so three channels would waste most of its work. Here the
    `stride` x `stride` pixels of each position become channels as well (Shi et al., "Real-time single image and video
    super-resolution using an efficient sub-pixel convolutional neural network", CVPR 2016): 4.5 times as fast for the
    pocket network's first layer.
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
    """Along one axis: output `a - d` adds to pixel `stride * a + r` through tap `stride * d + r + padding`.

    `taps` is the number of values of `d` once the kernel is padded to a multiple of the stride.
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
        return masked(gradient, *ctx.saved_tensors)


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
    """Return the gradient with respect to a max pool's input, computed for each strip of rows as if it were an image.

    PyTorch gives each image of a batch to one thread, so a single image keeps one thread busy: this is 2 to 4 times as
    fast on two cores.
    """
    strips = _Strips.of(shape, gradient.shape[2], window)
    gradients, indices = strips.split(gradient, 0), strips.split(index, strips.last_row)
    indices = indices - strips.first_pixels(index.dtype)[:, None, None, None]
    (kernel, _), (stride, _), (padding, _) = window[:3]
    like = _unfilled(torch.Size([len(gradients), shape[1], strips.own + strips.overlap, shape[3]]), gradient)
    found = torch.ops.aten.max_pool2d_with_indices_backward(
        gradients, like, [kernel] * 2, [stride] * 2, [0, padding], [1, 1], window[-1], indices.long()
    )
    return strips.join(found)


@dataclass(frozen=True)
class _Strips:
    """The input of a max pool cut into strips of rows, each with the windows that start in it.

    A strip owns `own` rows; its windows reach `overlap` rows into the next. The first strip starts `padding` rows above
    the image.
    """

    shape: torch.Size
    windows: int
    own: int
    overlap: int
    padding: int

    @classmethod
    def of(cls, shape: torch.Size, rows: int, window: list[Any]) -> _Strips:
        """Cut an input of this shape, `n c h w`, whose pool has `rows` rows of windows."""
        (kernel, _), (stride, _), (padding, _) = window[:3]
        windows = math.ceil(rows / STRIPS)
        return cls(shape, windows, windows * stride, max(kernel - stride, 0), padding)

    @property
    def last_row(self) -> int:
        """The index, in a channel's plane, of the first pixel of the image's last row."""
        return (self.shape[2] - 1) * self.shape[3]

    def split(self, x: Tensor, fill: int) -> Tensor:
        """Split a tensor with one value per window into a batch of strips; missing rows of windows are `fill`."""
        n, channels, rows, columns = x.shape
        if missing := self.windows * STRIPS - rows:
            x = F.pad(x, (0, 0, 0, missing), value=fill)
        x = x.permute(0, 2, 3, 1).reshape(n * STRIPS, self.windows, columns, channels)
        return x.permute(0, 3, 1, 2)

    def first_pixels(self, dtype: torch.dtype) -> Tensor:
        """Return the index of each strip's first pixel in a channel's plane of the whole image, below 0 in padding."""
        n, _, _, width = self.shape
        return (torch.arange(STRIPS, dtype=dtype) * self.own - self.padding).repeat(n) * width

    def join(self, found: Tensor) -> Tensor:
        """Join the strips' gradients into the image's, adding up the rows in which neighbouring strips overlap."""
        n, channels, height, width = self.shape
        own, overlap = self.own, self.overlap
        found = found.permute(0, 2, 3, 1).view(n, STRIPS, own + overlap, width, channels)
        rows = max(STRIPS * own + overlap, self.padding + height)
        whole = _unfilled(torch.Size([n, channels, rows, width]), found).permute(0, 2, 3, 1)
        strips = whole[:, : STRIPS * own].view(n, STRIPS, own, width, channels)
        strips.copy_(found[:, :, :own])
        strips[:, 1:, :overlap] += found[:, :-1, own:]
        whole[:, STRIPS * own : STRIPS * own + overlap] = found[:, -1, own:]
        whole[:, STRIPS * own + overlap :] = 0
        return whole[:, self.padding : self.padding + height].permute(0, 3, 1, 2)


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
    """Return energy ** -beta; for a beta of 0.75 by two reciprocal roots, which PyTorch vectorises."""
    if beta != 0.75:
        return energy.pow(-beta)
    root = energy.rsqrt()
    return root.rsqrt().mul_(root).mul_(root)


def _energy(x: Tensor, window: int, alpha: float, k: float) -> Tensor:
    # The sum over neighbours as a product with a band matrix: 4 times as fast as PyTorch's own operation (measured at
    # 192 channels), which does not support bfloat16 either.
    return F.conv2d(x * x, _band(x, window, alpha)).add_(k)


def _band(x: Tensor, window: int, alpha: float) -> Tensor:
    index = torch.arange(x.shape[1], device=x.device)
    near = (index[:, None] - index[None, :]).abs() <= window // 2
    return (near.to(x.dtype) * alpha)[:, :, None, None]
