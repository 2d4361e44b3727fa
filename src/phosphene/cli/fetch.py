"""Fetching a network, and other work outside of jobs, under a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from phosphene.cli.root import is_quiet

LINE_SECONDS = 10.0
"""Time between lines of progress where they cannot be drawn over."""


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


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Return a progress bar of things done on stderr if that is a terminal, and a line every ten seconds otherwise."""
    if is_quiet():
        yield lambda done, of: None
        return
    if not sys.stderr.isatty():
        last = time.monotonic()

        def tell(done: int, of: int) -> None:
            nonlocal last
            if time.monotonic() - last >= LINE_SECONDS:
                last = time.monotonic()
                click.echo(f"{what}: {done} of {of}", err=True)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
