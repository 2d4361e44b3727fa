"""Small pictures of what targets look like: made once, when a page asks for them, and kept in the folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from phosphene.studio.events import Events
from phosphene.studio.folder import Folder
from phosphene.studio.helper import Helper, Message

MOST_WANTED = 64
"""Tiles that wait to be made; older wishes are dropped."""


class Wanted(BaseModel):
    """The tiles that a page wants to show."""

    model_config = ConfigDict(extra="forbid")

    net: str = Field(max_length=100)
    targets: list[str] = Field(max_length=MOST_WANTED, description="Targets in the objective language.")


class Tiles:
    """Makes tiles in a process of their own, one at a time, and only while `busy` returns False.

    A page asks with `want`, and is told each tile that is made by an event `tile`.
    """

    def __init__(self, folder: Folder, events: Events, busy: Callable[[], bool]) -> None:
        self._folder, self._events, self._busy = folder, events, busy
        self._helper: Helper | None = None  # started by the first wish, as it takes memory
        self._wanted: dict[str, tuple[str, str]] = {}
        self._making: str | None = None

    def want(self, net: str, targets: Sequence[str]) -> dict[str, str]:
        """Return the keys of the tiles that are there, by target; the others are made, the newest wishes first."""
        ready: dict[str, str] = {}
        for target in reversed([each for each in targets if len(each) <= 200]):
            key = key_of(net, target)
            if self.path(key).is_file():
                ready[target] = key
            elif key != self._making:
                self._wanted.pop(key, None)
                self._wanted[key] = (net, target)
        for old in list(self._wanted)[:-MOST_WANTED]:
            del self._wanted[old]
        self.next()
        return ready

    def path(self, key: str) -> Path:
        """Return where a tile is kept."""
        return self._folder.tile(key)

    def next(self) -> None:
        """Make the next tile, if nothing that somebody waits for is being rendered."""
        if self._making is not None or not self._wanted or self._busy():
            return
        if self._helper is None:
            self._helper = Helper("studio.imagining:main", self._folder.root, self._on_message)
        self._making = next(reversed(self._wanted))
        net, target = self._wanted.pop(self._making)
        self._helper.send("tile", self._making, net, target)

    def close(self) -> None:
        """End the process."""
        if self._helper is not None:
            self._helper.close()

    def _on_message(self, message: Message) -> None:
        self._making = None
        if message[0] == "made":
            _, key, net, target = message
            self._events.send("tile", {"net": net, "target": target, "key": key})
        self.next()


def key_of(net: str, target: str) -> str:
    """Return the name under which a tile is kept.

    >>> len(key_of("pocket", "mixed3a:7"))
    32
    """
    return hashlib.sha256(f"1 {net} {target}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
