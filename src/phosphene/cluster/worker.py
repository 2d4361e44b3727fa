"""A worker: loads the network once, is compared with the process that asks, and then does a tile at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from phosphene import __version__, nets
from phosphene.errors import WorkerError
from phosphene.gradients import allocator
from phosphene.gradients.engine import prepared
from phosphene.gradients.tiled import TileResult, TileTask
from phosphene.nets.base import Net

TRIES = 3
"""How often a tile is tried before the work ends with an error."""


@dataclass(frozen=True)
class Facts:
    """What the bytes of a tile depend on besides the tile, which must be the same for all workers."""

    phosphene: str
    torch: str
    processor: str
    weights: str

    def check(self, wanted: Facts, name: str) -> None:
        """Raise `WorkerError` that names what is different from what is wanted."""
        for fact, own in vars(self).items():
            other = getattr(wanted, fact)
            if own != other:
                raise WorkerError(f"{name} cannot take part: its {fact} must be {other}, but is {own}")


@dataclass(frozen=True)
class Setup:
    """What a worker is set up with: a network by name, its number format and device, and how many cores to use."""

    net: str
    dtype: torch.dtype
    device: str
    threads: int
    wanted: Facts

    @classmethod
    def of(cls, net: Net, dtype: torch.dtype, threads: int) -> Setup:
        """Return the setup of workers that do the same as this process with this network."""
        device = next(net.parameters()).device
        return cls(net.card.name, dtype, device.type, threads, facts(net))


def facts(net: Net) -> Facts:
    """Return the facts of this process with a network."""
    return Facts(__version__, torch.__version__, torch.backends.cpu.get_cpu_capability(), net.card.sha256)


class Worker:
    """Loads the network of a setup, and computes tiles."""

    def __init__(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        allocator.keep_memory()
        net = nets.load(setup.net)
        self.facts = facts(net)
        self._net = prepared(net.to(setup.device), setup.dtype)

    def compute(self, task: TileTask) -> TileResult:
        """Return what a tile gives."""
        return task.run(self._net)
