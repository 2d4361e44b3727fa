"""Parts of a work that do not depend on one another, as data: this process does them, or workers do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import torch

from phosphene.errors import PhospheneError
from phosphene.loops.step import State, number

PAUSE = 0.01
"""Seconds between looks for finished parts."""


@runtime_checkable
class Task(Protocol):
    """A part of a work as data that pickles; its result pickles too."""

    @property
    def name(self) -> str:
        """What errors call it, such as "the tile at 512,0"."""
        ...

    @property
    def run(self) -> Callable[..., Any]:
        """Called with the network and its companions, it returns what depends on nothing but these and the task."""
        ...


@runtime_checkable
class Asked(Protocol):
    """A task that workers have in hand."""

    def ready(self) -> bool:
        """Return whether a call returns, or raises, at once."""
        ...

    def __call__(self) -> Any:
        """Wait for the result; raise the task's `PhospheneError`, or `WorkerError` if it fails every time."""
        ...


@runtime_checkable
class Crew(Protocol):
    """Workers."""

    @property
    def count(self) -> int:
        """How many workers there are."""
        ...

    @property
    def ahead(self) -> int:
        """How many small tasks they should have in hand, so that none waits for the next."""
        ...

    def begin(self, task: Task, *, timed: bool = True) -> Asked:
        """Let a worker do a task; `timed` says that one which takes far longer than all before it hangs."""
        ...


def pause() -> None:
    """Wait a moment for parts that are not finished."""
    time.sleep(PAUSE)


def ready(
    tasks: Sequence[Task], crew: Crew, *, timed: bool = True, waiting: Callable[[], None] = pause
) -> Iterator[tuple[int, Asked]]:
    """Let workers do tasks; yield the number of each, and what returns its result, in the order in which they come.

    Each worker has one in hand, so that one that ends its worker harms no other. `timed` is that of `Crew.begin`;
    `waiting` is called while none is finished.
    """
    begun, asked = 0, dict[int, Asked]()
    while begun < len(tasks) or asked:
        while begun < len(tasks) and len(asked) < crew.count:
            asked[begun] = crew.begin(tasks[begun], timed=timed)
            begun += 1
        found = [index for index, each in asked.items() if each.ready()]
        for index in found:
            yield index, asked.pop(index)
        if not found:
            waiting()


def in_order(tasks: Iterable[Task], crew: Crew) -> Iterator[Any]:
    """Let workers do small tasks; yield their results in order.

    Raises:
        PhospheneError: for the first task that failed.
    """
    asked, waiting = deque[Asked](), iter(tasks)
    while True:
        asked.extend(map(crew.begin, islice(waiting, crew.ahead - len(asked))))
        if not asked:
            return
        while True:
            first, *_ = [each.ready() for each in asked]  # all of them, to find those that hang
            if first:
                break
            pause()
        yield asked.popleft()()


def finished(tasks: Sequence[Task], crew: Crew) -> Iterator[tuple[int, Any]]:
    """Let workers do tasks; yield the number and the result of each, in the order in which they come.

    Raises:
        PhospheneError: for the first task that failed, when all others are done.
    """
    problem: PhospheneError | None = None
    for index, asked in ready(tasks, crew):
        try:
            result = asked()
        except PhospheneError as found:
            problem = problem or found
        else:
            yield index, result
    if problem is not None:
        raise problem


def done_state(done: Collection[int]) -> State:
    """Return what tells which parts are done: the first that is not, and all of them if some come after it."""
    first = 0
    while first in done:
        first += 1
    return {"batch": number(first), **({"done": torch.tensor(sorted(done))} if len(done) > first else {})}


def done_in(state: State) -> list[int]:
    """Return the numbers of the parts that are done, from what `done_state` returned, in order."""
    return state["done"].tolist() if "done" in state else list(range(int(state["batch"])))
