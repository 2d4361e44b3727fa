"""Which number format a network runs in."""

from __future__ import annotations

import torch

from phosphene.errors import SettingError

PRECISIONS = ("auto", "bfloat16", "float32")


def choose(precision: str, device: torch.device) -> torch.dtype:
    """The dtype for `precision` on `device`: "auto" takes bfloat16 where the processor multiplies it faster.

    On a CPU that is with AMX tiles (about 8 times float32) or AVX512-BF16 (about 3 times); without either,
    bfloat16 would be emulated and slower than float32. Raises `SettingError` for an unknown name.

    >>> choose("float32", torch.device("cpu"))
    torch.float32
    """
    if precision not in PRECISIONS:
        raise SettingError(
            f"precision must be one of {', '.join(PRECISIONS)}, but is {precision!r}",
            setting="precision",
            value=precision,
        )
    if precision != "auto":
        return getattr(torch, precision)
    return torch.bfloat16 if _multiplies_bfloat16(device) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "mps":
        return True
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
