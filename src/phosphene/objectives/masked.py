"""Targets that hold in a part of a picture: `masked(TARGET, FILE)`, where FILE is white.

Gradients of different parts are scored, shaped and weighed one by one, which a sum of leaves cannot say: so a masked
target is no leaf. What can dream in parts takes an objective apart with `masked_parts`; everything else refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

from phosphene.errors import ExpressionError
from phosphene.objectives.base import Leaf, Objective, Scaled, Sum
from phosphene.objectives.name import write_path


@final
@dataclass(frozen=True)
class Masked(Objective):
    """An objective that holds where the picture at `path` is white; `path` is as it is written."""

    objective: Objective
    path: str

    def terms(self) -> tuple[tuple[float, Leaf], ...]:
        return self.objective.terms()

    def with_leaves(self, change: Callable[[Leaf], Leaf]) -> Objective:
        raise ExpressionError("masked(...) is for dreams on pictures only", text=str(self), position=0)

    @property
    def depth(self) -> int:
        return 0  # written like a leaf, in parentheses of its own

    def __str__(self) -> str:
        return f"masked({self.objective}, {write_path(self.path)})"


class MaskedPart(NamedTuple):
    """An objective, how strongly it is dreamt, and the picture that says where; None for everywhere."""

    strength: float
    objective: Objective
    path: str | None


def masked_parts(objective: Objective) -> list[MaskedPart]:
    """Return the masked parts of an objective, and the rest as one more part.

    >>> from phosphene.objectives.expr import parse
    >>> parts = masked_parts(parse("a + 0.5*masked(b + c, m.png)"))
    >>> [(part.strength, str(part.objective), part.path) for part in parts]
    [(0.5, 'b + c', 'm.png'), (1.0, 'a', None)]

    Raises `ExpressionError` for a masked target within another one.
    """
    parts = list(_parts(objective, 1.0))
    masked = [part for part in parts if part.path is not None]
    for part in masked:
        if any(inner.path is not None for inner in _parts(part.objective, 1.0)):
            raise ExpressionError("masked(...) does not go inside of masked(...)", text=str(objective), position=0)
    everywhere = [_scaled(part.strength, part.objective) for part in parts if part.path is None]
    if not masked:
        return [MaskedPart(1.0, objective, None)]
    if not everywhere:
        return masked
    whole = everywhere[0] if len(everywhere) == 1 else Sum(tuple(everywhere))
    return [*masked, MaskedPart(1.0, whole, None)]


def _parts(objective: Objective, strength: float) -> list[MaskedPart]:
    match objective:
        case Masked(inner, path):
            return [MaskedPart(strength, inner, path)]
        case Scaled(coefficient, inner):
            return _parts(inner, strength * coefficient)
        case Sum(parts):
            return [found for part in parts for found in _parts(part, strength)]
    return [MaskedPart(strength, objective, None)]


def _scaled(strength: float, objective: Objective) -> Objective:
    return objective if strength == 1 else Scaled(strength, objective)
