"""How much a network that we did not write has to compute: the multiply-adds of what it runs, counted as it
runs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Work(TorchDispatchMode):
    """While it is entered, `done` grows by the multiply-adds of every convolution and matrix product.

    >>> with Work() as work:
    ...     _ = torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(4, 3, 3, 3), padding=1)
    >>> work.done == 8 * 8 * 4 * 3 * 3 * 3
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.done = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        aten = torch.ops.aten
        if func is aten.convolution.default:
            per_output = math.prod(args[1].shape[1:])
            self.done += result.numel() * per_output if not args[6] else args[0].numel() * per_output
        elif func in (aten.mm.default, aten.bmm.default):
            self.done += result.numel() * args[0].shape[-1]
        elif func in (aten.addmm.default, aten.baddbmm.default):
            self.done += result.numel() * args[1].shape[-1]
        elif "scaled_dot_product" in func.__name__:
            queries, keys = args[0].shape, args[1].shape
            self.done += 2 * math.prod(queries) * keys[-2]
        return result
