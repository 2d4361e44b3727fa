"""A direction in a layer: a safetensors file with one tensor, a number for each channel."""

from __future__ import annotations

import hashlib
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from phosphene.errors import WeightsError


def read_vector(path: Path) -> tuple[Tensor, str]:
    """Return the only tensor of a safetensors file as float32, flattened, and the file's SHA-256.

    Raises `WeightsError` for a file that is missing, none of this format, or that holds more than one tensor.
    """
    try:
        data = path.read_bytes()
        tensors = safetensors.torch.load(data)
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}", path=path) from None
    except (OSError, ValueError, safetensors.SafetensorError) as problem:
        raise WeightsError(f"{path} must be a safetensors file, but cannot be read: {problem}", path=path) from None
    vectors = [each for each in tensors.values() if each.is_floating_point() and each.isfinite().all()]
    if len(tensors) != 1 or len(vectors) != 1:
        raise WeightsError(
            f"{path} must hold one tensor of finite numbers, but holds {len(tensors)} ({', '.join(list(tensors)[:5])})",
            path=path,
        )
    return vectors[0].float().flatten(), hashlib.sha256(data).hexdigest()


def pack_vector(vector: Tensor, layer: str) -> bytes:
    """Return the contents of a file that `read_vector` reads, with the name of the layer that the direction is in."""
    return safetensors.torch.save({"direction": vector.contiguous()}, {"layer": layer})
