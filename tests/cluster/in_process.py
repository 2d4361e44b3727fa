"""Workers in the test's own process, and tiles in trouble."""

from __future__ import annotations

import os
import pickle
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from phosphene.cluster.pool import Pool
from phosphene.cluster.worker import Reply, Setup, Worker
from phosphene.gradients.tiled import TileResult, TileTask
from phosphene.loops.parts import Task
from phosphene.nets.base import Net


class Backwards(Pool):
    """Three workers in this process, of which the last one asked is finished first; parts of `poisoned` names fail."""

    count = 3
    poisoned: tuple[str, ...] = ()

    def __init__(self, setup: Setup) -> None:
        self.worker = Worker(setup)
        self.waiting: list[bytes] = []
        self.tried: list[str] = []

    def submit(self, task: Task) -> bytes:
        self.tried.append(task.name)
        self.waiting.append(pickle.dumps(task))
        return self.waiting[-1]

    def is_finished(self, handle: bytes) -> bool:
        return handle == self.waiting[-1]

    def outcome(self, handle: bytes) -> Reply:
        self.waiting.remove(handle)
        task = pickle.loads(handle)
        if any(name in task.name for name in self.poisoned):
            return Reply(problem="poisoned")
        reply: Reply = pickle.loads(pickle.dumps(self.worker.compute(task)))
        return reply

    def give_up(self, handle: bytes) -> None:
        self.waiting.remove(handle)

    def close(self) -> None:
        self.waiting.clear()


@dataclass(frozen=True)
class Troubled(TileTask):
    """A tile whose worker is killed, stopped, or sleeps, when it is first asked for; `note` tells that it was."""

    trouble: str = ""
    note: Path = Path()

    def run(self, net: Net) -> TileResult:
        """Return what the tile gives."""
        first = not self.note.exists()
        self.note.touch()
        if self.trouble == "killed" and first:
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.trouble == "stopped" and first:
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.trouble == "late" and first:
            time.sleep(5)
        elif self.trouble == "poisoned":
            raise ValueError("this tile is poisoned")
        return super().run(net)


@dataclass(frozen=True)
class Where:
    """A task that tells where it is done."""

    name: str = "where"

    def run(self, *_: Net) -> tuple[int, str | None, str]:
        """Return the process that the worker was begun by, what PHOSPHENE_CONFIG is there, and the current folder."""
        return os.getppid(), os.environ.get("PHOSPHENE_CONFIG"), os.getcwd()
