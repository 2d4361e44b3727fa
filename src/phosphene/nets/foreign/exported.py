"""Exported programs as networks: `--net mynet.pt2`, no code of the network's author needed.

    program = torch.export.export(network.eval(), (torch.rand(1, 3, 224, 224),))
    torch.export.save(program, "mynet.pt2", extra_files={"phosphene.json": json.dumps({
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "labels": ["cat", "dog"]})})

Layers are named after the network's modules; steps outside any module keep the graph's names (`cat_3`).
Without `phosphene.json` pictures are normalised as those of ImageNet, as nearly all networks expect.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from phosphene.errors import SettingError, WeightsError
from phosphene.nets import learnt
from phosphene.nets.base import Net
from phosphene.nets.card import Card, InputSpec, LayerCard
from phosphene.nets.foreign import probe
from phosphene.nets.foreign.hooked import OUTPUT
from phosphene.nets.foreign.layout import ActivationFormat, recognise
from phosphene.nets.foreign.program import Program
from phosphene.nets.weights import pt2, store
from phosphene.nets.zoo.catalogue import IMAGENET_MEAN, IMAGENET_STD
from phosphene.types import Image

log = logging.getLogger(__name__)

SUFFIX = ".pt2"


@dataclass(frozen=True)
class Shown:
    """One layer: the value of the program that it is, and how that is laid out."""

    value: str
    layout: ActivationFormat


class ExportedNet(Net):
    """A graph of PyTorch's operations, run step by step and no further than to what is asked for."""

    def __init__(self, card: Card, program: Program, shown: Mapping[str, Shown], tensors: Mapping[str, Tensor]) -> None:
        super().__init__(card)
        self._program, self._shown = program, dict(shown)
        self._fixed = {name: f"fixed_{index}" for index, name in enumerate(program.fixed)}
        for name, own in self._fixed.items():
            tensor = tensors[program.fixed[name]]
            if tensor.is_floating_point():
                self.register_parameter(own, nn.Parameter(tensor, requires_grad=False))
            else:
                self.register_buffer(own, tensor)

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        wanted = {name: self._shown[self.card.layer(name).name] for name in layers}
        size = (image.shape[-2], image.shape[-1])
        values = {each.value for each in wanted.values()}
        if not self._program.works_for(values, size):
            height, width = self._program.size
            raise SettingError(
                f"{self.card.name} was exported for pictures of {width} x {height} pixels only, but was given one of "
                f"{size[1]} x {size[0]}: choose a layer further down, or export it with dynamic_shapes",
                setting="size",
                value=size,
            )
        x = self.card.normalise(image).to(next(self.parameters()).dtype)
        fixed = {name: getattr(self, own) for name, own in self._fixed.items()}
        found = [self._program.run(each, fixed, values) for each in ([x] if self._program.batches else x.split(1))]
        return {
            name: each.layout.apply(torch.cat([part[each.value] for part in found]), size)
            for name, each in wanted.items()
        }

    def head(self, pooled: Tensor) -> Tensor:
        raise AssertionError("a network whose card has no `pooled` computes its classes from the whole picture")

    def measured(self) -> ExportedNet:
        """Return the same network with the receptive fields of its layers on its card."""
        far = (self._program.size[0] + 1, self._program.size[1] + 1)
        names = [
            name
            for name, each in self._shown.items()
            if each.layout.kind in ("first", "last") and self._program.works_for({each.value}, far)
        ]
        if not names:
            return self
        try:
            fields = probe.fields(lambda strip: self(strip, names))
        except probe.RunError as problem:  # it can do without
            log.info("%s has no receptive fields: %s", self.card.name, problem)
            return self
        layers = {key: replace(each, receptive=fields.get(each.name)) for key, each in self.card.layers.items()}
        tensors = {self._program.fixed[name]: getattr(self, own) for name, own in self._fixed.items()}
        return ExportedNet(replace(self.card, layers=layers), self._program, self._shown, tensors)


