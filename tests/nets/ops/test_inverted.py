"""An inverted residual block as one operation is its three convolutions one after the other."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from phosphene.nets.base import sparing
from phosphene.nets.ops.same import InvertedBlock, SameConvolution


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("kernel", "stride", "residual"), [(3, 1, True), (5, 1, False), (3, 2, False), (5, 2, False)])
@pytest.mark.parametrize("expands", [True, False])
def test_a_block_is_its_convolutions(
    dtype: torch.dtype, kernel: int, stride: int, residual: bool, expands: bool
) -> None:
    torch.manual_seed(0)
    wide = 24 if expands else 8
    parts = [
        *([SameConvolution(8, wide, 1)] if expands else []),
        SameConvolution(wide, wide, kernel, stride, depthwise=True),
        SameConvolution(wide, 8, 1, relu6=False),
    ]
    for part in parts:
        part.reset_parameters()
        part.weight.data *= 6
        part.to(dtype).requires_grad_(False)
    close = {"rtol": 0.05, "atol": 0.2} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    for size in ((16, 22), (13, 8), (1, 2), (33, 17)):
        image = (torch.rand(2, 8, *size, dtype=dtype) * 4).contiguous(memory_format=torch.channels_last)
        for keep in (nullcontext, sparing):
            leaves = [image.clone().requires_grad_() for _ in range(2)]
            with keep():
                found = InvertedBlock(*parts, residual=residual)([leaves[0]], False)
                inner = leaves[1]
                for part in parts[:-1]:
                    inner = part([inner], False)
                expected = parts[-1]([inner, leaves[1]] if residual else [inner], False)
            torch.testing.assert_close(found, expected, **close)
            gradients = [
                torch.autograd.grad(y.square().sum(), x)[0] for y, x in ((found, leaves[0]), (expected, leaves[1]))
            ]
            torch.testing.assert_close(*gradients, **close)
        with torch.no_grad():
            torch.testing.assert_close(
                InvertedBlock(*parts, residual=residual)([image], False), found.detach(), **close
            )
