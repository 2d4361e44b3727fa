from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.ops import frozen

SIZES = st.integers(1, 13)


def both(ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Results and gradients are the same up to rounding, whether a way back is wanted or not."""
    x = x.contiguous(memory_format=torch.channels_last)
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    results = [layer(leaf * 1) for layer, leaf in zip((ours, theirs), leaves, strict=True)]
    torch.testing.assert_close(*results)
    # As of one branch of several: part of a larger gradient.
    weight = torch.randn(len(x), results[0].shape[1] + 3, *results[0].shape[2:], dtype=x.dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)[:, 1:-2]
    found, expected = (torch.autograd.grad(result, leaf, weight) for result, leaf in zip(results, leaves, strict=True))
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(ours(x.clone()), results[0])


@settings(deadline=None, max_examples=150)
@given(
    channels=st.sampled_from([1, 3, 4, 5, 16]),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.integers(1, 4),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size=st.tuples(st.integers(1, 21), st.integers(1, 21)),
    count=st.integers(1, 3),
    relu=st.booleans(),
    biased=st.booleans(),
)
def test_convolutions(
    channels: int,
    kernel: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    size: tuple[int, int],
    count: int,
    relu: bool,
    biased: bool,
) -> None:
    padding = (min(padding[0], kernel[0] - 1), min(padding[1], kernel[1] - 1))
    size = (max(size[0], kernel[0] - 2 * padding[0]), max(size[1], kernel[1] - 2 * padding[1]))
    weight = torch.randn(6, channels, *kernel, dtype=torch.float64)
    bias = torch.randn(6, dtype=torch.float64) if biased else None

    def theirs(x: Tensor) -> Tensor:
        y = F.conv2d(x, weight, bias, stride, padding)
        return F.relu(y) if relu else y

    image = torch.randn(count, channels, *size, dtype=torch.float64)
    both(lambda x: frozen.convolve(x, weight, bias, stride, padding, relu=relu), theirs, image)


def test_a_fused_convolution_is_the_same() -> None:
    dtype = torch.bfloat16
    x = torch.randn(1, 32, 24, 20, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(48, 32, 3, 3, dtype=dtype), torch.randn(48, dtype=dtype)
    fused = frozen.convolve(x.clone().requires_grad_(), weight, bias, 1, 1, relu=True)
    torch.testing.assert_close(fused, F.relu(F.conv2d(x, weight, bias, 1, 1)))


@settings(deadline=None, max_examples=150)
@given(
    size=st.tuples(st.one_of(SIZES, st.integers(14, 60)), SIZES),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
)
def test_pools(size: tuple[int, int], kernel: int, stride: int, padding: int) -> None:
    padding = min(padding, kernel // 2)
    size = (max(size[0], kernel), max(size[1], kernel))
    image = torch.randn(2, 5, *size, dtype=torch.float64)
    both(
        lambda x: frozen.mean_pool(x, kernel, stride, padding),
        lambda x: F.avg_pool2d(x, kernel, stride, padding),
        image,
    )
    for ceil in (False, True):
        both(
            lambda x, ceil=ceil: frozen.max_pool(x, kernel, stride, padding, ceil=ceil),
            lambda x, ceil=ceil: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil),
            image,
        )


@settings(deadline=None)
@given(size=st.tuples(SIZES, SIZES), channels=st.integers(1, 17), count=st.integers(1, 3))
def test_rectifying(size: tuple[int, int], channels: int, count: int) -> None:
    both(frozen.rectify_, F.relu, torch.randn(count, channels, *size, dtype=torch.float64))


def test_local_normalisation() -> None:
    x = torch.randn(2, 16, 5, 6, dtype=torch.float64) * 3
    leaf = x.clone().requires_grad_()
    ours = frozen.local_norm(leaf, 5, 1e-2, 0.75, 1.0)
    torch.testing.assert_close(ours, F.local_response_norm(x, 5, alpha=5e-2, beta=0.75, k=1.0))
    assert torch.autograd.gradcheck(lambda x: frozen.local_norm(x, 5, 1e-2, 0.75, 1.0), (leaf,))


def test_weights_that_learn_get_their_gradients() -> None:
    x = torch.randn(1, 8, 6, 6, requires_grad=True)
    weight, bias = torch.randn(4, 8, 3, 3, requires_grad=True), torch.randn(4, requires_grad=True)
    frozen.convolve(x, weight, bias, 1, 1, relu=True).sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in (x, weight, bias))


def test_weights_that_are_changed_are_changed_on_the_way_back_too() -> None:
    x = torch.randn(1, 8, 6, 6, requires_grad=True)
    weight = torch.randn(4, 8, 3, 3)
    (before,) = torch.autograd.grad(frozen.convolve(x, weight, None, 1, 1).sum(), x)
    weight.mul_(2)
    (after,) = torch.autograd.grad(frozen.convolve(x, weight, None, 1, 1).sum(), x)
    torch.testing.assert_close(after, 2 * before)


def test_weights_that_are_converted_in_place_have_a_gradient() -> None:
    net = torch.nn.Conv2d(8, 4, 3, padding=1).requires_grad_(False)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        net.to(dtype)
        x = torch.randn(1, 8, 6, 6, dtype=dtype, requires_grad=True)
        found, expected = (
            torch.autograd.grad(y.sum(), x)[0]
            for y in (frozen.convolve(x, net.weight, net.bias, 1, 1), F.conv2d(x, net.weight, net.bias, 1, 1))
        )
        # Where the processor has no bfloat16, PyTorch's own backward pass adds up in it.
        adds_in_it = dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
        tolerance = {"rtol": 0.016, "atol": 0.004} if adds_in_it else {}
        torch.testing.assert_close(found, expected, **tolerance)


def test_one_byte_is_kept_for_each_response() -> None:
    kept = []
    x = torch.randn(1, 16, 64, 64).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):
        frozen.convolve(x, torch.randn(32, 16, 3, 3), torch.zeros(32), 1, 1, relu=True)
    assert sum(kept) == 32 * 16 * 9 * 4 + 32 * 64 * 64


def test_the_first_convolution_of_a_network_that_learns() -> None:
    for channels, relu in ((1, False), (3, True)):
        x = torch.rand(2, channels, 13, 12, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(5, channels, 6, 6, dtype=torch.float64, requires_grad=True)
        results = []
        for convolve in (frozen.convolve, _convolved):
            leaf = x.clone().requires_grad_()
            y = convolve(leaf, weight, None, 2, 2, relu=relu)
            results.append((y.detach(), *torch.autograd.grad(y.square().sum(), (leaf, weight))))
        torch.testing.assert_close(*results)
        leaf, weight = x.float().requires_grad_(), weight.detach().float().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = frozen.convolve(leaf, weight, None, 2, 2)
        found = torch.autograd.grad(y.float().sum(), (leaf, weight))
        assert [each.dtype for each in found] == [torch.float32] * 2


def _convolved(x: Tensor, weight: Tensor, bias: None, stride: int, padding: int, *, relu: bool) -> Tensor:
    y = F.conv2d(x, weight, bias, stride, padding)
    return F.relu(y) if relu else y
