"""Several networks at the same time, each with its share of the processor's threads.

Where pictures are small, two threads are at most one and a half times as fast as one with a network: each of its many
operations waits for its slowest thread, and some use only one. Two networks at the same time wait for one another once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")


class Threads:
    """Calls functions side by side.

    Args:
        count: how many at the same time, each of which PyTorch gives an equal share of its threads.
    """

    def __init__(self, count: int) -> None:
        self.total = torch.get_num_threads()
        share, begun = max(1, self.total // count), Barrier(count)

        def begin() -> None:
            # PyTorch takes the number of a new thread from that of the process when it is first asked for it.
            torch.set_num_threads(share)
            assert torch.get_num_threads() == share
            begun.wait()

        self._pool = ThreadPoolExecutor(count, thread_name_prefix="network")
        for each in [self._pool.submit(begin) for _ in range(count)]:
            each.result()
        torch.set_num_threads(self.total)

    def call(self, functions: Iterable[Callable[[], T]]) -> list[T]:
        """Return what the functions return, in their order; each begins as soon as it is known.

        Raises what the first of them raises.
        """
        return [each.result() for each in [self._pool.submit(function) for function in functions]]
