"""Presets: settings that go well together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Settings that go well together, and a sentence on what they give."""

    about: str
    settings: Mapping[str, Any]


PRESETS: dict[str, Preset] = {
    "strokes": Preset("brush strokes and ornaments, the picture well recognisable.", {"target": "mixed3b"}),
    "eyes": Preset("eyes, fur and holes.", {"target": "mixed4c"}),
    "creatures": Preset("heads, and rows of figures.", {"target": "mixed5a"}),
    "2015": Preset(
        "the notebook of Mordvintsev, Olah and Tyka, to the letter; choose a net of its time with --net.",
        {
            "octaves": 4,
            "octave_scale": 1.4,
            "steps": 10,
            "step_size": 1.5 / 255,
            "jitter": 32,
            "shaping": "normalise",
            "natural_colour": 0.0,
            "headroom": 0.0,
            "equalise": False,
            "resampling": "linear",
        },
    ),
    "gentle": Preset("a hint of a dream.", {"steps": 4, "step_size": 0.01}),
}
"""What `preset` of a dream may be."""

IMAGINE_PRESETS: dict[str, Preset] = {
    "lucid": Preset(
        "feature visualisation as Olah, Mordvintsev and Schubert published it in 2017.",
        {"method": "lucid", "size": 128, "steps": 512, "rate": 0.05, "decay": 1.0},
    ),
}
"""What `preset` of what is imagined may be."""
