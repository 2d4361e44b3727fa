"""A dict of named things that refuses duplicates and answers a misspelt name with the nearest ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from phosphene.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to things of one kind.

    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... def square(): return 4
    >>> shapes["square"]()
    4
    >>> list(shapes)
    ['square']
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under `name`."""

        def enter(thing: T) -> T:
            assert name not in self._entries, f"{self.kind} {name!r} is registered twice"
            self._entries[name] = thing
            return thing

        return enter

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
