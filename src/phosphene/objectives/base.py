"""The algebra of objectives: frozen expressions that are sums of scaled leaves, and always linear in them.

    Objective
    ├── Sum            a + b - c
    ├── Scaled         0.5*a
    └── Leaf           one score of one layer: features.py has those without arguments
        └── Function   name(argument, ...): functions/ has one file for each

An objective is known by its text, is maximised, and knows which layers it needs before anything runs.
Building trees rather than closures follows lucid (Olah et al., "Feature Visualization", Distill 2017).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from typing import ClassVar, final

from torch import Tensor

from phosphene.errors import ExpressionError, SettingError
from phosphene.nets.card import ActivationStatistics, Card
from phosphene.objectives.name import write_number
from phosphene.types import Activations, Features, Logits, Region, Scores

DEEPEST = 64
"""How deep sums and scales may stand in one another: far beyond use, and well within Python's own stack."""

ReadFeatures = Callable[..., Tensor]
"""(path, layer[, side]) -> a picture's features in that layer, `c h w`, or `c k` where positions have no order.

`side` is the longest side in pixels that the picture is given first; without it large pictures are shrunk."""


class Objective(ABC):
    """The aim of an ascent: a score for each picture, higher is better.

    `+`, `-` and `*` with a number build sums and scales; `str` gives the text that `parse` reads back without
    loss.
    """

    @abstractmethod
    def terms(self) -> tuple[tuple[float, Leaf], ...]:
        """The leaves in the order of the text, each with its coefficient, scales of sums multiplied out."""

    @abstractmethod
    def with_leaves(self, change: Callable[[Leaf], Leaf]) -> Objective:
        """The same tree, each leaf replaced by what `change` makes of it."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """How many sums and scales stand in one another; a leaf has none."""

    def layers(self) -> frozenset[str]:
        """The layers that it is scored on; raises `ExpressionError` where only a net can say (see
        `resolve`)."""
        return frozenset(leaf.placed() for _, leaf in self.terms())

    def __call__(self, activations: Activations) -> Scores:
        """One score a picture, from the activations of its layers: the sum of coefficient * leaf's score."""
        scores = [coefficient * leaf.score(activations[leaf.placed()]) for coefficient, leaf in self.terms()]
        return sum(scores[1:], start=scores[0])

    def __add__(self, other: Objective) -> Objective:
        return Sum((self, other)) if isinstance(other, Objective) else NotImplemented

    def __sub__(self, other: Objective) -> Objective:
        return self + -other if isinstance(other, Objective) else NotImplemented

    def __mul__(self, number: int | float) -> Objective:
        return Scaled(float(number), self) if isinstance(number, Real) else NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return Scaled(-1.0, self)


