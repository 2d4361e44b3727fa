"""Networks written as a table of named steps, run only as far as needed.

All the famous networks use it: a step names its inputs, so a layer's receptive field, its cost and the steps that it
needs follow from the table.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from phosphene.nets.base import Net
from phosphene.nets.card import Card, InputSpec, LayerCard, SoundSpec
from phosphene.nets.ops.batch_norm import add_batch_norm
from phosphene.nets.ops.modules import Dense, Operation
from phosphene.nets.receptive import Field
from phosphene.types import Image

INPUT = "image"
"""The name of the image as an input of steps."""


@dataclass(frozen=True)
class Fusion:
    """An operation that computes a step from `source` in place of the steps `inner`, which nothing else needs.

    It is used unless one of those is asked for.
    """

    operation: Operation
    source: str
    inner: tuple[str, ...]


@dataclass
class Table:
    """A network's steps in order.

    >>> from phosphene.nets.ops.modules import Convolution
    >>> table = Table()
    >>> table.add("conv1", Convolution(3, 8, 3, stride=2, padding=1))
    'conv1'
    >>> table.channels("conv1"), table.layer_cards()["conv1"].receptive
    (8, Field(start=-1, size=3, stride=2))
    """

    steps: dict[str, Operation] = field(default_factory=dict)
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    given: int = 3
    fusions: dict[str, Fusion] = field(default_factory=dict)
    _last: str = INPUT

    def add(self, name: str, operation: Operation, *inputs: str) -> str:
        """Append a step, by default after the one added last, and return its name."""
        assert name not in self.steps, f"{name} is there already"
        self.steps[name] = operation
        self.inputs[name] = inputs or (self._last,)
        assert all(each == INPUT or each in self.steps for each in self.inputs[name]), "steps are in order"
        self._last = name
        return name

    def channels(self, name: str) -> int:
        """Return the number of channels of a step's output."""
        return self.given if name == INPUT else self.steps[name].channels

    def layer_cards(self) -> dict[str, LayerCard]:
        """Return the card of every step, under its name and its aliases."""
        rows, columns = self._fields(axis=0), self._fields(axis=1)
        cards: dict[str, LayerCard] = {}
        spent: dict[str, float] = {}
        for name, operation in self.steps.items():
            row, column = rows[name], columns[name]
            reach = row.union(column) if row and column else None  # a field is square
            spent[name] = operation.work / reach.stride**2 if reach else 0.0
            cost = sum(spent[each] for each in needed(self.inputs, [name]))
            cards[name] = LayerCard(name, operation.channels, reach, cost=cost)
        return cards | {alias: cards[name] for alias, name in self.aliases.items()}

    def _fields(self, axis: int) -> dict[str, Field | None]:
        fields: dict[str, Field | None] = {INPUT: Field()}
        for name, operation in self.steps.items():
            seen = [each for each in (fields[source] for source in self.inputs[name]) if each is not None]
            fields[name] = operation.field(seen, axis) if seen else None
        return fields


def needed(inputs: Mapping[str, tuple[str, ...]], names: Collection[str]) -> list[str]:
    """Return the steps that `names` depend on, and `names`, in order; `inputs` lists each step's, in order.

    >>> needed({"a": (INPUT,), "b": ("a",), "c": ("a",)}, ["c"])
    ['a', 'c']
    """
    wanted = set(names)
    for name in reversed(list(inputs)):
        if name in wanted:
            wanted.update(inputs[name])
    return [name for name in inputs if name in wanted]


