"""Parts of a work that do not depend on one another, as data: this process does them, or workers do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from phosphene.errors import WorkerError

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
        """Wait for the result; raise `WorkerError` for a task that fails every time."""
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

    def begin(self, task: Task) -> Asked:
        """Let a worker do a task."""
        ...


def finished(tasks: Mapping[int, Task], crew: Crew) -> Iterator[tuple[int, Any]]:
    """Let workers do tasks; yield the number and the result of each, in the order in which they come.

    Each worker has one in hand, so that one that ends its worker harms no other.

    Raises:
        WorkerError: for the first task that failed every time, when all others are done.
    """
    waiting, asked = iter(tasks.items()), dict[int, Asked]()
    problem: WorkerError | None = None
    more = True
    while more or asked:
        while more and len(asked) < crew.count:
            number, task = next(waiting, (0, None))
            if task is None:
                more = False
            else:
                asked[number] = crew.begin(task)
        ready = [number for number, each in asked.items() if each.ready()]
        for number in ready:
            try:
                result = asked.pop(number)()
            except WorkerError as found:
                problem = problem or found
                continue
            yield number, result
        if not ready:
            time.sleep(PAUSE)
    if problem is not None:
        raise problem