@final
@dataclass(frozen=True)
class Sum(Objective):
    """Two or more objectives together; what is subtracted stands in it scaled by a negative number."""

    parts: tuple[Objective, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise SettingError(f"a sum has two parts or more, {len(self.parts)} given", setting="parts")
        _check_depth(self)

    def terms(self) -> tuple[tuple[float, Leaf], ...]:
        return tuple(term for part in self.parts for term in part.terms())

    def with_leaves(self, change: Callable[[Leaf], Leaf]) -> Sum:
        return Sum(tuple(part.with_leaves(change) for part in self.parts))

    @property
    def depth(self) -> int:
        return 1 + max(part.depth for part in self.parts)

    def __add__(self, other: Objective) -> Objective:
        # `a + b + c` is one sum of three, as in text; `a + (b + c)` is kept as written.
        return Sum((*self.parts, other)) if isinstance(other, Objective) else NotImplemented

    def __str__(self) -> str:
        first, *others = (f"({part})" if isinstance(part, Sum) else str(part) for part in self.parts)
        return first + "".join(f" - {text[1:]}" if text.startswith("-") else f" + {text}" for text in others)


@final
@dataclass(frozen=True)
class Scaled(Objective):
    """A number times an objective."""

    coefficient: float
    objective: Objective

    def __post_init__(self) -> None:
        if not math.isfinite(self.coefficient):
            raise SettingError(
                f"an objective is scaled by a finite number, {self.coefficient!r} given",
                setting="coefficient",
                value=self.coefficient,
            )
        object.__setattr__(self, "coefficient", float(self.coefficient))
        _check_depth(self)

    def terms(self) -> tuple[tuple[float, Leaf], ...]:
        return tuple((self.coefficient * coefficient, leaf) for coefficient, leaf in self.objective.terms())

    def with_leaves(self, change: Callable[[Leaf], Leaf]) -> Scaled:
        return Scaled(self.coefficient, self.objective.with_leaves(change))

    @property
    def depth(self) -> int:
        return 1 + self.objective.depth

    def __neg__(self) -> Objective:
        return Scaled(-self.coefficient, self.objective)  # so that `a - 2*b` is the same in Python as in text

    def __str__(self) -> str:
        scale = "-" if self.coefficient == -1 else f"{write_number(self.coefficient)}*"
        return f"{scale}({self.objective})" if self.objective.depth else f"{scale}{self.objective}"


class Leaf(Objective):
    """One score of one layer; its subclasses are frozen dataclasses.

    `layer` is the layer's name, empty where it depends on the net. `statistics` are that layer's activation statistics
    once `resolve` has found them; they are not part of the leaf's identity.
    """

    layer: str
    statistics: ActivationStatistics | None
    spatial: ClassVar[bool] = True
    placed_views: ClassVar[bool] = False
    """Whether it looks at certain places of the canvas, which views must not move far or mirror."""

    @property
    def linear(self) -> bool:
        """Whether `finalize` is linear: such a leaf needs one pass over a canvas in tiles, others two."""
        return True

    def score(self, activation: Features | Logits) -> Scores:
        """Return one score for each picture, from the layer's activation, which may be in any floating type.

        The score is float32, or float64 for float64 activations.
        """
        return self.finalize(self.reduce(activation))

    @abstractmethod
    def reduce(self, activation: Features | Logits, region: Region | None = None) -> Tensor:
        """Return the quantity that the score is a function of, `n ...`: a mean or sum over positions.

        With a region, what that part of the positions contributes: over a partition of the positions the parts add up
        to the whole. Leaves that are not `spatial` take no region.
        """

    def finalize(self, sums: Tensor) -> Scores:
        """Return the score, from the sums over the whole picture."""
        return sums

    @abstractmethod
    def resolved(self, context: ResolveContext) -> Leaf:
        """Return this leaf for a certain net: names and numbers checked, its layer's statistics found."""

    def placed(self) -> str:
        """Return the leaf's layer; raise `ExpressionError` if it is not known before `resolve`."""
        if not self.layer:
            raise unfit(f"only a net can say which layer {str(self)!r} is scored on: call resolve(...) first", self)
        return self.layer

    def terms(self) -> tuple[tuple[float, Leaf], ...]:
        return ((1.0, self),)

    def with_leaves(self, change: Callable[[Leaf], Leaf]) -> Leaf:
        return change(self)

    @property
    def depth(self) -> int:
        return 0


@final
@dataclass(frozen=True)
class ResolveContext:
    """The context for resolving leaves: a net's card, whether scores are in stds, and a reader of guides' features."""

    card: Card
    normalised: bool = True
    read_features: ReadFeatures | None = field(default=None, repr=False)

    def statistics(self, layer: str) -> ActivationStatistics | None:
        """Return the layer's statistics, if known and wanted; raise `UnknownNameError` for an unknown layer."""
        statistics = self.card.layer(layer).statistics
        return statistics if self.normalised else None

    def check_channel(self, leaf: Leaf, index: int) -> None:
        """Raise `ExpressionError` if the leaf's layer has no channel `index`."""
        channels = self.card.layer(leaf.layer).channels
        if index >= channels:
            raise unfit(f"{leaf.layer} has channels 0 to {channels - 1}, {index} was asked for", leaf)

    def has_positions(self, layer: str) -> bool:
        """Return whether the layer has an activation for each position, not just one for the whole picture."""
        return self.card.layer(layer).receptive is not None


def resolve(
    objective: Objective, card: Card, read_features: ReadFeatures | None = None, *, normalised: bool = True
) -> Objective:
    """Return the objective for a certain net: names found, numbers checked, every layer's statistics found.

    Bare words become layers or classes. `read_features` reads the features of pictures that are named; without it,
    objectives that name pictures are checked but cannot be scored. With `normalised=False` scores are in the
    activations' own units, and a whole layer scores half the plain sum of its squares, as in 2015.

    Raises `UnknownNameError` for a name that the net does not have, and `ExpressionError` for what cannot be
    scored on this net (a channel out of range, a neuron where there are no positions, a class where there are
    none).
    """
    context = ResolveContext(card, normalised, read_features)
    resolved = objective.with_leaves(lambda leaf: leaf.resolved(context))
    for coefficient, leaf in resolved.terms():
        if not math.isfinite(coefficient):
            raise unfit(f"the scales of {str(leaf)!r} multiply to {coefficient}: choose smaller ones", leaf)
    return resolved


def unfit(message: str, leaf: Leaf) -> ExpressionError:
    """Return the error for a leaf that is well written but cannot be scored."""
    return ExpressionError(message, text=str(leaf), position=0)


def _check_depth(objective: Objective) -> None:
    if objective.depth > DEEPEST:
        raise SettingError(f"sums and scales may stand {DEEPEST} deep in one another, this is deeper: write it flat")
