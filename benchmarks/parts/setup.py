"""How a benchmark is set up."""

from __future__ import annotations

import os
import sys

from phosphene.cli.root import LIBRARIES


def as_the_command_line() -> None:
    """Restart the program with the command line's settings of libraries, which read them when they load."""
    if not LIBRARIES.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**LIBRARIES, **os.environ})
