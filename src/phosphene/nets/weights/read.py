"""Read a model file of any format, which is recognised by its first bytes and not by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.weights import caffe, pytorch, safetensors, tensorflow
from phosphene.nets.weights.regular import check_regular

Format = Literal["caffe", "tensorflow", "pytorch", "safetensors"]

HEADER = 16


@dataclass(frozen=True)
class Contents:
    """The contents of a model file: tensors by name, and for frozen graphs the numeric attributes of nodes."""

    format: Format
    tensors: Mapping[str, Tensor]
    attributes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def read(path: Path) -> Contents:
    """Read a model file of any format. Raises `WeightsError`, `MissingExtraError`; no code in it is run."""
    format = sniff(path)
    if format == "tensorflow":
        graph = tensorflow.read(path)
        return Contents(format, graph.tensors, graph.attributes)
    reader = {"caffe": caffe.read, "pytorch": pytorch.read, "safetensors": safetensors.read}[format]
    return Contents(format, reader(path))


def sniff(path: Path) -> Format:
    """Recognise the format of a model file by its first bytes. Raises `WeightsError` if it is not a known one."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEADER)
        size = path.stat().st_size
    except OSError as problem:
        raise WeightsError(f"{path} cannot be read: {problem.strerror or problem}", path=path) from None
    if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return "pytorch"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size:
        return "safetensors"
    # A frozen graph begins with a node, whose first field is its name; a Caffe network with its own name or
    # a layer.
    if head[:1] == b"\n" and b"\n" in head[2:5]:
        return "tensorflow"
    if head[:1] in (b"\n", b"\x12") or head[:2] == b"\xa2\x06":
        return "caffe"
    raise WeightsError(
        f"{path} is not a model file: neither a state dict, safetensors, a Caffe model nor a frozen graph",
        path=path,
    )
