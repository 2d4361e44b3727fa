"""Work whose parts workers do: they begin with the work, and end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch

from phosphene.cluster.crew import Workers
from phosphene.loops.parts import Crew
from phosphene.loops.step import State, Step
from phosphene.nets.base import Net


class Begin(Protocol):
    """Begins a work from a state, whose parts a crew does, if there is one."""

    def __call__(self, *, state: State | None, crew: Crew | None) -> Iterator[Step]: ...


def shared(
    begin: Begin, nets: Sequence[Net], workers: Workers | None, dtype: torch.dtype | None = None
) -> Callable[[State | None], Iterator[Step]]:
    """Return what does the work of `begin` from a state, with a crew of these workers; None for this process alone.

    Workers have the networks in a number format, or as they are loaded.
    """

    def steps(state: State | None) -> Iterator[Step]:
        if workers is None:
            yield from begin(state=state, crew=None)
            return
        with workers.at_work(*nets, dtype=dtype) as crew:
            yield from begin(state=state, crew=crew)

    return steps
