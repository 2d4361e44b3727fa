"""Which number format a network runs in, and the network in it."""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.nets.base import Net

PRECISIONS = ("auto", "bfloat16", "float16", "float32")


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype for `precision` on `device`: "auto" is a 16-bit type if it is multiplied faster.

    On a CPU that is bfloat16 with AMX tiles (about 8 times float32) or AVX512-BF16 (2 to 3 times); without either,
    it would be emulated and slower than float32. On NVIDIA's cards from Ampere on it is bfloat16, on Apple's and older
    ones float16. Raises `SettingError` for an unknown name.

    >>> choose_dtype("float32", torch.device("cpu"))
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
    match device.type:
        case "cuda":
            return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
        case "mps":
            return torch.float16
        case _:
            return torch.bfloat16 if _multiplies_bfloat16() else torch.float32


def _multiplies_bfloat16() -> bool:
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def prepared(net: Net, dtype: torch.dtype) -> Net:
    """Return the network in this number format and channels-last: itself, or a copy if anything has to change.

    A network that the caller wrapped must stay as it is.
    """
    if all(weight.dtype == dtype and _is_channels_last(weight) for weight in net.parameters()):
        return net
    copied = net.converted(dtype)
    return copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _is_channels_last(weight: Tensor) -> bool:
    return weight.dim() != 4 or weight.is_contiguous(memory_format=torch.channels_last)
