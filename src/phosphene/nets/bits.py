"""Which responses of a layer are above zero, one bit for each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

BLOCK = 1 << 20
"""About how many bits are unpacked at a time, so that the bytes that they become stay in the processor's cache."""


def pack(x: Tensor) -> Tensor:
    """Where `x`, `n c h w`, is not zero, for `keep`: eight values a byte on a CPU, a byte each elsewhere.

    A graphics card would rather have one kernel more to read from than one more to start.
    """
    given = x.permute(0, 2, 3, 1).bool()  # as it lies in memory, channels last
    match x.device.type:
        case "cpu":
            return torch.from_numpy(np.packbits(given.contiguous().view(-1).numpy()))
        case "meta":  # as on a CPU, of which only the size can be asked
            return given.new_empty((given.numel() + 7) // 8, dtype=torch.uint8)
        case _:
            return given


def keep(x: Tensor, packed: Tensor) -> Tensor:
    """`x`, `n c h w`, where a bit is set, and zero elsewhere; a new tensor, channels last."""
    n, c, h, w = x.shape
    kept = torch.empty((n, h, w, c), dtype=x.dtype, device=x.device)
    if packed.dtype == torch.bool:
        torch.where(packed, x.permute(0, 2, 3, 1), x.new_zeros(()), out=kept)
    elif packed.device.type != "meta":
        # Times 0 or 1 as integers: faster than any select of PyTorch's on a CPU, and what is dropped is 0 even if it
        # was NaN.
        integers, bits = INTEGERS[x.element_size()], packed.numpy()
        rows = 8 * max(1, BLOCK // max(8, 8 * w * c))  # of whole bytes
        given, result = (each.flatten(0, 1).view(integers).split(rows) for each in (x.permute(0, 2, 3, 1), kept))
        for index, (row, out) in enumerate(zip(given, result, strict=True)):
            ones = np.unpackbits(bits[index * rows * w * c // 8 :], count=row.numel())
            torch.mul(row, torch.from_numpy(ones).view(row.shape), out=out)
    return kept.permute(0, 3, 1, 2)