@dataclass(frozen=True)
class _Move:
    """One step of a run: its operation and inputs, whether it may overwrite the first, and the values not needed
    after it.
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    spare: bool
    done_with: tuple[str, ...]


G = TypeVar("G", bound="GraphNet")  # `Self` is not checked at run time


class GraphNet(Net):
    """A network that a table describes; its weights are those of the table's operations."""

    def __init__(self, card: Card, table: Table) -> None:
        super().__init__(card)
        self._index = {name: index for index, name in enumerate(table.steps)}
        self._operations = nn.ModuleList(table.steps.values())
        self._inputs = dict(table.inputs)
        self._fusions = dict(table.fusions)
        self._plans: dict[frozenset[str], list[_Move]] = {}

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights as `Structure.net` takes them: `NAME.weight` and `NAME.bias` of each step."""
        found = {}
        for name in self.steps:
            for kind, tensor in self.operation(name).state_dict().items():
                found[f"{name}.{kind}"] = tensor
        return found

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the network's steps, in order."""
        return tuple(self._index)

    def operation(self, name: str) -> Operation:
        """Return the step called `name`."""
        found = self._operations[self._index[name]]
        assert isinstance(found, Operation)
        return found

    def modules_of(self, layer: str) -> list[nn.Module]:
        fused = [self._fusions[layer].operation] if layer in self._fusions else []
        return [self.operation(layer), *fused] if layer in self._index else []

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        wanted = {name: self.card.layer(name).name for name in layers}
        x = self.card.normalise(image).to(self.dtype, memory_format=torch.channels_last)
        values = {INPUT: x}
        for move in self._plan(frozenset(wanted.values())):
            values[move.name] = move.operation([values[each] for each in move.inputs], move.spare)
            for name in move.done_with:
                del values[name]
        return {name: values[step] for name, step in wanted.items()}

    def split(self, layers: Collection[str], stride: int) -> tuple[str, Net] | None:
        wanted = {self.card.layer(name).name for name in layers}
        plan = self._plan(frozenset(wanted))
        last_use = {source: place for place, move in enumerate(plan) for source in move.inputs}
        furthest = last_use[INPUT]
        for place, move in enumerate(plan[:-1]):
            alone = furthest <= place  # nothing before this step is needed after it
            furthest = max(furthest, last_use.get(move.name, 0))
            if move.name in wanted:
                return None
            receptive = self.card.layer(move.name).receptive
            if receptive is None:
                return None
            if alone and receptive.stride >= stride:
                return move.name, self._after(move.name, wanted)
        return None

    def _after(self, start: str, wanted: Collection[str]) -> GraphNet:
        """Return the steps from `start` to `wanted` as a network whose image is what `start` gives."""
        before = set(needed(self._inputs, [start]))
        table = Table(given=self.card.layer(start).channels)
        for name in needed(self._inputs, wanted):
            if name not in before:
                table.add(
                    name, self.operation(name), *(INPUT if each == start else each for each in self._inputs[name])
                )
        for name, fusion in self._fusions.items():
            if name in table.steps:
                source = INPUT if fusion.source == start else fusion.source
                table.fusions[name] = replace(fusion, source=source)
        cards = table.layer_cards()
        layers = {alias: cards[layer.name] for alias, layer in self.card.layers.items() if layer.name in cards}
        channels, seen = table.given, self.card.layer(start).receptive
        assert seen is not None, "a network is split at a layer with positions"
        spec = InputSpec(
            channels=channels,
            mean=(0.0,) * channels,
            std=(1.0,) * channels,
            axes=self.card.input.axes,
            size=math.ceil(self.card.input.size / seen.stride),
        )
        return GraphNet(replace(self.card, input=spec, layers=layers), table)

    def converted(self: G, dtype: torch.dtype) -> G:
        copied = copy.deepcopy(self)
        for name in copied.steps:
            copied.operation(name).round_weights(dtype)
        return copied.to(dtype)

    def head(self, pooled: Tensor) -> Tensor:
        classifier = self.operation(str(self.card.classes))
        assert isinstance(classifier, Dense), "a network with `pooled` computes its classes from that mean"
        return classifier.apply_to(pooled)

    def inputs(self, name: str) -> tuple[str, ...]:
        """Return the names of a step's inputs."""
        return self._inputs[name]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return next(self.parameters()).dtype

    def _plan(self, wanted: frozenset[str]) -> list[_Move]:
        if wanted not in self._plans:
            fusions = {name: each for name, each in self._fusions.items() if wanted.isdisjoint(each.inner)}
            inside = {inner for each in fusions.values() for inner in each.inner}
            inputs = {
                name: (fusions[name].source,) if name in fusions else given
                for name, given in self._inputs.items()
                if name not in inside
            }
            steps = needed(inputs, wanted)
            last_use = {source: name for name in steps for source in inputs[name]}
            operations = {name: fusions[name].operation if name in fusions else self.operation(name) for name in steps}
            self._plans[wanted] = [self._move(name, operations[name], inputs[name], last_use, wanted) for name in steps]
        return self._plans[wanted]

    def _move(
        self,
        name: str,
        operation: Operation,
        inputs: tuple[str, ...],
        last_use: Mapping[str, str],
        wanted: frozenset[str],
    ) -> _Move:
        done_with = tuple(each for each in dict.fromkeys(inputs) if last_use[each] == name and each not in wanted)
        spare = inputs[0] in done_with and inputs.count(inputs[0]) == 1 and inputs[0] != INPUT
        return _Move(name, operation, inputs, spare, done_with)


@dataclass(frozen=True)
class Structure:
    """A network without weights: its table, the facts for its card, its batch norms' epsilon, and how it hears."""

    table: Table
    classes: str
    pooled: str | None
    default_target: str
    input_size: int
    epsilon: float = 1e-5
    sound: SoundSpec | None = None

    def card(
        self,
        name: str,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        title: str = "",
        labels: tuple[tuple[str, ...], ...] = (),
        identifiers: tuple[str, ...] = (),
        source: str = "",
        sha256: str = "",
        licence: str = "",
        mirrored: bool = True,
        closest: float = 0.0,
    ) -> Card:
        """Return the card of a network with this structure, and with these facts."""
        return Card(
            name=name,
            title=title,
            input=InputSpec(
                channels=len(mean),
                mean=mean,
                std=std,
                axes=("height", "width") if self.sound is None else ("time", "frequency"),
                size=self.input_size,
                sound=self.sound,
            ),
            layers=self.table.layer_cards(),
            labels=labels,
            identifiers=identifiers,
            classes=self.classes,
            pooled=self.pooled,
            default_target=self.default_target,
            source=source,
            sha256=sha256,
            licence=licence,
            mirrored=mirrored,
            closest=closest,
        )

    def untrained(self, card: Card, *, with_batch_norm: bool = False) -> GraphNet:
        """Return a new network for training, its weights drawn by PyTorch from its global generator.

        Args:
            card: the network's card.
            with_batch_norm: follow each convolution by a batch norm; `ops.batch_norm.fold_batch_norm` gives the
                network for dreaming.
        """
        net = GraphNet(card, copy.deepcopy(self.table))
        if with_batch_norm:
            add_batch_norm(net, self.epsilon)
        net.to_empty(device="cpu")
        for name in self.table.steps:
            net.operation(name).reset_parameters()
        return net

    def net(self, card: Card, tensors: Mapping[str, Tensor]) -> GraphNet:
        """Return a network ready for dreaming with the weights `NAME.weight` and `NAME.bias`, which may be shared."""
        net = GraphNet(card, copy.deepcopy(self.table))
        for name in self.table.steps:
            operation = net.operation(name)
            for kind, parameter in list(operation.named_parameters()):
                tensor = tensors[f"{name}.{kind}"]
                assert tensor.shape == parameter.shape, f"{name}.{kind} was checked when it was read"
                setattr(operation, kind, nn.Parameter(tensor, requires_grad=False))
        return net.for_dreaming()
