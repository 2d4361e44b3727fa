"""What all workers have in common, wherever they run: a task that fails, or hangs, is tried again."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import Any

from phosphene.cluster.worker import TRIES, Reply
from phosphene.errors import WorkerError
from phosphene.loops.parts import Task, pause

PATIENCE = 60.0
"""Seconds that any task may take."""

LONGEST = 10.0
"""How many times as long as the longest task so far the next one may take; twice as long with each further try."""


class Pool(ABC):
    """Workers that do tasks; `longest` is how many seconds one has taken so far, 0 before the first."""

    longest: float = 0.0

    @property
    @abstractmethod
    def count(self) -> int:
        """How many workers there are."""

    @property
    def ahead(self) -> int:
        """How many small tasks they should have in hand, so that none waits for the next."""
        return 2 * self.count

    def begin(self, task: Task, *, timed: bool = True) -> Tried:
        """Let a worker do a task; `timed` says that one which takes far longer than all before it hangs."""
        return Tried(self, task, timed=timed)

    @abstractmethod
    def submit(self, task: Task) -> Any:
        """Give a task to the worker with the fewest in hand; return a handle for the methods below."""

    def is_set_up(self, handle: Any) -> bool:
        """Return whether the worker that has a task in hand has loaded its networks."""
        return True

    @abstractmethod
    def is_finished(self, handle: Any) -> bool:
        """Return whether `outcome` returns, or raises, at once."""

    @abstractmethod
    def outcome(self, handle: Any) -> Reply:
        """Wait for what has become of a task, also if its worker has ended."""

    @abstractmethod
    def give_up(self, handle: Any) -> None:
        """End a task that hangs, with its worker, which is replaced."""

    @abstractmethod
    def close(self) -> None:
        """End the workers, whatever they are doing."""


class Tried:
    """A task that workers have in hand, which is tried up to `TRIES` times.

    If it is timed, one that takes far longer than all before it hangs, as does one whose worker is stopped: its worker
    is ended.
    """

    def __init__(self, pool: Pool, task: Task, *, timed: bool) -> None:
        self._pool, self._task, self._timed, self._tries = pool, task, timed, 0
        self._reply: Reply | None = None
        self._try()

    def ready(self) -> bool:
        """Return whether a call returns, or raises, at once."""
        while self._reply is None:
            if self._pool.is_finished(self._handle):
                self._take(self._pool.outcome(self._handle))
            elif not self._pool.is_set_up(self._handle):
                self._begun = time.monotonic()
                return False
            elif (seconds := time.monotonic() - self._begun) > self._patience():
                self._pool.give_up(self._handle)
                self._take(Reply(problem=f"the worker did not answer for {seconds:.0f} s"))
            else:
                return False
        return True

    def __call__(self) -> Any:
        """Wait for the result; raise the task's `PhospheneError`, or `WorkerError` if it fails every time."""
        while not self.ready():
            pause()
        assert self._reply is not None, "it is ready"
        if self._reply.problem is not None:
            raise WorkerError(
                f"{self._task.name} failed {TRIES} times ({self._reply.problem}); what is done is kept, and the same "
                "command continues"
            )
        if self._reply.mistake is not None:
            raise self._reply.mistake
        return self._reply.result

    def _try(self) -> None:
        self._tries += 1
        self._handle, self._begun = self._pool.submit(self._task), time.monotonic()

    def _patience(self) -> float:
        """Return how many seconds this try may take: any number if it is not timed or no task is done yet."""
        longest = self._pool.longest
        return max(PATIENCE, LONGEST * longest * 2 ** (self._tries - 1)) if longest and self._timed else math.inf

    def _take(self, reply: Reply) -> None:
        """Take in what has become of the task; try again if it has failed."""
        if reply.problem is None:
            self._pool.longest = max(self._pool.longest, time.monotonic() - self._begun)
        if reply.problem is None or self._tries == TRIES:
            self._reply = reply
        else:
            self._try()
