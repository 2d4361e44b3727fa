"""Workers that are actors of a Ray cluster: one for each share of cores or graphics card, also of nodes that join."""

from __future__ import annotations

import logging
import time
from typing import Any

from phosphene.cluster.pool import Pool
from phosphene.cluster.worker import Reply, Setup, Worker
from phosphene.errors import MissingExtraError, WorkerError
from phosphene.loops.parts import Task

LOOK = 10.0
"""Seconds between looks for nodes that have joined."""

START = 120.0
"""Seconds that a first worker may take to be set up."""


class RayActors(Pool):
    """Workers on the cluster at `address`.

    Raises:
        MissingExtraError: without Ray.
        WorkerError: if the cluster cannot be reached, or a worker is not like this process.
    """

    def __init__(self, setup: Setup, address: str) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtraError("a Ray cluster", "cluster") from None
        self._ray, self._setup = ray, setup
        self._opened = not ray.is_initialized()
        if self._opened:
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError, OSError) as problem:
                raise WorkerError(f"no Ray cluster can be reached at {address} ({problem})") from None
        self._make: Any = ray.remote(Actor)
        self._actors: list[Any] = []
        self._load: dict[Any, int] = {}
        self._looked = 0.0
        self._join()
        if not self._actors:
            self.close()
            raise WorkerError(f"no node of the Ray cluster has {setup.threads} free cores: give fewer --threads")

    @property
    def count(self) -> int:
        """How many workers there are."""
        self._join()
        return max(1, len(self._actors))

    def submit(self, task: Task) -> tuple[Any, Any]:
        """Give a task to the worker with the fewest in hand."""
        self._join()
        if not self._actors:
            self._looked = 0.0
            self._join(wait=START)
        if not self._actors:
            raise WorkerError("all workers of the Ray cluster are gone; the same command continues")
        actor = min(self._actors, key=lambda each: self._load[each])
        self._load[actor] += 1
        return actor, actor.compute.remote(task)

    def is_finished(self, handle: tuple[Any, Any]) -> bool:
        """Return whether `outcome` returns at once."""
        return bool(self._ray.wait([handle[1]], timeout=0, fetch_local=False)[0])

    def outcome(self, handle: tuple[Any, Any]) -> Reply:
        """Wait for what has become of a task, also if its worker has ended."""
        actor, reference = handle
        try:
            outcome: Reply = self._ray.get(reference)
            return outcome
        except self._ray.exceptions.RayActorError:
            self._drop(actor)
            return Reply(problem="the worker ended")
        except Exception as found:
            return Reply(problem=str(getattr(found, "cause", None) or found).splitlines()[-1])
        finally:
            if actor in self._load:
                self._load[actor] -= 1

    def give_up(self, handle: tuple[Any, Any]) -> None:
        """End a task that hangs, with its worker; others are looked for."""
        self._ray.kill(handle[0])
        self._drop(handle[0])

    def close(self) -> None:
        """End the workers; the cluster goes on."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors.clear()
        if self._opened:
            self._ray.shutdown()

    def _drop(self, actor: Any) -> None:
        if actor in self._actors:
            self._actors.remove(actor)
            del self._load[actor]
            self._looked = 0.0

    def _join(self, wait: float = 0.0) -> None:
        """Begin a worker for each free share of the cluster, if it is time to look."""
        until = time.monotonic() + wait
        while time.monotonic() - self._looked >= LOOK:
            cards = self._setup.device == "cuda"
            free = self._ray.available_resources()
            room = int(free.get("GPU", 0)) if cards else int(free.get("CPU", 0)) // self._setup.threads
            needs = {"num_gpus": 1} if cards else {"num_cpus": self._setup.threads}
            fresh = [self._make.options(**needs).remote(self._setup) for _ in range(room)]
            for actor in fresh:
                self._take_in(actor)
            if self._actors or time.monotonic() >= until:
                self._looked = time.monotonic()
            else:
                time.sleep(1.0)

    def _take_in(self, actor: Any) -> None:
        """Compare a worker with this process."""
        try:
            node, facts = self._ray.get(actor.about.remote(), timeout=START)
        except self._ray.exceptions.GetTimeoutError:
            self._ray.kill(actor)
            return
        except self._ray.exceptions.RayActorError as problem:
            said = str(problem).strip().splitlines()[-1]
            raise WorkerError(f"a worker of the Ray cluster cannot be set up: {said}") from None
        facts.check(self._setup.wanted, f"the worker on {node}")
        self._actors.append(actor)
        self._load[actor] = 0


class Actor(Worker):
    """A worker that says where it is."""

    def about(self) -> tuple[str, Any]:
        """Return the node's address, and the facts of this process."""
        import ray

        return ray.util.get_node_ip_address(), self.facts
