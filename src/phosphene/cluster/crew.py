"""Who does the parts of a work: this process, several of this machine, or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from phosphene.errors import SettingError
from phosphene.nets.base import Net

if TYPE_CHECKING:
    from phosphene.cluster.pool import Pool
    from phosphene.cluster.worker import Setup

RAY = "ray"


@dataclass(frozen=True)
class Workers:
    """What was asked for: `count` processes of this machine, or the Ray cluster at `address`."""

    count: int = 1
    address: str | None = None

    @property
    def threads(self) -> int:
        """How many cores each process uses, this one included, while there are workers."""
        every = torch.get_num_threads()
        return every if self.address is not None else max(1, every // self.count)

    @contextmanager
    def at_work(self, *nets: Net, dtype: torch.dtype | None = None) -> Iterator[Pool]:
        """Begin workers with networks, in a number format or as they are loaded, and end them.

        This process uses as many threads as each of them meanwhile, since that decides the last bits of sums.
        """
        from phosphene.cluster.worker import Setup

        before, threads = torch.get_num_threads(), self.threads
        pool = self._pool(Setup.of(nets, dtype, threads))
        torch.set_num_threads(threads)
        try:
            yield pool
        finally:
            torch.set_num_threads(before)
            pool.close()

    def _pool(self, setup: Setup) -> Pool:
        if self.address is not None:
            from phosphene.cluster.ray_actors import RayActors

            return RayActors(setup, self.address)
        from phosphene.cluster.processes import Processes

        return Processes(setup, self.count)


def read(text: str | int) -> Workers:
    """Return the workers that a text asks for.

    >>> read(2), read("ray://head:10001")
    (Workers(count=2, address=None), Workers(count=1, address='ray://head:10001'))

    Args:
        text: a number of processes; "auto" for one a core; "ray" for the Ray cluster that this machine belongs to, or
            the address of one, ray://HOST:PORT.

    Raises:
        SettingError: for anything else.
    """
    said = str(text)
    if said == RAY:
        return Workers(address="auto")
    if said.startswith("ray://") and len(said) > len("ray://"):
        return Workers(address=said)
    count = str(_cores()) if said == "auto" else said
    if not count.isdecimal() or not 1 <= int(count) <= _cores():
        raise SettingError(
            f"workers must be auto, 1 to {_cores()} (the cores of this machine), ray or ray://HOST:PORT, but is {said}",
            setting="workers",
            value=text,
        )
    return Workers(int(count))


def check_use(workers: Workers | None, undivided: str | None) -> None:
    """Raise `SettingError` for workers in work that cannot be shared, for the reason `undivided`."""
    if workers is not None and undivided is not None:
        raise SettingError(f"workers cannot share this: {undivided}", setting="workers")


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1
