"""The files that come with phosphene: the embedded network's tensors and the tables of labels."""

from __future__ import annotations

import hashlib
from importlib import resources

import safetensors
import safetensors.torch
from torch import Tensor

from phosphene.errors import WeightsError

PACKAGE = "phosphene.nets.zoo"


def tensors(name: str) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a safetensors file of the package, as float32, and the file's SHA-256.

    Raises `WeightsError` if the file is missing or damaged.
    """
    path = resources.files(PACKAGE).joinpath(name)
    try:
        data = path.read_bytes()
        found = safetensors.torch.load(data)
    except (OSError, safetensors.SafetensorError) as problem:
        raise WeightsError(
            f"phosphene's own file {name} is damaged ({problem}): reinstall phosphene", path=path
        ) from None
    return {key: tensor.float() for key, tensor in found.items()}, hashlib.sha256(data).hexdigest()


def labels(name: str) -> tuple[tuple[str, ...], ...]:
    """Return each class's names, from a table of the package with columns index, identifier, names."""
    table = resources.files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line.strip()]
    assert [int(row[0]) for row in rows] == list(range(len(rows))), "labels stand in the order of their indices"
    return tuple(tuple(each.strip() for each in row[2].split(",")) for row in rows)
