"""Networks that were trained here, as files: exported programs, `.pt2`, which carry their own description.

Anyone can open such a file with `torch.export.load`. phosphene itself reads it as data (`nets.weights.pt2`): the extra
file `phosphene.json` has the structure, so that the network runs on the project's own operations, and what its card
says: classes, input, activation statistics, where the data came from, and the recipe.
"""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from phosphene.errors import WeightsError
from phosphene.nets.card import ActivationStatistics, Card, InputSpec, PictureStatistics
from phosphene.nets.ops.same import SameConvolution
from phosphene.nets.weights import store
from phosphene.nets.weights.pt2 import SETTINGS, Archive
from phosphene.nets.zoo.graph import INPUT, GraphNet, Structure, Table
from phosphene.nets.zoo.table_json import TableError, from_json, to_json

KEY = "structure"
"""Of `phosphene.json`: whether a program carries its structure, as these do."""

EXPORTED = 2
"""Pictures in the batch that a program is exported with: a batch of 1 would be taken for a constant."""

DIGITS = 6
"""Significant digits of the activation statistics."""

LEVELS = 3
"""Decimals of the mean and std of the pictures that a network learnt."""

MOST_SIDE = 64
"""The most places on a side for which these are kept."""

Json = dict[str, Any]


def to_bytes(net: GraphNet, *, table: Table, facts: Json) -> bytes:
    """Return the file of a network whose batch norms are folded in, with its card and `facts` about it.

    The same network and facts give the same bytes, with the same version of PyTorch.

    Args:
        net: the network, ready for dreaming.
        table: its table.
        facts: what else to keep, as JSON: the data it learnt from, the recipe ...
    """
    text = json.dumps({**described(net.card, table), **facts}, ensure_ascii=False, indent=1)
    plain = copy.deepcopy(net).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    module = _Scores(plain)
    spec = net.card.input
    example = torch.zeros(EXPORTED, spec.channels, spec.size, spec.size)
    any_number = torch.export.Dim.AUTO
    free = {0: any_number, 2: any_number, 3: any_number}
    if any(isinstance(each, SameConvolution) for each in plain.modules()):
        # Padding that depends on the sides takes PyTorch minutes to trace. phosphene reads `text`, and takes any size.
        free = {0: any_number}
    program = torch.export.export(module, (example,), dynamic_shapes=(free,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the paths of this machine
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={SETTINGS: text})
    return file.getvalue()


def described(card: Card, table: Table) -> Json:
    """Return a network's structure and card as JSON, which `built` reads."""
    return {
        "mean": list(card.input.mean),
        "std": list(card.input.std),
        "size": card.input.size,
        "labels": [list(names) for names in card.labels],
        "mirrored": card.mirrored,
        "closest": card.closest,
        "title": card.title,
        "licence": card.licence,
        "default_target": card.default_target,
        "pooled": card.pooled,
        "classes": card.classes,
        "statistics": _statistics(card),
        "pictures": None if card.pictures is None else _pictures(card.pictures),
        KEY: to_json(table),
    }


class _Scores(nn.Module):
    """The class scores of a network for a picture that is normalised already."""

    def __init__(self, net: GraphNet) -> None:
        super().__init__()
        for index, name in enumerate(net.steps):
            self.add_module(_module_name(index), net.operation(name))
        self._steps = [(index, net.inputs(name)) for index, name in enumerate(net.steps)]
        self._names = list(net.steps)

    def forward(self, x: Tensor) -> Tensor:
        values = {INPUT: x}
        for index, inputs in self._steps:
            operation = getattr(self, _module_name(index))
            values[self._names[index]] = operation([values[each] for each in inputs], False)
        return values[self._names[-1]]


def _module_name(index: int) -> str:
    return f"step{index}"


def _statistics(card: Card) -> Json:
    found = {}
    for name, layer in card.layers.items():
        if name == layer.name and layer.statistics is not None:
            each = layer.statistics
            found[name] = [_short(numbers) for numbers in (each.mean, each.std, each.maximum)]
    return found


def _pictures(known: PictureStatistics) -> Json:
    mean, std = ([round(each, LEVELS) for each in part.flatten().tolist()] for part in (known.mean, known.std))
    return {"side": known.mean.shape[-1], "mean": mean, "std": std}


def _short(numbers: Tensor) -> list[float]:
    return [float(f"{each:.{DIGITS}g}") for each in numbers.tolist()]


def from_archive(archive: Archive, path: Path) -> GraphNet:
    """Return the network of a file that `to_bytes` wrote. Raises `WeightsError` for one that is damaged."""
    return built(archive.settings, archive.tensors, path, store.hashes(path)["sha256"])


def built(facts: Json, tensors: Mapping[str, Tensor], path: Path, sha256: str = "") -> GraphNet:
    """Return the network that `described` describes, with these tensors. Raises `WeightsError` if they do not fit."""
    try:
        return _read(facts, tensors, path, sha256)
    except (TableError, KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(f"{path} describes a network that cannot be understood ({reason})", path=path) from None


def _read(facts: Json, given: Mapping[str, Tensor], path: Path, sha256: str) -> GraphNet:
    table = from_json(facts[KEY])
    tensors: dict[str, Tensor] = {}
    for index, (name, operation) in enumerate(table.steps.items()):
        for kind, parameter in operation.named_parameters():
            tensor = given[f"{_module_name(index)}.{kind}"]
            if tensor.shape != parameter.shape or tensor.dtype != torch.float32:
                raise TableError(f"{name[:60]}.{kind} has the shape {tuple(tensor.shape)}")
            tensors[f"{name}.{kind}"] = tensor
    classes, target = _step(table, facts["classes"]), _step(table, facts["default_target"])
    pooled = None if facts["pooled"] is None else _step(table, facts["pooled"])
    structure = Structure(table, classes, pooled, target, input_size=int(facts["size"]))
    spec = InputSpec(channels=table.given, mean=_numbers(facts["mean"]), std=_numbers(facts["std"]), size=0)
    if not 0 < structure.input_size <= 1 << 14 or min(spec.std) <= 0:
        raise TableError("the size or std of its input")
    labels = tuple(tuple(str(name) for name in names) for names in facts["labels"])
    if len(labels) != table.channels(classes) or not all(labels):
        raise TableError(f"{len(labels)} labels for {table.channels(classes)} classes")
    card = structure.card(
        str(path),
        mean=spec.mean,
        std=spec.std,
        title=str(facts["title"]),
        labels=labels,
        source=str(path),
        sha256=sha256,
        licence=str(facts["licence"]),
        mirrored=facts["mirrored"] is True,
        closest=min(1.0, max(0.0, _numbers([facts["closest"]])[0])),
    )
    statistics = {name: _measured(rows, card.layer(name).channels) for name, rows in facts["statistics"].items()}
    card = replace(card, pictures=_seen(facts.get("pictures"), spec.channels))
    return structure.net(card.with_statistics(statistics), tensors)


def _step(table: Table, name: object) -> str:
    if not isinstance(name, str) or name not in table.steps:
        raise TableError(f"no step {str(name)[:60]!r}")
    return name


def _numbers(values: object) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(
        isinstance(each, int | float) and math.isfinite(each) for each in values
    ):
        raise TableError("mean or std")
    return tuple(map(float, values))


def _measured(rows: object, channels: int) -> ActivationStatistics:
    if not isinstance(rows, list) or len(rows) != 3:
        raise TableError("the activation statistics")
    mean, std, maximum = (torch.tensor(_numbers(row)) for row in rows)
    if not len(mean) == len(std) == len(maximum) == channels:
        raise TableError(f"activation statistics of {len(mean)} channels in place of {channels}")
    return ActivationStatistics(mean, std, maximum)


def _seen(known: object, channels: int) -> PictureStatistics | None:
    """Return how the pictures look that a network learnt; None for a file that does not say it."""
    if known is None:
        return None
    if not isinstance(known, dict) or not 0 < int(known["side"]) <= MOST_SIDE:
        raise TableError("what its pictures look like")
    shape = (channels, int(known["side"]), int(known["side"]))
    mean, std = (torch.tensor(_numbers(known[name])).clamp(0, 1) for name in ("mean", "std"))
    if not len(mean) == len(std) == math.prod(shape):
        raise TableError(f"means of {len(mean)} places of its pictures in place of {math.prod(shape)}")
    return PictureStatistics(mean.view(shape), std.view(shape))


FRAME = "frame-{:05d}.safetensors"
RUN = "run.json"
"""In the folder of a run: a description of the network, and its weights as they were after some of the steps."""

MOST_DESCRIBED = 1 << 25


def frame_to_bytes(net: GraphNet, facts: Mapping[str, float]) -> bytes:
    """Return the weights of a network while it learns, in half precision, with numbers such as its accuracy."""
    tensors = {
        f"{_module_name(index)}.{kind}": tensor.half().contiguous()
        for index, name in enumerate(net.steps)
        for kind, tensor in net.operation(name).state_dict().items()
    }
    return safetensors.torch.save(tensors, metadata={"facts": json.dumps(dict(sorted(facts.items())))})


def read_run(folder: Path) -> tuple[Json, list[Path]]:
    """Return the description of a run's network and the files of its frames in order. Raises `WeightsError`."""
    try:
        if (folder / RUN).stat().st_size > MOST_DESCRIBED:
            raise WeightsError(f"{folder / RUN} is too long for a description", path=folder)
        facts = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError):
        raise WeightsError(
            f"{folder} is not a run: give the folder NAME.run that learn --frames N leaves beside NAME.pt2", path=folder
        ) from None
    frames = sorted(folder.glob("frame-*.safetensors"))
    if not isinstance(facts, dict) or not frames:
        raise WeightsError(f"{folder} has no frames yet: learn leaves them with --frames N", path=folder)
    return facts, frames


def read_frame(facts: Json, path: Path) -> tuple[GraphNet, dict[str, float]]:
    """Return a run's network as it was in the frame at `path`, and what was known of it. Raises `WeightsError`."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            known = json.loads((file.metadata() or {}).get("facts", "{}"))
        numbers = {str(name): float(each) for name, each in known.items()}
    except (OSError, ValueError, TypeError, AttributeError, safetensors.SafetensorError) as problem:
        raise WeightsError(f"{path} is not a frame of a run ({problem})", path=path) from None
    return built(facts, tensors, path), numbers


def facts_of(path: Path) -> Mapping[str, Any]:
    """Return what `phosphene.json` in an exported program says; empty where there is none. Raises `WeightsError`."""
    from phosphene.nets.weights import pt2

    return pt2.read(path).settings
