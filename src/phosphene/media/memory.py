"""The memory that work will need, compared with what there is before any is taken."""

from __future__ import annotations

import math
import os
from pathlib import Path

from phosphene.errors import SettingError
from phosphene.types import Size

SHARE = 0.9
"""Of the available memory that work may plan to use."""

NUMBER = 4
"""Bytes of a float32."""

COPIES = 3
"""Of every picture that are in memory at once: the result, its start, and the one being written or changed."""


def available() -> int | None:
    """Return the bytes of memory that can still be used, or None if the system does not say.

    Linux counts the caches that it can free; limits of a control group (containers) count too.
    """
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        try:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, OSError, ValueError):
            return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")
        found.append(max(0, int(limit) - int(used)))
    except (OSError, ValueError):  # no limit, or no control groups
        pass
    return min(found, default=None)


def check(size: Size, count: int = 1, *, setting: str = "size") -> None:
    """Raise `SettingError` if `count` pictures of `size` (height, width) do not fit into memory.

    The error names what would fit.
    """
    have = available()
    need = math.prod(size) * 3 * NUMBER * COPIES * count
    if have is None or need <= SHARE * have:
        return
    most = SHARE * have / (3 * NUMBER * COPIES)
    pictures, verb = (f"{count} pictures", "need") if count > 1 else ("a picture", "needs")
    side = int(math.sqrt(most / count / math.prod(size)) * max(size))
    fewer = f", or at most {int(most // math.prod(size))} of this size" if count > 1 and most >= math.prod(size) else ""
    raise SettingError(
        f"{pictures} of {size[1]}x{size[0]} {verb} {_gigabytes(need)} of memory, but {_gigabytes(have)} are available: "
        f"choose a longest side of at most {side}{fewer}",
        setting=setting,
        value=size,
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
