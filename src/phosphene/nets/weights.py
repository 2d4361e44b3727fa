"""Model files: the only place of the package that reads them.

Model files are data: safetensors are read as tensors and nothing in them can run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from phosphene.errors import WeightsError


def embedded(name: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of a safetensors file of the package, as float32, and the file's SHA-256.

    Raises `WeightsError` if the file is missing or damaged.
    """
    path = resources.files(__package__).joinpath(name)
    try:
        data = path.read_bytes()
        tensors = safetensors.torch.load(data)
    except (OSError, safetensors.SafetensorError) as problem:
        raise WeightsError(f"phosphene's own file {name} is damaged ({problem}): install again", path=path) from None
    return {key: tensor.float() for key, tensor in tensors.items()}, hashlib.sha256(data).hexdigest()


def embedded_labels(name: str) -> tuple[tuple[str, ...], ...]:
    """Each class's names, from a table of the package with columns index, WordNet id, names."""
    table = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line.strip()]
    assert [int(row[0]) for row in rows] == list(range(len(rows))), "labels stand in the order of their indices"
    return tuple(tuple(each.strip() for each in row[2].split(",")) for row in rows)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy `tensors` into `module`, whose names and shapes must be the same.

    Raises `WeightsError` that names the first layer that does not fit.
    """
    expected = module.state_dict()
    for name, parameter in expected.items():
        if name not in tensors:
            raise WeightsError(f"{source} has no tensor {name!r}: it belongs to another network", path=source)
        if tensors[name].shape != parameter.shape:
            raise WeightsError(
                f"{name!r} must be {_shape(parameter)}, but is {_shape(tensors[name])} in {source}: "
                "it belongs to another network",
                path=source,
            )
    for name in tensors:
        if name not in expected:
            raise WeightsError(f"{source} has an unexpected tensor {name!r}: it belongs to another network", path=source)
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(tensors[name])


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))
