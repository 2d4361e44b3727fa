"""One stream of events for every page, which a page that was away catches up on."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

REMEMBERED = 2000
"""Events that a page that was away can catch up on; one that was away for longer gets a snapshot."""

BEHIND = 500
"""Events that wait for a page; one that is further behind is disconnected, and reconnects when it reads again."""

MOST_PAGES = 100


@dataclass(frozen=True)
class Message:
    """One event: its `id`, its `name`, and its `data`, which JSON can hold."""

    id: str
    name: str
    data: Any


class Events:
    """Sends each event to every page. `snapshot` returns what a page that knows nothing is told first."""

    def __init__(self, snapshot: Callable[[], Any]) -> None:
        self._snapshot = snapshot
        self._run = secrets.token_hex(4)  # ids of another run of the server mean nothing to this one
        self._count = 0
        self._past: deque[Message] = deque(maxlen=REMEMBERED)
        self._pages: dict[asyncio.Queue[Message | None], None] = {}

    def send(self, name: str, data: Any) -> None:
        """Send an event to every page."""
        self._count += 1
        message = Message(f"{self._run}-{self._count}", name, data)
        self._past.append(message)
        for page in list(self._pages):
            if page.qsize() >= BEHIND:
                self._drop(page)
            else:
                page.put_nowait(message)

    def close(self) -> None:
        """End every page's stream."""
        for page in list(self._pages):
            self._drop(page)

    async def listen(self, last: str | None) -> AsyncIterator[Message]:
        """Yield a page's events: those after the one with the id `last` if it is remembered, or a snapshot first."""
        page: asyncio.Queue[Message | None] = asyncio.Queue()
        while len(self._pages) >= MOST_PAGES:
            self._drop(next(iter(self._pages)))
        self._pages[page] = None
        missed = self._since(last)
        if missed is None:
            page.put_nowait(Message(f"{self._run}-{self._count}", "snapshot", self._snapshot()))
        for each in missed or ():
            page.put_nowait(each)
        try:
            while (message := await page.get()) is not None:
                yield message
        finally:
            self._pages.pop(page, None)

    def _since(self, last: str | None) -> list[Message] | None:
        run, _, number = (last or "").partition("-")
        if run != self._run or not number.isdecimal():
            return None
        missed = self._count - int(number)
        if not 0 <= missed <= len(self._past):
            return None
        return list(self._past)[len(self._past) - missed :]

    def _drop(self, page: asyncio.Queue[Message | None]) -> None:
        self._pages.pop(page, None)
        while not page.empty():
            page.get_nowait()
        page.put_nowait(None)
