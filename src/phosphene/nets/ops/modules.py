"""The operations that the famous networks consist of, with their receptive fields and costs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nets.ops import frozen
from phosphene.nets.ops.batch_norm import Normalisable
from phosphene.nets.receptive import Field

Pair = tuple[int, int]


def pair(value: int | Pair) -> Pair:
    """Return (rows, columns); a single number stands for both."""
    return (value, value) if isinstance(value, int) else value


class Operation(nn.Module, ABC):
    """One step of a network; `channels` is the number in its output, `work` its multiply-adds per position."""

    channels: int
    work: int = 0

    @abstractmethod
    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        """Return the result; with `spare` nothing else needs the first input, which may be overwritten."""

    def reset_parameters(self) -> None:
        """Draw the parameters, if there are any, as PyTorch does, from its global generator."""

    def round_weights(self, dtype: torch.dtype) -> None:
        """Round the weights to numbers that `dtype` has, where rounding each to the nearest would do harm."""

    def field(self, seen: Sequence[Field], axis: int) -> Field | None:
        """Return the receptive field along rows (axis 0) or columns (1), given those of the inputs.

        None for an operation whose output has no positions.
        """
        return seen[0]


class Convolution(Operation, Normalisable):
    """A convolution and its bias or batch norm, with or without a ReLU after it.

    `padding` is zeros on each side; `extra` further zeros after the last row and column only, as TensorFlow
    pads an image of even size.
    """

    def __init__(
        self,
        given: int,
        channels: int,
        kernel: int | Pair,
        stride: int = 1,
        padding: int | Pair = 0,
        *,
        extra: int = 0,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.kernel, self.stride, self.padding = pair(kernel), stride, pair(padding)
        self.extra, self.relu = extra, relu
        self.work = given * channels * self.kernel[0] * self.kernel[1]
        self.weight = nn.Parameter(torch.empty(channels, given, *self.kernel))
        self.bias = nn.Parameter(torch.empty(channels))
        self.register_module("norm", None)

    def reset_parameters(self) -> None:
        draw(self.weight, self.bias)
        if self.norm is not None:
            self.norm.reset_parameters()

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        (x,) = inputs
        if self.extra:
            x = F.pad(x, (0, self.extra, 0, self.extra))
        return self.convolve(x, self.stride, self.padding, relu=self.relu)

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        return seen[0].through(self.kernel[axis], self.stride, self.padding[axis])


class ReLU(Operation):
    """Sets negative values to zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        return frozen.rectify_(inputs[0] if spare else inputs[0].clone())


class MaxPool(Operation):
    """The maximum of each window; with `ceil`, windows may extend past the bottom and right edges, as in Caffe."""

    def __init__(self, channels: int, kernel: int, stride: int, padding: int = 0, *, ceil: bool = False) -> None:
        super().__init__()
        self.channels, self.kernel, self.stride = channels, kernel, stride
        self.padding, self.ceil = padding, ceil

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        return frozen.max_pool(inputs[0], self.kernel, self.stride, self.padding, ceil=self.ceil)

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        return seen[0].through(self.kernel, self.stride, self.padding)


class MeanPool(Operation):
    """The mean of each window of `kernel` x `kernel`; with stride 1 the size is kept, and padding counts as zeros."""

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.channels, self.kernel, self.stride = channels, kernel, stride
        self.padding = kernel // 2 if stride == 1 else 0

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        return frozen.mean_pool(inputs[0], self.kernel, self.stride, self.padding)

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        return seen[0].through(self.kernel, self.stride, self.padding)


class LocalNorm(Operation):
    """Local response normalisation over neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    x / (k + alpha * sum of squares over `window` channels) ** beta. Here as in TensorFlow alpha multiplies
    the sum; Caffe and PyTorch divide theirs by `window` first.
    """

    def __init__(self, channels: int, window: int, alpha: float, beta: float, k: float) -> None:
        super().__init__()
        self.channels = channels
        self.set(window, alpha, beta, k)
        self.work = channels * window

    def set(self, window: int, alpha: float, beta: float, k: float) -> None:
        """Set other constants, such as those of a model file."""
        self.window, self.alpha, self.beta, self.k = window, alpha, beta, k

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        return frozen.local_norm(inputs[0], self.window, self.alpha, self.beta, self.k)


class Join(Operation):
    """Concatenates the channels of all inputs."""

    def __init__(self, *given: int) -> None:
        super().__init__()
        self.channels = sum(given)

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        return torch.cat(list(inputs), dim=1)

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        field = seen[0]
        for other in seen[1:]:
            field = field.union(other)
        return field


class AddReLU(Operation):
    """The sum of two inputs, followed by a ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        x, y = inputs
        return frozen.rectify_(x.add_(y) if spare else x + y)

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        return seen[0].union(seen[1])


class Dense(Operation):
    """A fully connected layer, whose output has no positions.

    An input with positions is first brought to `grid` rows and columns of means, by default to one: the
    mean over all positions.
    """

    def __init__(self, given: int, channels: int, *, grid: int = 1) -> None:
        super().__init__()
        self.channels, self.grid = channels, grid
        self.weight = nn.Parameter(torch.empty(channels, given * grid * grid))
        self.bias = nn.Parameter(torch.empty(channels))

    def reset_parameters(self) -> None:
        draw(self.weight, self.bias)

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        (x,) = inputs
        if x.dim() == 4 and self.grid == 1:
            # A sum over many positions and one small product: not worth computing in less than float32.
            x = x.mean(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
        elif x.dim() == 4:
            x = F.adaptive_avg_pool2d(x, self.grid).flatten(1)
        return self.apply_to(x)

    def apply_to(self, x: Tensor) -> Tensor:
        """Apply the layer to `n c`, in its dtype."""
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))

    def field(self, seen: Sequence[Field], axis: int) -> None:
        return None


def draw(weight: Tensor, bias: Tensor | None) -> None:
    """Draw weight and bias as `torch.nn.Conv2d` and `torch.nn.Linear` do."""
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(weight[0].numel())
        nn.init.uniform_(bias, -bound, bound)
