"""Workers that are processes of this machine. One that dies is replaced, and its tiles are done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any

from phosphene.cluster.worker import TRIES, Facts, Setup, Worker
from phosphene.errors import WorkerError
from phosphene.gradients.tiled import TileResult, TileTask

_worker: Worker | None = None


def _begin(setup: Setup) -> None:
    """Set up a worker's process; it ends with the one that began it, and leaves Ctrl-C to that one."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has one"

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    _worker = Worker(setup)


def _facts() -> Facts:
    assert _worker is not None, "it is set up first"
    return _worker.facts


def _compute(task: TileTask) -> TileResult:
    assert _worker is not None, "it is set up first"
    return _worker.compute(task)


class Processes:
    """`count` workers on this machine, each of which takes every `count`-th tile.

    Raises:
        WorkerError: if a worker cannot be set up, is not like this process, or a tile fails `TRIES` times.
    """

    def __init__(self, setup: Setup, count: int) -> None:
        self.ahead = 2 * count
        self._setup = setup
        self._pools = [self._pool() for _ in range(count)]
        self._turn = 0
        try:
            for index, asked in enumerate([pool.submit(_facts) for pool in self._pools]):
                try:
                    asked.result().check(setup.wanted, f"worker {index + 1}")
                except BrokenProcessPool:
                    raise WorkerError(
                        f"worker {index + 1} cannot be set up with the network {setup.net!r}, which it loads by "
                        "name; in Python, workers need a script that begins with if __name__ == '__main__'"
                    ) from None
        except BaseException:
            self.close()
            raise

    def begin(self, task: TileTask) -> Callable[[], TileResult]:
        """Let a worker do a tile; what is returned waits for the result."""
        index = self._turn % len(self._pools)
        self._turn += 1
        pool, future = self._submit(index, task)

        def wait() -> TileResult:
            nonlocal pool, future
            for tried in range(1, TRIES + 1):
                try:
                    return future.result()
                except BrokenProcessPool:
                    problem = "the process ended"
                    if self._pools[index] is pool:
                        pool.shutdown(wait=False)
                        self._pools[index] = self._pool()
                except Exception as found:
                    problem = str(found) or type(found).__name__
                if tried < TRIES:
                    pool, future = self._submit(index, task)
            raise failed(task, problem)

        return wait

    def close(self) -> None:
        """End the workers."""
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self) -> ProcessPoolExecutor:
        spawning = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=spawning, initializer=_begin, initargs=(self._setup,))

    def _submit(self, index: int, task: TileTask) -> tuple[ProcessPoolExecutor, Future[Any]]:
        try:
            pool = self._pools[index]
            return pool, pool.submit(_compute, task)
        except BrokenProcessPool:  # it ended between two tiles
            self._pools[index].shutdown(wait=False)
            self._pools[index] = self._pool()
            return self._pools[index], self._pools[index].submit(_compute, task)


def failed(task: TileTask, problem: str) -> WorkerError:
    """Return the error for a tile that has been tried often enough."""
    rows, columns = task.tile.rows, task.tile.columns
    return WorkerError(
        f"the tile at {columns.start},{rows.start} failed {TRIES} times ({problem}); what is done is kept, and the "
        "same command continues"
    )
