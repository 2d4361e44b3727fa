"""PyTorch's state dicts, `.pth` and `.pt`, in the zip format and in the one before it.

A state dict is a pickle, and a pickle is a program. PyTorch's restricted reader (`weights_only=True`) runs
it, and before that the program is looked through here: it may name nothing but tensors and dictionaries,
and claim no more numbers than the file has bytes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from phosphene.errors import WeightsError

ALLOWED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_tensor_v2|torch\._utils _rebuild_parameter"
    r"|torch (Float|Double|Half|BFloat16|Long|Int|Short|Char|Byte|Bool)Storage"
)
"""The names that the pickle of a state dict may contain."""

REFUSED = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "STACK_GLOBAL", "PERSID"}
"""Opcodes that name or construct other objects, which state dicts do not need."""

MOST_PICKLE = 1 << 21
"""The most bytes in a pickle without its tensors: twenty times as many as in the largest network here."""

MAGIC = 0x1950A86A20F9469CFC6C
"""The mark with which the old format begins, the one large number in a state dict."""

LEAST_LIMIT = 4096
"""Even the smallest file has a version of 1001 in it."""

LEGACY_PICKLES = 5
"""In the old format the tensors come after five pickles: a mark, a version, the system, the dict, the
keys.
"""


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a state dict, by name. Raises `WeightsError`; no code in the file is run."""
    try:
        _look_through(path)
        with path.open("rb") as file:  # given a path, PyTorch may go by its suffix
            found = torch.load(file, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    # PyTorch's reader answers damaged files with nearly every exception there is.
    except Exception as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(
            f"{path} is not a state dict that can be read safely ({type(problem).__name__}: {reason})", path=path
        ) from None
    return _tensors(found, path)


def _tensors(found: object, path: Path) -> dict[str, Tensor]:
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict):
        raise WeightsError(f"{path} holds a {type(found).__name__}, not a state dict", path=path)
    for name, tensor in found.items():
        plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided and not tensor.is_quantized
        if not (isinstance(name, str) and plain and tensor.device.type == "cpu"):
            raise WeightsError(f"{path} has under {str(name)[:80]!r} no plain tensor", path=path)
    return {name: tensor.detach() for name, tensor in found.items()}


def _look_through(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"  # as PyTorch tells the two formats apart
    if zipped:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in entries:
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
                    raise WeightsError(f"{path} has a packed entry {entry.filename[:80]!r}", path=path)
            pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
            if not pickles or any(entry.file_size > MOST_PICKLE for entry in pickles):
                raise WeightsError(f"{path} is not a state dict: it has no pickle of a fitting size", path=path)
            for entry in pickles:
                _check(io.BytesIO(archive.read(entry)), 1, size, path)
        return
    with path.open("rb") as file:
        _check(io.BytesIO(file.read(MOST_PICKLE)), LEGACY_PICKLES, size, path)


def _check(data: io.BytesIO, count: int, size: int, path: Path) -> None:
    """Examine `count` pickles, one after the other."""
    for _ in range(count):
        for name, argument in _opcodes(data, path):
            if name in REFUSED or (name == "GLOBAL" and not ALLOWED.fullmatch(str(argument))):
                what = f"{name} {argument}" if argument is not None else name
                raise WeightsError(
                    f"{path} names {what[:80]!r}, which no state dict needs: it is not opened", path=path
                )
            if isinstance(argument, int) and argument != MAGIC and abs(argument) > max(size, LEAST_LIMIT):
                raise WeightsError(f"{path} claims {argument} numbers, but has only {size} bytes", path=path)


def _opcodes(data: io.BytesIO, path: Path) -> Iterator[tuple[str, object]]:
    try:
        for opcode, argument, _ in pickletools.genops(data):
            yield opcode.name, argument
    except (ValueError, IndexError, pickle.UnpicklingError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(f"{path} is not a state dict ({reason})", path=path) from None
