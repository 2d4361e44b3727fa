"""What recipes of earlier versions mean by what they leave out: the defaults of their time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phosphene.recipe.presets import SUITED

SINCE = 3
"""The first version with the present defaults."""

NET = "pocket"
"""The network where none was named, before version 3."""

_ABSENT: Mapping[str, Mapping[str, Any]] = {kind: {"margin": 0} for kind in ("dream", "zoom", "video")}
"""Settings that were not there before version 3, as work was done without them, by kind of work."""


def completed(kind: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a recipe with the defaults that had other values, or no name, before version 3.

    >>> completed("dream", {"version": 2})["net"], completed("dream", {"version": 3})
    ({'name': 'pocket'}, {'version': 3})
    """
    version = data.get("version")
    if not isinstance(version, int) or version >= SINCE:
        return data
    return {"net": {"name": NET}, **_ABSENT.get(kind, {}), **SUITED.get(kind, {}).get(NET, {}), **data}
