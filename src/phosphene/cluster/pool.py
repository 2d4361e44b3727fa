"""What all workers have in common, wherever they run: a task that fails is tried again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from phosphene.cluster.worker import TRIES, Reply
from phosphene.errors import WorkerError
from phosphene.loops.parts import Task


class Pool(ABC):
    """Workers that do tasks."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many workers there are."""

    @property
    def ahead(self) -> int:
        """How many small tasks they should have in hand, so that none waits for the next."""
        return 2 * self.count

    def begin(self, task: Task) -> Tried:
        """Let a worker do a task."""
        return Tried(self, task)

    @abstractmethod
    def submit(self, task: Task) -> Any:
        """Give a task to the worker with the fewest in hand; return a handle for the two below."""

    @abstractmethod
    def is_finished(self, handle: Any) -> bool:
        """Return whether `outcome` returns, or raises, at once."""

    @abstractmethod
    def outcome(self, handle: Any) -> Reply:
        """Wait for what has become of a task, also if its worker has ended."""

    @abstractmethod
    def close(self) -> None:
        """End the workers, whatever they are doing."""


class Tried:
    """A task that workers have in hand, which is tried up to `TRIES` times."""

    def __init__(self, pool: Pool, task: Task) -> None:
        self._pool, self._task, self._tries = pool, task, 1
        self._handle = pool.submit(task)
        self._reply: Reply | None = None

    def ready(self) -> bool:
        """Return whether a call returns, or raises, at once."""
        while self._reply is None and self._pool.is_finished(self._handle):
            self._look()
        return self._reply is not None

    def __call__(self) -> Any:
        """Wait for the result; raise the task's `PhospheneError`, or `WorkerError` if it fails every time."""
        while self._reply is None:
            self._look()
        if self._reply.problem is not None:
            raise WorkerError(
                f"{self._task.name} failed {TRIES} times ({self._reply.problem}); what is done is kept, and the same "
                "command continues"
            )
        if self._reply.mistake is not None:
            raise self._reply.mistake
        return self._reply.result

    def _look(self) -> None:
        """Wait for what has become of the task; try again if it has failed."""
        reply = self._pool.outcome(self._handle)
        if reply.problem is None or self._tries == TRIES:
            self._reply = reply
        else:
            self._tries += 1
            self._handle = self._pool.submit(self._task)
