"""Several objectives for one batch, of which each image has its own."""

from __future__ import annotations

import copy
from abc import ABC
from collections.abc import Callable

from phosphene.objectives.base import Leaf, Objective


class Several(Objective, ABC):
    """Several objectives for one batch; subclasses say which image is scored by which. Together they weigh as one."""

    def __init__(self, objectives: tuple[Objective, ...]) -> None:
        self.objectives = objectives

    def terms(self) -> tuple[tuple[float, Leaf], ...]:
        share = 1 / len(self.objectives)
        return tuple((share * coefficient, leaf) for each in self.objectives for coefficient, leaf in each.terms())

    def with_leaves(self, change: Callable[[Leaf], Leaf]) -> Objective:
        changed = copy.copy(self)
        changed.objectives = tuple(each.with_leaves(change) for each in self.objectives)
        return changed

    @property
    def depth(self) -> int:
        return 1 + max(each.depth for each in self.objectives)

    def __str__(self) -> str:
        return "; ".join(map(str, self.objectives))
