"""Depthwise and 1x1 convolutions, ReLU6 and `SAME` padding agree with PyTorch's own, forward and backward."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.base import sparing
from phosphene.nets.ops import derived, mobile

SIDES = st.integers(1, 17)


def expected(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, relu6: bool, residual: Tensor | None
) -> Tensor:
    """TensorFlow's definition, in PyTorch's own operations."""
    top, bottom = mobile.padding(x.shape[2], weight.shape[2], stride)
    left, right = mobile.padding(x.shape[3], weight.shape[3], stride)
    y = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, groups=x.shape[1] // weight.shape[1])
    y = F.relu6(y) if relu6 else y
    return y if residual is None else y + residual


def compare(
    dtype: torch.dtype, shape: tuple[int, ...], weight: Tensor, stride: int, relu6: bool, **close: float
) -> None:
    """Results and gradients are PyTorch's up to rounding, whatever is kept for the backward pass."""
    bias = torch.randn(weight.shape[0], dtype=dtype)
    x = (torch.randn(shape, dtype=dtype) * 3).contiguous(memory_format=torch.channels_last)
    reference = expected(x, weight, bias, stride, relu6, None)
    assert reference.shape[2:] == tuple(-(-side // stride) for side in shape[2:])
    residual = None if relu6 else torch.randn_like(reference)
    direction = torch.randn_like(reference)
    for keep in (nullcontext, sparing):
        found, wanted = [], []
        for function, into in ((mobile.convolve, found), (expected, wanted)):
            leaf, other = x.clone().requires_grad_(), None if residual is None else residual.clone().requires_grad_()
            with keep():
                y = function(leaf * 1, weight, bias, stride, relu6=relu6, residual=other)
            leaves = [leaf] if other is None else [leaf, other]
            into += [y, *torch.autograd.grad(y, leaves, direction)]
        for mine, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, theirs, **close)
    with torch.no_grad():
        unneeded = mobile.convolve(x.clone(), weight, bias, stride, relu6=relu6, residual=residual)
        torch.testing.assert_close(unneeded, found[0].detach(), **close)


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(["depthwise", "pointwise", "colours", "full"]),
    kernel=st.sampled_from([1, 2, 3, 5, 7]),
    stride=st.integers(1, 3),
    size=st.tuples(SIDES, SIDES),
    count=st.integers(1, 3),
    relu6=st.booleans(),
)
def test_convolutions(kind: str, kernel: int, stride: int, size: tuple[int, int], count: int, relu6: bool) -> None:
    given, channels, per_group = {
        "depthwise": (6, 6, 1), "pointwise": (5, 8, 5), "colours": (3, 8, 3), "full": (6, 8, 6)
    }[kind]  # fmt: skip
    kernel = 1 if kind == "pointwise" else kernel
    weight = torch.randn(channels, per_group, kernel, kernel, dtype=torch.float64)
    compare(torch.float64, (count, given, *size), weight, stride, relu6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_that_are_fused(dtype: torch.dtype, kernel: int, stride: int) -> None:
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.15}
    for size in ((24, 33), (17, 20)):
        for relu6 in (False, True):
            weight = torch.randn(32, 32 if kernel == 1 else 1, kernel, kernel, dtype=dtype)
            compare(
                dtype, (1, 32, *size), weight / weight[0].numel() ** 0.5, 1 if kernel == 1 else stride, relu6, **close
            )


def test_a_linear_convolution_keeps_nothing_and_a_relu6_one_byte_where_memory_is_short() -> None:
    x = torch.randn(1, 16, 64, 64).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = torch.randn(32, 16, 1, 1), torch.zeros(32)
    kept: dict[bool, int] = {}
    sizes: list[int] = []
    for relu6 in (False, True):
        with sparing(), torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.nbytes) or t, lambda t: t):
            mobile.convolve(x, weight, bias, relu6=relu6)
        kept[relu6] = sum(sizes)
        sizes.clear()
    assert kept[False] == weight.nbytes
    assert kept[True] == weight.nbytes + 32 * 64 * 64


def test_weights_that_are_changed_are_changed_on_the_way_back_too() -> None:
    x = torch.randn(1, 8, 10, 10, requires_grad=True)
    weight = torch.randn(8, 1, 3, 3)
    for stride in (1, 2):
        (before,) = torch.autograd.grad(mobile.convolve(x, weight, None, stride).sum(), x)
        weight.mul_(2)
        (after,) = torch.autograd.grad(mobile.convolve(x, weight, None, stride).sum(), x)
        torch.testing.assert_close(after, 2 * before)


def test_weights_that_learn_get_their_gradients() -> None:
    x = torch.randn(1, 8, 9, 9, requires_grad=True)
    weight, bias = torch.randn(8, 1, 3, 3, requires_grad=True), torch.randn(8, requires_grad=True)
    mobile.convolve(x, weight, bias, 2, relu6=True).sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in (x, weight, bias))


def test_rounded_kernels_keep_their_sums() -> None:
    kernels = torch.randn(64, 1, 3, 3)
    kernels -= kernels.mean(dim=(2, 3), keepdim=True)
    found = mobile.rounded_kernels(kernels, torch.bfloat16)
    assert torch.equal(found, found.bfloat16().float())
    torch.testing.assert_close(found, kernels, rtol=0.02, atol=0.02)
    plain = kernels.bfloat16().float()
    assert found.sum(dim=(2, 3)).abs().mean() < 0.2 * plain.sum(dim=(2, 3)).abs().mean()


def test_pictures_of_many_sizes_leave_little_behind() -> None:
    weight, bias = torch.randn(16, 16, 1, 1), torch.zeros(16)
    for side in range(3, 40):
        x = torch.randn(1, 16, side, side).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(mobile.convolve(x, weight, bias), F.conv2d(x, weight, bias), rtol=1e-4, atol=1e-4)
    assert len(derived._known[weight]) <= derived.MOST


def test_what_is_used_again_is_kept_longest() -> None:
    weight, made = torch.zeros(1), []

    def make() -> Tensor:
        made.append(0)
        return torch.zeros(1)

    for size in range(3 * derived.MOST):
        derived.derived(weight, "always", make)
        derived.derived(weight, size, lambda: torch.zeros(1))
    assert len(made) == 1
