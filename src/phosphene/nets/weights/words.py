"""Words and what they were learnt from: a safetensors file with a tensor for each, the sum of its views' features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from phosphene.errors import WeightsError


def read_words(path: Path) -> dict[str, Tensor]:
    """Return the tensor of each word; raise `WeightsError` for a file that is missing or none of this format."""
    try:
        found = safetensors.torch.load(path.read_bytes())
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}", path=path) from None
    except (OSError, ValueError, safetensors.SafetensorError) as problem:
        raise WeightsError(f"{path} must be a safetensors file, but cannot be read: {problem}", path=path) from None
    lengths = {tuple(each.shape) for each in found.values()}
    if len(lengths) > 1 or any(each.dim() != 1 or not each.is_floating_point() for each in found.values()):
        raise WeightsError(f"{path} must hold one row of numbers for each word, all as long", path=path)
    return {word: each.float() for word, each in found.items()}


def pack_words(words: Mapping[str, Tensor]) -> bytes:
    """Return the contents of a file that `read_words` reads."""
    return safetensors.torch.save({word: each.contiguous() for word, each in words.items()})
