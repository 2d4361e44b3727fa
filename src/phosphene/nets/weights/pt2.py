"""Exported programs, `.pt2`: what `torch.export.save` writes, read as data.

`torch.export.load` unpickles parts of such a file and evaluates expressions in it as Python, so it is not
used. The graph is JSON and the weights are bytes; both are read here, with every size checked, and what
would need a pickle (custom classes, tensor subclasses) is refused. The layout is that of PyTorch's
`torch/_export/serde/schema.py`, version 8.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.weights.regular import check_regular

SCHEMA = 8
"""The major version of the graph's format that is understood; PyTorch 2.6 to 2.13 write it."""

OLDEST_TORCH, NEWEST_TORCH = (2, 6), (2, 13)
"""The PyTorch versions whose files are known to use only operations as this reader runs them."""

MOST_EXPANDED = 4
"""Bytes of all tensors for each byte of the file: 16-bit weights double, and tied ones count twice."""

MOST_JSON = 1 << 25
"""Bytes of a graph's text: ten times that of a large network."""

SETTINGS = "phosphene.json"
"""An extra file in the archive in which mean, std and labels can be given."""

DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""The serialised numbers of types."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Archive:
    """The contents of an exported program: its graph and signature as they are written, and its tensors by name."""

    graph: Json
    signature: Json
    tensors: Mapping[str, Tensor]
    settings: Json


def read(path: Path) -> Archive:
    """Read the graph, tensors and settings of an exported program; run nothing in it. Raise `WeightsError`."""
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _contents(archive, path)
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}", path=path) from None
    except (OSError, zipfile.BadZipFile, NotImplementedError) as problem:
        raise WeightsError(f"{path} is not an exported program: {problem}", path=path) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, RuntimeError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(
            f"{path} is not an exported program that can be read ({type(problem).__name__}: {reason})", path=path
        ) from None


def _contents(archive: zipfile.ZipFile, path: Path) -> Archive:
    size = path.stat().st_size
    entries = {}
    total = 0
    for entry in archive.infolist():
        total += entry.file_size
        if total > size:
            raise WeightsError(f"{path} has entries of more bytes in all than its own {size}: it is damaged", path=path)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
            raise WeightsError(f"{path} has a packed entry {entry.filename[:80]!r}", path=path)
        entries[entry.filename.partition("/")[2]] = entry  # after the name of the archive's one folder
    graphs = [name for name in entries if name.startswith("models/") and name.endswith(".json")]
    if len(graphs) != 1:
        raise WeightsError(f"{path} must hold one exported program, but has {len(graphs)}", path=path)
    name = graphs[0].removeprefix("models/").removesuffix(".json")
    program = _json(archive, entries[graphs[0]], path)
    _check_torch(program.get("torch_version"), path)
    version = program["schema_version"]["major"]
    if version != SCHEMA:
        raise WeightsError(f"{path} is written in version {version}, but {SCHEMA} is read: export it again", path=path)
    tensors: dict[str, Tensor] = {}
    storages: dict[str, bytearray] = {}
    left = MOST_EXPANDED * size
    for folder in ("weights", "constants"):
        config = entries.get(f"data/{folder}/{name}_{folder}_config.json")
        if config is None:
            raise WeightsError(f"{path} keeps its {folder} in a pickle, as old versions do: export it again", path=path)
        for tensor, payload in _json(archive, config, path)["config"].items():
            record = entries[f"data/{folder}/{payload['path_name']}"]
            if record.filename not in storages:
                storages[record.filename] = bytearray(archive.read(record))
            tensors[tensor] = _tensor(storages[record.filename], payload, tensor, path)
            left -= tensors[tensor].numel() * tensors[tensor].element_size()
            if left < 0:
                raise WeightsError(f"{path} has tensors of far more bytes than its own {size}", path=path)
    extra = entries.get(f"extra/{SETTINGS}")
    settings = _json(archive, extra, path) if extra else {}
    module = program["graph_module"]
    return Archive(module["graph"], module["signature"], tensors, settings)


def _json(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> Json:
    if entry.file_size > MOST_JSON:
        raise WeightsError(f"{path} has {entry.file_size} bytes of text in {entry.filename[:80]!r}", path=path)
    found = json.loads(archive.read(entry))
    if not isinstance(found, dict):
        raise WeightsError(f"{path} has no object in {entry.filename[:80]!r}", path=path)
    return found


def _check_torch(version: object, path: Path) -> None:
    """Raise `WeightsError` if the file was written by a PyTorch whose operations are not known to this reader."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if found and not OLDEST_TORCH <= (int(found[1]), int(found[2])) <= NEWEST_TORCH:
        known = " to ".join(".".join(map(str, each)) for each in (OLDEST_TORCH, NEWEST_TORCH))
        raise WeightsError(
            f"{path} was written by PyTorch {found[0]}, but files of {known} can be read: export it with one of these",
            path=path,
        )


def _tensor(storage: bytearray, payload: Json, name: str, path: Path) -> Tensor:
    if payload["use_pickle"]:
        raise WeightsError(f"{path} keeps {name[:80]!r} as a pickle, which is a program: it is not opened", path=path)
    meta = payload["tensor_meta"]
    shape: list[int] = [int(each["as_int"]) for each in meta["sizes"]]
    strides: list[int] = [int(each["as_int"]) for each in meta["strides"]]
    offset = int(meta["storage_offset"]["as_int"])
    dtype = DTYPES[meta["dtype"]]
    numbers = len(storage) // dtype.itemsize
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    least, count = min([offset, *shape, *strides, 0]), math.prod(shape)
    if least < 0 or count > numbers or (count > 0 and last >= numbers):
        written = " x ".join(map(str, shape))
        raise WeightsError(f"{path} has {numbers} numbers for {name[:80]!r} of {written}", path=path)
    if count == 0:
        return torch.zeros(shape, dtype=dtype)
    flat = torch.frombuffer(storage, dtype=dtype, count=numbers)
    tensor = flat.as_strided(shape, strides, offset)
    return tensor.float() if tensor.is_floating_point() else tensor
