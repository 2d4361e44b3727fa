"""libvips, imported when the first picture needs it (it costs 80 ms) and set up for one picture at a time."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def vips() -> ModuleType:
    """Return the pyvips module; its log goes to `logging` under "pyvips".

    libvips keeps the results of its last operations, whole pictures among them; we never repeat one.
    """
    import pyvips

    pyvips.cache_set_max(0)
    return pyvips


def complaint(problem: Exception) -> str:
    """Return libvips's complaint on one line: its last words are the most specific.

    >>> complaint(Exception("unable to write to memory\\n  source: bad seek to 9\\nheif: end of file\\n"))
    'heif: end of file'
    """
    lines = [" ".join(line.split()) for line in str(problem).splitlines()]
    particular = [
        line for line in lines if line and not line.endswith(("load error", "unable to open source for input"))
    ]
    return particular[-1][:160] if particular else "no reason given"
