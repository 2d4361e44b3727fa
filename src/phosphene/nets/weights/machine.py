"""Boltzmann machines as files, `.rbm`: safetensors, with a card as JSON in the file's metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.weights.regular import check_regular

SUFFIX = ".rbm"
CARD = "card"
PARTS = ("weight", "visible_bias", "hidden_bias", "visible_mean", "hidden_mean")


def to_bytes(tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> bytes:
    """Return the file of machines whose tensors are named `0.weight`, `0.visible_bias` ... `1.weight` ..."""
    named = {name: tensor.contiguous() for name, tensor in sorted(tensors.items())}
    return safetensors.torch.save(named, metadata={CARD: json.dumps(card, ensure_ascii=False)})


def read(path: Path) -> tuple[list[dict[str, Tensor]], dict[str, Any], str]:
    """Return the tensors of each machine, the card and the file's SHA-256. Raises `WeightsError`."""
    check_regular(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {})[CARD])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        machines = [{part: tensors[f"{index}.{part}"].float() for part in PARTS} for index in range(int(card["depth"]))]
        side, channels, std = int(card["side"]), int(card["channels"]), float(card["std"])
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}", path=path) from None
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as problem:
        raise WeightsError(f"{path} is not a Boltzmann machine ({problem})", path=path) from None
    units = side * side * channels
    for each in machines:
        hidden = each["weight"].shape[-1] if each["weight"].dim() == 2 else -1
        wanted = {"weight": (units, hidden), "visible_bias": (units,), "visible_mean": (units,)}
        wanted |= {"hidden_bias": (hidden,), "hidden_mean": (hidden,)}
        if any(tuple(each[part].shape) != shape for part, shape in wanted.items()) or std <= 0:
            raise WeightsError(f"{path} has a machine whose tensors do not fit its card", path=path)
        units = hidden
    return machines, card, hashlib.sha256(path.read_bytes()).hexdigest()
