"""Presets: settings that work well together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phosphene.errors import UnknownNameError


@dataclass(frozen=True)
class Preset:
    """Settings that work well together, and a phrase that describes the result."""

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

PRESETS: dict[str, dict[str, Preset]] = {
    "dream": {
        "strokes": Preset("brush strokes and ornaments; the picture stays recognisable.", {"target": "mixed3b"}),
        "eyes": Preset("eyes, fur and holes.", {"target": "mixed4c"}),
        "creatures": Preset("heads, and rows of figures.", {"target": "mixed5a"}),
        "2015": Preset("the notebook of Mordvintsev, Olah and Tyka, exactly; choose a net of its time.", NOTEBOOK),
        "gentle": Preset("a hint of a dream.", {"steps": 4, "step_size": 0.01}),
    },
    "imagine": {
        "lucid": Preset(
            "feature visualisation as Olah, Mordvintsev and Schubert published it in 2017.",
            {"method": "lucid", "size": 128, "steps": 512, "rate": 0.05, "decay": 1.0},
        ),
    },
    "zoom": {
        "2015": Preset(
            "the notebook's zoom: 100 frames, each a whole dream, each 1 / 0.95 times as large as the last.",
            {**NOTEBOOK, "level": 0.0, "spin": "0", "speed": repr((1 / 0.95) ** 25), "fps": "25", "seconds": 4.0},
        ),
    },
}
"""The presets of each kind of work, by name."""


def preset_settings(kind: str, name: str | None) -> Mapping[str, Any]:
    """Return the settings of a kind's preset, none for None; raise `UnknownNameError` for an unknown name."""
    if name is None:
        return {}
    known = PRESETS.get(kind, {})
    if name not in known:
        raise UnknownNameError("preset", name, known)
    return known[name].settings
