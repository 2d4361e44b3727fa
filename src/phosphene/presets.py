"""Presets: settings of a dream that go well together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Settings of a dream that go well together, and a sentence on what they give."""

    about: str
    settings: Mapping[str, Any]


PRESETS: dict[str, Preset] = {
    "strokes": Preset("brush strokes and ornaments, the picture well recognisable.", {"target": "mixed3b"}),
    "eyes": Preset("eyes, fur and holes.", {"target": "mixed4c"}),
    "creatures": Preset("heads, and rows of figures.", {"target": "mixed5a"}),
    "gentle": Preset("a hint of a dream.", {"steps": 4, "step_size": 0.01}),
}
"""What `preset` may be."""
