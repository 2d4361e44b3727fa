"""Masks as bits, for those that are kept for long."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def pack(mask: Tensor) -> Tensor:
    """Pack a mask, in any memory order without gaps, for `unpack`; a byte holds eight values.

    >>> mask = torch.tensor([[True, False, True]])
    >>> unpack(pack(mask), mask.shape, mask.stride())
    tensor([[ True, False,  True]])
    """
    flat = torch.as_strided(mask, (mask.numel(),), (1,))
    return torch.from_numpy(np.packbits(flat.numpy()))


def unpack(packed: Tensor, shape: torch.Size, strides: tuple[int, ...]) -> Tensor:
    """Return the mask of this shape that `pack` was given."""
    flat = torch.from_numpy(np.unpackbits(packed.numpy(), count=shape.numel()))
    return torch.as_strided(flat.view(torch.bool), shape, strides)
