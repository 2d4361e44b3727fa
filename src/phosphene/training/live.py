"""The state of training as it is now, copied only when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor


class LiveState(Mapping[str, Tensor]):
    """A loop's state whose tensors are collected when they are first read.

    A network's weights and their optimizer's moments change with every step; to copy them each time, for a state that
    is kept every few seconds, would take much of the time. `current` is false once the loop has moved on without a
    copy having been taken: then there is nothing to resume from.
    """

    def __init__(self, collect: Callable[[], dict[str, Tensor]]) -> None:
        self._collect: Callable[[], dict[str, Tensor]] | None = collect
        self._kept: dict[str, Tensor] | None = None

    @property
    def current(self) -> bool:
        """Whether the state can still be read."""
        return self._kept is not None or self._collect is not None

    def expire(self) -> None:
        """Say that the loop moves on."""
        self._collect = None

    def _tensors(self) -> dict[str, Tensor]:
        if self._kept is None:
            assert self._collect is not None, "the loop has moved on"
            self._kept = self._collect()
        return self._kept

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors())

    def __len__(self) -> int:
        return len(self._tensors())
