"""Memory that a step frees and the next one needs again: kept by the process, not given back and fetched anew.

The C library hands large blocks back to the system as soon as they are free, and the system clears each page again
when it is touched next, which takes up to a third of a step (docs/performance.md). While an engine lives, free blocks
stay; when the last is gone, they go back.

The first step at a size is the exception: what libraries make then and keep for later (oneDNN its compiled kernels)
would come to lie between large blocks, which could never be joined again: half as much memory again at 1024 x 1024.
"""

from __future__ import annotations

import ctypes
import platform
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from mmap import mmap
from threading import RLock

import torch
from torch import Tensor, nn

from phosphene.gradients import bits

# From glibc's malloc.h and malloc.c.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
USUAL_TRIM_THRESHOLD, USUAL_MMAP_THRESHOLD, USUAL_MMAP_MAX = 128 << 10, 128 << 10, 65536
NEVER = -1

LARGE = 1 << 20
"""Bytes from which a block is taken from the system by itself while settling."""

SMALL = 1 << 14
"""Bytes below which setting something apart, in pages of its own, would waste more than it saves."""


class Keeper:
    """While one lives, free memory is kept; nothing happens where the C library is not glibc."""

    def __init__(self) -> None:
        self._settled: set[torch.Size] = set()
        if _glibc() is not None:
            _keepers.enter()
            weakref.finalize(self, _keepers.leave).atexit = False

    @contextmanager
    def step(self, shape: torch.Size) -> Iterator[None]:
        """For a step on pictures of this shape: in the first, large blocks come from the system, and go back to it."""
        fresh = shape not in self._settled and _glibc() is not None
        self._settled.add(shape)
        with _keepers.aside() if fresh else nullcontext():
            yield


@contextmanager
def apart() -> Iterator[None]:
    """What autograd keeps meanwhile lies apart from the memory that is used over and over, and does not part it.

    Of masks it keeps the bits.
    """
    with torch.autograd.graph.saved_tensors_hooks(_set_apart, lambda restored: restored()):
        yield


def _set_apart(tensor: Tensor) -> Callable[[], Tensor]:
    if tensor.device.type not in ("cpu", "meta") or isinstance(tensor, nn.Parameter) or tensor.nbytes < SMALL:
        return lambda: tensor
    strides = torch.empty_like(tensor, device="meta").stride()  # without gaps, if it is part of another
    if tensor.dtype == torch.bool and tensor.stride() == strides:
        packed = _copied(bits.pack(tensor), (1,))
        return partial(bits.unpack, packed, tensor.shape, strides)
    copy = _copied(tensor, strides)
    return lambda: copy


def _copied(tensor: Tensor, strides: tuple[int, ...]) -> Tensor:
    if tensor.device.type == "meta":
        return tensor.clone()
    place = torch.frombuffer(mmap(-1, tensor.nbytes), dtype=tensor.dtype)
    return place.as_strided(tensor.shape, strides).copy_(tensor)


class _Keepers:
    """How many keepers there are, and how many steps are settling."""

    def __init__(self) -> None:
        self._count = self._settling = 0
        self._lock = RLock()  # a keeper may be collected in the middle of this

    def enter(self) -> None:
        with self._lock:
            self._count += 1
            self._apply()

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            self._apply()

    @contextmanager
    def aside(self) -> Iterator[None]:
        with self._lock:
            self._settling += 1
            self._apply()
        try:
            yield
        finally:
            with self._lock:
                self._settling -= 1
                self._apply()

    def _apply(self) -> None:
        libc = _glibc()
        assert libc is not None, "only glibc's memory is kept"
        if self._count and not self._settling:
            libc.mallopt(M_MMAP_MAX, 0)
            libc.mallopt(M_TRIM_THRESHOLD, NEVER)
        else:
            libc.mallopt(M_MMAP_MAX, USUAL_MMAP_MAX)
            libc.mallopt(M_MMAP_THRESHOLD, LARGE if self._settling else USUAL_MMAP_THRESHOLD)
            libc.mallopt(M_TRIM_THRESHOLD, USUAL_TRIM_THRESHOLD)
            libc.malloc_trim(0)


_keepers = _Keepers()


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
