"""The program, run inside the test's own process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from phosphene.cli.root import phosphene


def run(*args: str | Path) -> Result:
    """What `phosphene` gives for these arguments."""
    return CliRunner().invoke(phosphene, [*map(str, args)])
