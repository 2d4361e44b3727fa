"""Objectives on a layer's own activations: the whole layer, a channel, a neuron, a class.

Scores are means over positions in units of each channel's std on photographs, so that in `a + b` neither drowns out
the other and no layer is dominated by a few strong channels. Where a net's statistics are unknown, they are in the
activations' own units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from phosphene.errors import SettingError, UnknownNameError
from phosphene.nets.card import ActivationStatistics
from phosphene.objectives.base import Leaf, ResolveContext, unfit
from phosphene.objectives.level import channel_std, inverse_variance
from phosphene.objectives.name import write_name, write_number
from phosphene.objectives.squares import accumulator, channel_squares
from phosphene.types import Features, Logits, Region, Scores

ANY = "any"
"""What follows a word above labels if any one of them will do: `dog:any`."""

FLOOR = 0.05
"""Mean square response, in variances (or of the median channel), that is added before the logarithm: a channel far
below it gains no more than one at it, so that what the picture does not show is not forced into it."""


@final
@dataclass(frozen=True)
class Word(Leaf):
    """A bare name before it is resolved: a layer if the net has one of this name, otherwise a class.

    `any` is that of `Class`.
    """

    name: str
    any: bool = field(default=False, kw_only=True)
    layer: str = field(default="", init=False, compare=False, repr=False)
    statistics: ActivationStatistics | None = field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name(self.name, "a target")

    def reduce(self, activation: Features | Logits, region: Region | None = None) -> Scores:
        raise unfit(f"only a net can say what {str(self)!r} is: call resolve(...) first", self)

    def resolved(self, context: ResolveContext) -> Leaf:
        card = context.card
        if self.name in card.layers:
            if self.any:
                raise unfit(f"{self.name!r} is a layer: any follows words above labels, such as dog", self)
            return Layer(self.name).resolved(context)
        if _is_class(self.name, context):
            return Class(self.name, any=self.any).resolved(context)
        for position in (i for i, letter in enumerate(self.name) if letter == "-"):
            left, right = self.name[:position], self.name[position + 1 :]
            if all(name in card.layers or _is_class(name, context) for name in (left, right)):
                raise unfit(f"{self.name!r} is one name: put spaces about the minus, '{left} - {right}'", self)
        if card.classes is None:
            raise UnknownNameError("layer", self.name, card.layers, where=f"net {card.name!r}")
        known = [*card.layers, *card.words()]
        raise UnknownNameError("layer or label", self.name, known, where=card.place_of(self.name))

    def __str__(self) -> str:
        return f"{_write_first(self.name)}:{ANY}" if self.any else write_name(self.name, first=True)


@final
@dataclass(frozen=True)
class Layer(Leaf):
    """A whole layer: more of whatever it sees, each channel in proportion to its response.

    The mean over channels of the logarithm of a channel's root mean square response, in stds; channels that hardly
    respond to photographs are left out. This is the L2 objective
    of Mordvintsev, Olah and Tyka, "Inceptionism" (2015), with the channels equalised: its gradient is theirs with each
    channel divided by its own energy, so that a few channels that respond everywhere (to dots, say) cannot take over
    the whole picture. Where statistics are not wanted (`summed`), it is 2015's own: half the sum of squares.
    """

    layer: str
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False)
    summed: bool = field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name(self.layer, "a layer")

    @property
    def linear(self) -> bool:
        return self.summed

    def reduce(self, activation: Features | Logits, region: Region | None = None) -> Tensor:
        activation = with_positions(activation)
        squares = channel_squares(activation)
        if self.summed:
            return 0.5 * squares.sum(dim=1)
        if self.statistics is not None:
            squares = squares * inverse_variance(self.statistics).to(squares)
        return squares / positions(activation, region)

    def finalize(self, sums: Tensor) -> Scores:
        if self.summed:
            return sums
        if self.statistics is None:
            floor = FLOOR * sums.median(dim=1, keepdim=True).values.expand_as(sums)
            heard = torch.ones(sums.shape[1])
        else:
            floor, heard = torch.full_like(sums, FLOOR), inverse_variance(self.statistics) > 0
        tiny = torch.finfo(sums.dtype).tiny  # a layer that is silent everywhere
        share = (heard / heard.sum()).to(sums)
        return 0.5 * (sums + floor + tiny).log() @ share

    def resolved(self, context: ResolveContext) -> Layer:
        return replace(self, statistics=context.statistics(self.layer), summed=not context.normalised)

    def __str__(self) -> str:
        return write_name(self.layer, first=True)


@final
@dataclass(frozen=True)
class Channel(Leaf):
    """One channel of a layer: the mean of its response over positions, in stds."""

    layer: str
    index: int
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name(self.layer, "a layer")
        _check_index(self.index)

    def reduce(self, activation: Features | Logits, region: Region | None = None) -> Scores:
        activation = with_positions(activation)
        total = activation[:, self.index].sum(dim=(1, 2), dtype=accumulator(activation))
        return total / (positions(activation, region) * channel_std(self.statistics, self.index))

    def resolved(self, context: ResolveContext) -> Channel:
        statistics = context.statistics(self.layer)
        context.check_channel(self, self.index)
        return replace(self, statistics=statistics)

    def __str__(self) -> str:
        return _write_channel(self.layer, self.index)


@final
@dataclass(frozen=True)
class Neuron(Leaf):
    """One channel at one position, x from the left and y from the top, each from 0 to 1, in stds.

    Of `width` positions it is number `min(int(x * width), width - 1)`, and so for y.
    """

    layer: str
    index: int
    x: float
    y: float
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False)
    placed_views: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_name(self.layer, "a layer")
        _check_index(self.index)
        for axis, place in (("x", self.x), ("y", self.y)):
            if isinstance(place, bool) or not isinstance(place, int | float) or not 0 <= place <= 1:
                raise SettingError(f"a neuron's {axis} must be from 0 to 1, {place!r} given", setting=axis, value=place)
            object.__setattr__(self, axis, abs(float(place)))  # abs: -0.0 is 0, and a minus has no place in the text

    def reduce(self, activation: Features, region: Region | None = None) -> Scores:
        height, width = activation.shape[-2:]
        whole = region or Region(0, 0, height, width)
        top = min(int(self.y * whole.height), whole.height - 1) - whole.top
        left = min(int(self.x * whole.width), whole.width - 1) - whole.left
        # Outside of this region the slice is empty; its sum is 0 and still part of the graph, with gradient
        # 0.
        here = activation[:, self.index, max(top, 0) : max(top + 1, 0), max(left, 0) : max(left + 1, 0)]
        return here.sum(dim=(1, 2), dtype=accumulator(activation)) / channel_std(self.statistics, self.index)

    def resolved(self, context: ResolveContext) -> Neuron:
        statistics = context.statistics(self.layer)
        context.check_channel(self, self.index)
        if not context.has_positions(self.layer):
            channel = _write_channel(self.layer, self.index)
            raise unfit(f"{self.layer} has no positions for a neuron: ask for its channel, {channel!r}", self)
        return replace(self, statistics=statistics)

    def __str__(self) -> str:
        return f"{_write_channel(self.layer, self.index)}@{write_number(self.x)},{write_number(self.y)}"


@final
@dataclass(frozen=True)
class Class(Leaf):
    """A class by its label or index, or all classes under a word: the logit minus half the log-sum-exp of all, in stds.

    The logit alone also rises when all of them do; the full log-probability rises more easily by suppressing the
    other classes than by drawing this one. With half of it, the pocket network's pictures looked best.

    A word that stands above labels (a hypernym in WordNet, as dog above its breeds) has the mean of its classes' logits
    in place of the logit: what they have in common rises, and what tells one from the others does not. With `any` it
    has the log-sum-exp of its classes' logits, the gradient of which is nearly all the class's that leads.
    """

    label: str
    any: bool = field(default=False, kw_only=True)
    layer: str = field(default="", compare=False, repr=False)
    indices: tuple[int, ...] = field(default=(), compare=False, repr=False)
    statistics: ActivationStatistics | None = field(default=None, compare=False, repr=False)
    spatial: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_name(self.label, "a class")

    def reduce(self, activation: Logits, region: Region | None = None) -> Scores:
        assert region is None, "a class is scored on the whole picture"
        logits = activation.to(accumulator(activation))
        mine = logits[:, list(self.indices)]
        level = mine.logsumexp(dim=1) if self.any else mine.mean(dim=1)
        std = sum(channel_std(self.statistics, index) for index in self.indices) / len(self.indices)
        return (level - 0.5 * logits.logsumexp(dim=1)) / std

    def resolved(self, context: ResolveContext) -> Class:
        card = context.card
        if card.classes is None:
            raise unfit(f"net {card.name!r} has no classes to look for {str(self)!r}: name a layer", self)
        classes = len(card.labels)
        if self.label.isdecimal() and int(self.label[:9]) >= classes:
            raise unfit(f"{card.name} has classes 0 to {classes - 1}, {self.label} was asked for", self)
        indices = card.find_labels(self.label)
        if len(indices) == classes > 1:
            raise unfit(f"{self.label!r} stands above every label of net {card.name!r}: choose a narrower word", self)
        return replace(self, layer=card.classes, indices=indices, statistics=context.statistics(card.classes))

    def __str__(self) -> str:
        return f"class:{write_name(self.label)}{f':{ANY}' if self.any else ''}"


def with_positions(activation: Features | Logits) -> Features:
    """Return a layer without positions as one of a single position; others unchanged."""
    return activation[:, :, None, None] if activation.ndim == 2 else activation


def positions(activation: Features, region: Region | None) -> int:
    """Return how many positions the whole layer has, of which this may be a region."""
    return region.height * region.width if region else math.prod(activation.shape[-2:])


def check_name(name: str, what: str) -> None:
    """Raise `SettingError` for what cannot be a name."""
    if not isinstance(name, str) or not name:
        raise SettingError(f"{what} is named by a text that is not empty, {name!r} given", setting=what, value=name)


def _check_index(index: int) -> None:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < 10**9:
        raise SettingError(f"a channel is a whole number from 0, {index!r} given", setting="index", value=index)


def _write_channel(layer: str, index: int) -> str:
    return f"{_write_first(layer)}:{index}"


def _write_first(name: str) -> str:
    """Return a name as written before a colon: `class:13` is a class, and a layer that is called class is quoted."""
    return '"class"' if name == "class" else write_name(name, first=True)


def _is_class(name: str, context: ResolveContext) -> bool:
    if context.card.classes is None:
        return False
    try:
        context.card.find_labels(name)
    except UnknownNameError:
        return False
    return True
