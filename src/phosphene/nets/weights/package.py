"""The files that come with phosphene: the bundled networks' tensors and the tables of labels."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "phosphene.nets.zoo"


def path(name: str) -> Path:
    """Return where a file of the package is."""
    return Path(str(resources.files(PACKAGE).joinpath(name)))


def tensors(name: str, sha256: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file of the package, which must have this hash, as float32.

    Raises `WeightsError` if the file is missing or damaged.
    """
    import safetensors.torch  # `phosphene nets` lists what is bundled without waiting for torch

    file = path(name)
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise WeightsError(
            f"phosphene's own file {file} cannot be read ({problem.strerror or problem}): reinstall phosphene",
            path=file,
        ) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsError(f"phosphene's own file {file} is damaged: reinstall phosphene", path=file)
    return {key: tensor.float() for key, tensor in safetensors.torch.load(data).items()}


def labels(name: str) -> tuple[tuple[str, ...], ...]:
    """Return each class's names, from a table of the package with columns index, identifier, names."""
    table = resources.files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line.strip()]
    assert [int(row[0]) for row in rows] == list(range(len(rows))), "labels stand in the order of their indices"
    return tuple(tuple(each.strip() for each in row[2].split(",")) for row in rows)
