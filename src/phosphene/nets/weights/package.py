"""The files that come with phosphene: the bundled networks' tensors, and tables of labels and words."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "phosphene.nets.zoo"
SYNSET = re.compile("n[0-9]{8}")


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


@cache
def labels(name: str) -> tuple[tuple[str, ...], ...]:
    """Return each class's names, from a table of the package with columns index, identifier, names."""
    return tuple(tuple(each.strip() for each in names.split(",")) for _, names in _classes(name))


@cache
def synsets(name: str) -> tuple[str, ...]:
    """Return the id of each class's WordNet synset from such a table, empty for a class without one."""
    return tuple(identifier if SYNSET.fullmatch(identifier) else "" for identifier, _ in _classes(name))


def rows(name: str) -> list[list[str]]:
    """Return the rows of a table of the package, each as its columns."""
    table = resources.files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in table.splitlines() if line.strip()]


def _classes(name: str) -> list[tuple[str, str]]:
    found = rows(name)
    assert [int(row[0]) for row in found] == list(range(len(found))), "labels stand in the order of their indices"
    return [(row[1], row[2]) for row in found]
