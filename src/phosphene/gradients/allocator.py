"""Memory that one step frees and the next one needs again: kept by the process instead of being given back.

The C library returns large blocks to the system as soon as they are free, and the system clears each page again when it
is next touched, which takes up to a third of a step (docs/performance.md). A program that calls `keep_memory` keeps
free blocks while an engine lives; the command line does. Using the library alone changes nothing in the C library.

Free memory is fragmented, and may exceed what is needed at once; beyond a given `slack` it is returned. The first step
at a size is an exception: what libraries allocate then and keep (oneDNN its compiled kernels) would separate large
blocks for good, and take half as much memory again at 1024 x 1024.
"""

from __future__ import annotations

import ctypes
import math
import platform
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from mmap import PAGESIZE, mmap
from threading import RLock

import torch
from torch import Tensor, nn

from phosphene.gradients import bitmask
from phosphene.nets.base import sparing

# From glibc's malloc.h and malloc.c.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
USUAL_TRIM_THRESHOLD, USUAL_MMAP_THRESHOLD, USUAL_MMAP_MAX = 128 << 10, 128 << 10, 65536
NEVER = -1

LARGE = 1 << 20
"""Bytes from which a block is allocated by itself while settling."""

SMALL = 1 << 14
"""Bytes below which separate pages would waste more than they save."""

Watch = Callable[[], None]


def _nothing() -> None:
    """Do nothing: a step that need not be watched."""


def keep_memory(enabled: bool = True) -> None:
    """Keep free memory in this process while an engine lives; does nothing where the C library is not glibc.

    It tunes the C library's allocator for the whole process, so it is for programs to call, not for libraries. Engines
    that exist already are not affected.
    """
    global _enabled
    _enabled = enabled


class Keeper:
    """While one lives, free memory is kept, if the program has asked for it with `keep_memory`."""

    def __init__(self) -> None:
        self._settled: set[torch.Size] = set()
        self._least = 0
        self._active = _enabled and _glibc() is not None
        if self._active:
            _keepers.enter()
            weakref.finalize(self, _keepers.leave).atexit = False

    @contextmanager
    def step(self, shape: torch.Size, slack: float = math.inf) -> Iterator[Watch]:
        """Enter a step on pictures of this shape, which may keep `slack` bytes more than it needs.

        In the first step, large blocks come from the system and return to it. Call the yielded function now and then
        during a step: if the process has grown by more than `slack`, it returns free memory to the system.
        """
        if not self._active:
            yield _nothing
        elif shape not in self._settled:
            self._settled.add(shape)
            with _keepers.aside():
                yield _nothing
            self._least = resident()
        else:
            self._least = min(self._least, resident())
            yield partial(self._watch, slack)

    def _watch(self, slack: float) -> None:
        libc = _glibc()
        if libc is not None and resident() > self._least + slack:
            libc.malloc_trim(0)
            self._least = resident()


def resident() -> int:
    """Return the bytes of memory that this process occupies, as Linux counts them."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGESIZE


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Call `watch` whenever autograd saves something large, and when it uses it again."""

    def keep(tensor: Tensor) -> Tensor:
        if tensor.nbytes >= LARGE:
            watch()
        return _let_go(tensor)

    with torch.autograd.graph.saved_tensors_hooks(keep, keep):
        yield


@contextmanager
def apart(watch: Watch = _nothing) -> Iterator[None]:
    """Put what autograd saves meanwhile into memory of its own, so that it does not fragment the memory in use.

    Masks are saved as bits. `watch` is called whenever something is saved or used again.
    """

    def keep(tensor: Tensor) -> Callable[[], Tensor]:
        watch()
        return _set_apart(tensor)

    def take_up(kept: Callable[[], Tensor]) -> Tensor:
        watch()
        return kept()

    with sparing(), torch.autograd.graph.saved_tensors_hooks(keep, take_up):
        yield


def _set_apart(tensor: Tensor) -> Callable[[], Tensor]:
    if tensor.device.type != "cpu" or isinstance(tensor, nn.Parameter) or tensor.nbytes < SMALL:
        kept = _let_go(tensor)
        return lambda: kept
    strides = torch.empty_like(tensor, device="meta").stride()  # dense, even if it is part of another
    if tensor.dtype == torch.bool and tensor.stride() == strides:
        packed = _copied(bitmask.pack(tensor), (1,))
        return partial(bitmask.unpack, packed, tensor.shape, strides)
    copy = _copied(tensor, strides)
    return lambda: copy


def _let_go(tensor: Tensor) -> Tensor:
    """Return the same values without their graph: an operation that holds its own result would never be freed."""
    return tensor.detach() if tensor.requires_grad else tensor


def _copied(tensor: Tensor, strides: tuple[int, ...]) -> Tensor:
    place = torch.frombuffer(mmap(-1, tensor.nbytes), dtype=tensor.dtype)
    return place.as_strided(tensor.shape, strides).copy_(tensor)


class _Keepers:
    """Counts keepers and settling steps, and applies the allocator settings that follow."""

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
_enabled = False


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
