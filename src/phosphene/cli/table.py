"""Rows for people, in columns, or for programs, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from phosphene.cli.root import printable

F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, object]

WIDEST = 10_000
"""Columns of a table in a pipe."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def show(rows: Sequence[Row], as_json: bool) -> None:
    """Print rows that have the same columns; numbers are aligned right."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in rows[0] if rows else ():
        right = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    # In a pipe, lines are as long as they need to be.
    console = Console(width=None if sys.stdout.isatty() else WIDEST)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return printable(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
