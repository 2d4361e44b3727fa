"""Workers that are processes of this machine. One that ends or hangs is replaced, and its task is done again.

On Linux, workers are forked from one process that has imported PyTorch and started no threads: they begin at once, also
when one is replaced, and share that memory. It ends with the process that began it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from phosphene.cluster.pool import Pool
from phosphene.cluster.worker import Facts, Reply, Setup, Worker
from phosphene.errors import WorkerError
from phosphene.loops.parts import Task

_PRELOADED = ["phosphene.cluster.worker", "phosphene.loops.on_disk"]
"""What workers of every kind of work import; to import it starts no threads."""

_worker: Worker | None = None


def _context() -> BaseContext:
    """Return how workers begin; elsewhere than on Linux, libraries of the system do not allow forking."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with _only_installed():
        resource_tracker.ensure_running()  # first, since it would let Ctrl-C through again
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # also while PyTorch is being imported
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return context


@contextmanager
def _only_installed() -> Iterator[None]:
    """Let processes that begin meanwhile import nothing from the current folder, as `python -c` would."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _begin(setup: Setup, environment: dict[str, str]) -> None:
    """Set up a worker's process; it ends with the one that began it, and leaves Ctrl-C to that one.

    The environment is that of the process that asks: what workers are forked from may have begun with another.
    """
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
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


def _compute(task: bytes) -> bytes:
    """Do a task, as bytes to bytes: otherwise torch shares the memory of each tensor, which takes a file descriptor."""
    assert _worker is not None, "it is set up first"
    return pickle.dumps(_worker.compute(pickle.loads(task)))


class _Process(NamedTuple):
    """A worker's process, and the pool that it is all of."""

    pool: ProcessPoolExecutor
    process: BaseProcess
    facts: Future[Facts]


class _Hand(NamedTuple):
    """A task in the hand of worker `number`, which is `worker`."""

    number: int
    worker: _Process
    future: Future[bytes]


class Processes(Pool):
    """`count` workers on this machine.

    Raises:
        WorkerError: if a worker cannot be set up, or is not like this process.
    """

    def __init__(self, setup: Setup, count: int) -> None:
        self._setup = setup
        self._workers = [self._worker() for _ in range(count)]
        self._hands: list[list[Future[bytes]]] = [[] for _ in range(count)]
        try:
            for index, worker in enumerate(self._workers):
                try:
                    worker.facts.result().check(setup.wanted, f"worker {index + 1}")
                except BrokenProcessPool:
                    raise WorkerError(
                        f"worker {index + 1} cannot be set up with {', '.join(setup.nets)}, which it loads by name; in "
                        "Python, workers need a script that begins with if __name__ == '__main__'"
                    ) from None
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def submit(self, task: Task) -> _Hand:
        """Give a task to the worker with the fewest in hand."""
        self._hands = [[each for each in hand if not each.done()] for hand in self._hands]
        index = min(range(self.count), key=lambda index: len(self._hands[index]))
        data = pickle.dumps(task)
        try:
            future = self._workers[index].pool.submit(_compute, data)
        except BrokenProcessPool:  # it ended between two tasks
            self._replace(index)
            future = self._workers[index].pool.submit(_compute, data)
        self._hands[index].append(future)
        return _Hand(index, self._workers[index], future)

    def is_set_up(self, handle: _Hand) -> bool:
        """Return whether the worker that has a task in hand has loaded its networks."""
        return handle.worker.facts.done()

    def is_finished(self, handle: _Hand) -> bool:
        """Return whether `outcome` returns at once."""
        return handle.future.done()

    def outcome(self, handle: _Hand) -> Reply:
        """Wait for what has become of a task, also if its worker has ended."""
        try:
            reply: Reply = pickle.loads(handle.future.result())
            return reply
        except BrokenProcessPool:
            self.give_up(handle)
            return Reply(problem="the process ended")
        except Exception as found:  # its result cannot be sent
            return Reply.failed(found)

    def give_up(self, handle: _Hand) -> None:
        """End a task that hangs, with its worker, which is replaced."""
        if self._workers[handle.number] is handle.worker:
            self._replace(handle.number)

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.pool.shutdown(wait=True, cancel_futures=True)

    def _replace(self, index: int) -> None:
        pool, process, _ = self._workers[index]
        process.kill()  # also if it is stopped
        pool.shutdown(wait=False)
        self._workers[index] = self._worker()

    def _worker(self) -> _Process:
        """Begin a worker."""
        given = (self._setup, dict(os.environ))
        pool = ProcessPoolExecutor(1, mp_context=_context(), initializer=_begin, initargs=given)
        others = set(multiprocessing.active_children())
        asked = pool.submit(_facts)  # begins the process
        (process,) = set(multiprocessing.active_children()) - others
        return _Process(pool, process, asked)
