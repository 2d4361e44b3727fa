from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.ops.flops import CostCounter


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda x: F.conv2d(x, torch.zeros(8, 2, 3, 3), padding=1, groups=2), 8 * 2 * 9 * 30),
        (lambda x: F.conv_transpose2d(x, torch.zeros(4, 8, 2, 2), stride=2), 4 * 8 * 4 * 30),
        (lambda x: F.linear(x.flatten(1), torch.zeros(7, 120), torch.zeros(7)), 7 * 120),
        (lambda x: F.scaled_dot_product_attention(x, x, x), 2 * 4 * 5 * 5 * 6),
    ],
)
def test_multiply_adds_are_counted(operation: Callable[[Tensor], Tensor], expected: int) -> None:
    with CostCounter() as counter:
        operation(torch.zeros(1, 4, 5, 6))
    assert counter.multiply_adds == expected
