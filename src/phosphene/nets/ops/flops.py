"""The cost of a network that is not ours, counted by PyTorch while it runs."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def _attention(query: torch.Size, key: torch.Size, value: torch.Size, *args: Any, **kwargs: Any) -> int:
    """Return the FLOPs of attention over `n heads tokens features`: two products, two FLOPs per multiply-add."""
    tokens = key[-2]
    return 2 * math.prod(query) * tokens + 2 * math.prod(query[:-1]) * tokens * value[-1]


# Attention on the CPU; PyTorch's counter knows only the operations of graphics cards.
ON_CPU = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}


class CostCounter(FlopCounterMode):
    """While entered, counts the multiply-adds of every convolution, matrix product and attention.

    A multiply-add is two of the FLOPs that `torch.utils.flop_counter` counts.

    >>> with CostCounter() as counter:
    ...     _ = torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(4, 3, 3, 3), padding=1)
    >>> counter.multiply_adds == 8 * 8 * 4 * 3 * 3 * 3
    True
    """

    def __init__(self) -> None:
        super().__init__(display=False, custom_mapping=ON_CPU)

    @property
    def multiply_adds(self) -> float:
        """The multiply-adds so far."""
        return self.get_total_flops() / 2
