"""Progress of libvips, which computes and encodes a picture in one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyvips

EVERY = 0.2
"""Seconds between reports."""


def reported(picture: pyvips.Image, write: Callable[[], None]) -> Iterator[float]:
    """Call `write`, which evaluates the picture, in a thread; yield the share of the rows that is evaluated meanwhile.

    What `write` raises is raised here. If the caller stops, the writing is stopped too.
    """
    problems: list[BaseException] = []
    share, stopped = 0.0, False

    def see(image: Any, report: Any) -> None:
        nonlocal share
        share = max(share, min(1.0, report.percent / 100))
        if stopped:
            image.set_kill(True)

    def work() -> None:
        try:
            write()
        except BaseException as problem:  # raised again below, in the caller's thread
            problems.append(problem)

    picture.set_progress(True)
    picture.signal_connect("eval", see)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        told = time.monotonic()
        while thread.is_alive():
            thread.join(0.02)
            if time.monotonic() - told >= EVERY:
                told = time.monotonic()
                yield share
        if problems:
            raise problems[0]
        yield 1.0
    finally:
        stopped = True
        thread.join()
