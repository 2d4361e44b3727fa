"""Refuses pipes and devices that someone names as a model file: reading them might never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from phosphene.errors import WeightsError


def check_regular(path: Path) -> None:
    """Raise `WeightsError` for a pipe or device, and for a path that cannot be looked up."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}", path=path) from None
    except (OSError, ValueError) as problem:  # a name too long, or with a NUL in it
        raise WeightsError(f"cannot read {str(path)!r}: {problem}", path=path) from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise WeightsError(f"{path} is a device or pipe: save the network to a file first", path=path)
