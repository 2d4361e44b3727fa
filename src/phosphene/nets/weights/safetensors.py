"""Safetensors, a format that holds only tensors."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from phosphene.errors import WeightsError


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, by name. Raises `WeightsError`."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as problem:
        raise WeightsError(f"{path} is not a complete safetensors file ({problem})", path=path) from None
