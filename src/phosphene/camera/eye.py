"""Sees and dreams on the frames of a camera at the same time, each as fast as it can."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from phosphene.camera.capture import View
from phosphene.types import Image

SEE_EVERY = 0.2
"""Seconds between two looks at what is there, while it also dreams."""

PATIENCE = 2.0
"""Seconds that its threads have to end in; a camera that hangs is left behind."""


@dataclass(frozen=True)
class Watched:
    """What became of a frame: what is `seen` in it, or the `dream` on it, or the `problem` that there is none."""

    view: View
    seen: Any = None
    dream: Image | None = field(default=None, repr=False)

    @property
    def problem(self) -> str:
        """The sentence that says why there is no frame; empty otherwise."""
        return self.view.problem


def watch(
    views: Iterable[View],
    see: Callable[[Image], Any],
    dream: Callable[[Image], Image] | None = None,
    *,
    in_turn: bool,
    see_every: float = SEE_EVERY,
) -> Generator[Watched, None, None]:
    """Yield what is seen and dreamt as soon as it is there, and problems.

    Seeing and dreaming run in a thread each, so that a slow dream does not hold up what is seen. A camera goes on
    meanwhile: both take its newest frame. Memory does not grow.

    Args:
        views: the frames, which are read in another thread.
        see: tells what is in a picture, 1 3 h w.
        dream: dreams on it; None to see only, and every frame that there is time for.
        in_turn: whether frames wait until they are dreamt on (or seen, without a dream), as those of a film may.
        see_every: seconds between two looks while it dreams.

    Raises:
        Exception: what `views`, `see` or `dream` raise.
    """
    told: queue.Queue[Watched | BaseException | None] = queue.Queue(4)
    newest = _Newest()
    leads = see if dream is None else dream

    def read() -> None:
        for view in views:
            if view.image is None:
                told.put(Watched(view))
            elif not newest.put(view, wait=in_turn):
                return

    def work(does: Callable[[Image], Any], name: str, pause: float) -> None:
        index = -1
        while (view := newest.after(index, lead=does is leads)) is not None:
            began, index = time.monotonic(), view.index
            assert view.image is not None
            told.put(Watched(view, **{name: does(view.image)}))
            newest.rest(pause - (time.monotonic() - began))

    def runs(target: Callable[..., None], *given: Any) -> None:
        try:
            target(*given)
            told.put(None)
        except BaseException as problem:
            told.put(problem)
        if target is read:
            newest.end()

    jobs: list[tuple[Any, ...]] = [(read,), (work, see, "seen", 0.0 if dream is None else see_every)]
    jobs += [] if dream is None else [(work, dream, "dream", 0.0)]
    threads = [threading.Thread(target=runs, args=job, daemon=True) for job in jobs]
    for each in threads:
        each.start()
    try:
        yield from _told(told, len(threads))
    finally:
        newest.stop()
        _ended(threads, told)


def _told(told: queue.Queue[Watched | BaseException | None], workers: int) -> Iterator[Watched]:
    while workers:
        found = told.get()
        if found is None:
            workers -= 1
        elif isinstance(found, BaseException):
            raise found
        else:
            yield found


def _ended(threads: list[threading.Thread], told: queue.Queue[Any]) -> None:
    """Wait for the threads, and take what they still want to tell."""
    until = time.monotonic() + PATIENCE
    while any(each.is_alive() for each in threads) and time.monotonic() < until:
        try:
            told.get(timeout=0.02)
        except queue.Empty:
            continue


class _Newest:
    """The newest frame, for those who wait for one that they have not had."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._view: View | None = None
        self._taken = self._ended = self._stopped = False

    def put(self, view: View, *, wait: bool) -> bool:
        """Show the next frame, after the last one was taken if it is to `wait`; return False when all is to end."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._view is None or self._taken or self._stopped)
            self._view, self._taken = view, False
            self._changed.notify_all()
            return not self._stopped

    def after(self, index: int, *, lead: bool) -> View | None:
        """Return the newest frame with a number above `index`, when there is one; None when all has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._stopped or self._is_after(index))
            if self._stopped or not self._is_after(index):
                return None
            self._taken = self._taken or lead
            self._changed.notify_all()
            return self._view

    def rest(self, seconds: float) -> None:
        """Wait for this long, or until all is to end."""
        if seconds > 0:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, seconds)

    def end(self) -> None:
        """No more frames come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _is_after(self, index: int) -> bool:
        return self._view is not None and self._view.index > index
