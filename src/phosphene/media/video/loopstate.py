"""A loop's state as bytes, for `Film.checkpoint`: tensors and plain values, as safetensors, so never any code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor


def to_bytes(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> bytes:
    """`tensors`, exact to the bit, and `values` of JSON's kinds (numbers, texts, lists, None) in one piece.

    >>> import torch
    >>> tensors, values = from_bytes(to_bytes({"image": torch.ones(2)}, {"frame": 7}))
    >>> tensors["image"].tolist(), values
    ([1.0, 1.0], {'frame': 7})
    """
    from safetensors.torch import save

    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return save(own, {"values": json.dumps(dict(values))})


def from_bytes(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `to_bytes` was given; raises `ValueError` for anything else."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        values = json.loads(header["__metadata__"]["values"])
        return load(data), values
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise ValueError(f"not the state of a loop: {problem}") from None
