"""Exported programs, `.pt2`: what `torch.export.save` writes, read as data.

`torch.export.load` unpickles parts of such a file and evaluates expressions in it as Python, so it is not
used. The graph is JSON and the weights are bytes; both are read here, with every size checked, and what
would need a pickle (custom classes, tensor subclasses) is refused. The layout is that of PyTorch's
`torch/_export/serde/schema.py`, version 8.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phosphene.errors import WeightsError

SCHEMA = 8
"""The major version of the graph's format that is understood; PyTorch 2.6 to 2.13 write it."""

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
    """What an exported program has: its graph and signature as they are written, and its tensors by name."""

    graph: Json
    signature: Json
    tensors: Mapping[str, Tensor]
    settings: Json


def read(path: Path) -> Archive:
    """The graph, tensors and settings of an exported program. Raises `WeightsError`; nothing in it is run."""
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
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
            raise WeightsError(f"{path} has a packed entry {entry.filename[:80]!r}", path=path)
        entries[entry.filename.partition("/")[2]] = entry  # behind the name of the archive's one folder
    graphs = [name for name in entries if name.startswith("models/") and name.endswith(".json")]
    if len(graphs) != 1:
        raise WeightsError(f"{path} must hold one exported program, but has {len(graphs)}", path=path)
    name = graphs[0].removeprefix("models/").removesuffix(".json")
    program = _json(archive, entries[graphs[0]], path)
    version = program["schema_version"]["major"]
    if version != SCHEMA:
        raise WeightsError(f"{path} is written in version {version}, but {SCHEMA} is read: export it again", path=path)
    tensors: dict[str, Tensor] = {}
    for folder in ("weights", "constants"):
        config = entries.get(f"data/{folder}/{name}_{folder}_config.json")
        if config is None:
            raise WeightsError(f"{path} keeps its {folder} in a pickle, as old versions do: export it again", path=path)
        for tensor, payload in _json(archive, config, path)["config"].items():
            record = entries[f"data/{folder}/{payload['path_name']}"]
            tensors[tensor] = _tensor(archive, record, payload, tensor, path)
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


def _tensor(archive: zipfile.ZipFile, record: zipfile.ZipInfo, payload: Json, name: str, path: Path) -> Tensor:
    if payload["use_pickle"]:
        raise WeightsError(f"{path} keeps {name[:80]!r} as a pickle, which is a program: it is not opened", path=path)
    meta = payload["tensor_meta"]
    shape: list[int] = [int(each["as_int"]) for each in meta["sizes"]]
    strides: list[int] = [int(each["as_int"]) for each in meta["strides"]]
    offset = int(meta["storage_offset"]["as_int"])
    dtype = DTYPES[meta["dtype"]]
    numbers = record.file_size // dtype.itemsize
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    least, count = min([offset, *shape, *strides, 0]), math.prod(shape)
    if least < 0 or count > numbers or (count > 0 and last >= numbers):
        written = " x ".join(map(str, shape))
        raise WeightsError(f"{path} has {numbers} numbers for {name[:80]!r} of {written}", path=path)
    if count == 0:
        return torch.zeros(shape, dtype=dtype)
    flat = torch.frombuffer(bytearray(archive.read(record)), dtype=dtype, count=numbers)
    tensor = flat.as_strided(shape, strides, offset)
    return tensor.float() if tensor.is_floating_point() else tensor
