"""Downloads as events: what a callback reports in another thread, as an iterator in this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from phosphene.nets.zoo import catalogue


class _Stopped(Exception):
    """Ends a download that nobody waits for any more."""


def fetch(name: str) -> Iterator[tuple[int, int | None]]:
    """Fetch the network `name` if it is one that is downloaded and is not here; yield (bytes here, bytes in all).

    Raises `WeightsError` as `catalogue.fetch` does. An iterator that is closed early stops the download; what has
    arrived is kept, and the next one resumes.
    """
    if name not in catalogue.ENTRIES or catalogue.is_here(name):
        return
    reports: queue.Queue[tuple[int, int | None] | BaseException | None] = queue.Queue()
    stop = threading.Event()

    def report(done: int, total: int | None) -> None:
        if stop.is_set():
            raise _Stopped
        reports.put((done, total))

    def run() -> None:
        try:
            catalogue.fetch(name, report)
        except _Stopped:
            pass
        except BaseException as problem:  # handed to the thread that waits
            reports.put(problem)
        finally:
            reports.put(None)

    thread = threading.Thread(target=run, name=f"fetching {name}", daemon=True)
    thread.start()
    try:
        while (found := reports.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()
        thread.join(timeout=10)
