"""Words and what they were learnt from: a safetensors file with a tensor for each, the sum of its views' features."""

from __future__ import annotations

import os
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


def write_words(path: Path, words: Mapping[str, Tensor]) -> None:
    """Write words to a file, which appears whole or not at all; raise `WeightsError` where that cannot be done."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(safetensors.torch.save({word: each.contiguous() for word, each in words.items()}))
        os.replace(beside, path)
    except OSError as problem:
        raise WeightsError(f"{path} cannot be written: {problem.strerror or problem}", path=path) from None
