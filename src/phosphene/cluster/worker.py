"""A worker: loads its networks once, is compared with the process that asks, and then does a task at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from phosphene import __version__, nets
from phosphene.errors import PhospheneError, WorkerError
from phosphene.gradients import allocator
from phosphene.gradients.precision import prepared
from phosphene.loops.parts import Task
from phosphene.nets.base import Net

TRIES = 3
"""How often a task is tried before it is an error."""


@dataclass(frozen=True)
class Facts:
    """What the bytes of a result depend on besides the task, which must be the same for all workers."""

    phosphene: str
    torch: str
    processor: str
    weights: str
    statistics: str

    def check(self, wanted: Facts, name: str) -> None:
        """Raise `WorkerError` that names what is different from what is wanted."""
        for fact, own in vars(self).items():
            other = getattr(wanted, fact)
            if own != other:
                raise WorkerError(f"{name} cannot take part: its {fact} must be {other}, but is {own}")


@dataclass(frozen=True)
class Setup:
    """What a worker is set up with: networks by name, their number format and device, and how many cores to use.

    Without a number format networks are as they are loaded. `measured` says which have statistics measured here.
    """

    nets: tuple[str, ...]
    measured: tuple[bool, ...]
    dtype: torch.dtype | None
    device: str
    threads: int
    wanted: Facts

    @classmethod
    def of(cls, nets: Sequence[Net], dtype: torch.dtype | None, threads: int) -> Setup:
        """Return the setup of workers that do the same as this process with these networks."""
        names, measured = zip(*((net.card.name, bool(net.card.measured)) for net in nets), strict=True)
        return cls(names, measured, dtype, next(nets[0].parameters()).device.type, threads, facts(nets))


def facts(nets: Sequence[Net]) -> Facts:
    """Return the facts of this process with some networks."""
    processor = torch.backends.cpu.get_cpu_capability()
    weights = ", ".join(net.card.sha256 for net in nets)
    return Facts(
        __version__, torch.__version__, processor, weights, ", ".join(net.card.measured or "its own" for net in nets)
    )


@dataclass(frozen=True)
class Reply:
    """What has become of a task: its result, a problem, or a mistake of the user's, which no other try mends."""

    result: Any = None
    problem: str | None = None
    mistake: PhospheneError | None = None

    @classmethod
    def failed(cls, problem: Exception) -> Reply:
        """Return the outcome of a task that ended with an exception, which may not pickle."""
        return cls(problem=str(problem) or type(problem).__name__)


class Worker:
    """Loads the networks of a setup, and does tasks."""

    def __init__(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        allocator.keep_memory()
        named = zip(setup.nets, setup.measured, strict=True)
        loaded = [nets.load(name, measured=measured).to(setup.device) for name, measured in named]
        self.facts = facts(loaded)
        self._nets = loaded if setup.dtype is None else [prepared(net, setup.dtype) for net in loaded]

    def compute(self, task: Task) -> Reply:
        """Return what a task gives."""
        try:
            return Reply(task.run(*self._nets))
        except PhospheneError as mistake:
            return Reply(mistake=mistake)
        except Exception as problem:
            return Reply.failed(problem)
