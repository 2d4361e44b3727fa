"""Rows for people, in columns, or for programs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, object]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def show(rows: Sequence[Row], as_json: bool) -> None:
    """Print rows that have the same columns; numbers stand at the right of theirs."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    names = list(rows[0]) if rows else []
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    right = [all(isinstance(row[name], int | float | None) for row in rows) for name in names]
    for row in cells:
        columns = [
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(row, widths, right, strict=True)
        ]
        click.echo("  ".join(columns).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
