"""Fetching a network under a bar, before it is asked for without one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def fetch(net: str, *, unverified: bool = False) -> Path | None:
    """Download the network `net` if it is a known one and not installed; return where it is kept."""
    from phosphene.nets.zoo import catalogue

    if net not in catalogue.ENTRIES:
        return None
    with _bar(net) as progress:
        return catalogue.fetch(net, progress, unverified=unverified)


@contextmanager
def _bar(net: str) -> Iterator[Callable[[int, int | None], None]]:
    """Return a progress bar on stderr if that is a terminal, and one that shows nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"fetching {net}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