def load(
    path: Path,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] = (),
) -> Net:
    """Load the network of an exported program; `mean`, `std` and `labels` take precedence over those in the file.

    Raises `WeightsError` for a file that is not an exported program, or one that does more than compute;
    nothing in it is unpickled or evaluated.
    """
    archive = pt2.read(path)
    if learnt.KEY in archive.settings:
        return learnt.from_archive(archive, path)
    try:
        program = Program(archive, path.name)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(
            f"{path} has a graph that cannot be understood ({type(problem).__name__}: {reason})", path=path
        ) from None
    if not any(each.is_floating_point() for each in archive.tensors.values()):
        raise WeightsError(f"{path} has no weights, so it is not a network", path=path)
    settings = archive.settings
    layers, shown = _layers(program)
    scores = layers.get(OUTPUT)
    card = Card(
        name=str(path),
        title=f"an exported program, {path.name}",
        input=InputSpec(
            mean=_colour(mean or settings.get("mean"), IMAGENET_MEAN, path),
            std=_colour(std or settings.get("std"), IMAGENET_STD, path),
            size=max(program.size),
        ),
        layers=layers,
        labels=_labels(labels or settings.get("labels") or (), scores.channels if scores else 0, path),
        classes=OUTPUT if scores else None,
        pooled=None,
        default_target=_usual_target(layers),
        source=str(path),
        sha256=store.hashes(path)["sha256"],
        licence="its author's",
    )
    return ExportedNet(card, program, shown, archive.tensors).measured()


def _layers(program: Program) -> tuple[dict[str, LayerCard], dict[str, Shown]]:
    """The layers that can be dreamt, under all their names, and by their first name the values that they
    are.
    """
    names: dict[str, list[str]] = {}
    ends = {module: step.outputs[0] for step in program.steps if step.outputs for module in step.modules}
    for module, value in ends.items():
        names.setdefault(value, []).append(module)
    layers: dict[str, LayerCard] = {}
    shown: dict[str, Shown] = {}
    for value, shape in program.shapes.items():
        layout = recognise(shape, program.size, program.others.get(value))
        if layout is None:
            continue
        # The innermost module's name comes first; a step that does not end a module has its own.
        first, *aliases = [*sorted(names.get(value, []), key=len, reverse=True), value]
        channels = layout.apply(torch.empty(shape, device="meta"), program.size).shape[1]
        card = LayerCard(first, channels, None, cost=program.work.get(value))
        shown[first] = Shown(value, layout)
        layers[first] = card
        for name in aliases:
            layers.setdefault(name, card)
    if program.output in program.shapes and len(program.shapes[program.output]) == 2:
        channels = program.shapes[program.output][1]
        layers[OUTPUT] = LayerCard(OUTPUT, channels, None, cost=program.work.get(program.output))
        shown[OUTPUT] = Shown(program.output, ActivationFormat("vector"))
    if not any(each.layout.kind != "vector" for each in shown.values()):
        raise WeightsError(f"{program.source} has no layer whose output has positions (n c h w)", path=program.source)
    return layers, shown


def _usual_target(layers: Mapping[str, LayerCard]) -> str:
    names = [name for name, each in layers.items() if name == each.name and name != OUTPUT]
    return names[len(names) * 2 // 3]


def _colour(given: object, statistics: tuple[float, float, float], path: Path) -> tuple[float, float, float]:
    if given is None:
        return statistics
    if not (
        isinstance(given, list | tuple) and len(given) == 3 and all(isinstance(each, int | float) for each in given)
    ):
        raise WeightsError(f"{path} must have three numbers for mean and std, but has {given!r}", path=path)
    red, green, blue = map(float, given)
    return red, green, blue


def _labels(given: object, classes: int, path: Path) -> tuple[tuple[str, ...], ...]:
    if not given:
        return tuple((f"class {index}",) for index in range(classes))
    if not isinstance(given, list | tuple) or len(given) != classes:
        raise WeightsError(f"{path} must have {classes} labels, but has others", path=path)
    return tuple((str(each),) for each in given)
