"""Presets: settings that go well together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phosphene.errors import UnknownNameError


@dataclass(frozen=True)
class Preset:
    """Settings that go well together, and a sentence on what they give."""

    about: str
    settings: Mapping[str, Any]


NOTEBOOK: Mapping[str, Any] = {
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
}
"""How the DeepDream notebook of 2015 dreams."""

PRESETS: dict[str, Preset] = {
    "strokes": Preset("brush strokes and ornaments, the picture well recognisable.", {"target": "mixed3b"}),
    "eyes": Preset("eyes, fur and holes.", {"target": "mixed4c"}),
    "creatures": Preset("heads, and rows of figures.", {"target": "mixed5a"}),
    "2015": Preset("the notebook of Mordvintsev, Olah and Tyka, to the letter; choose a net of its time.", NOTEBOOK),
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

ZOOM_PRESETS: dict[str, Preset] = {
    "2015": Preset(
        "the notebook's: 100 frames, each of them a whole dream, and 1 / 0.95 times as large as the one before.",
        {**NOTEBOOK, "level": 0.0, "spin": "0", "speed": repr((1 / 0.95) ** 25), "fps": "25", "seconds": 4.0},
    ),
}
"""What `preset` of a zoom may be."""


def settings_of(known: Mapping[str, Preset], name: str | None) -> Mapping[str, Any]:
    """The settings of the preset called `name`, none for None; raises `UnknownNameError` for another name."""
    if name is None:
        return {}
    if name not in known:
        raise UnknownNameError("preset", name, known)
    return known[name].settings
