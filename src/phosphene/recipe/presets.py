"""Presets: settings that work well together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phosphene.errors import SettingError, UnknownNameError
from phosphene.recipe.base import DEFAULT_NET, NetUsed


@dataclass(frozen=True)
class Preset:
    """Settings that work well together, and a phrase that describes the result.

    `targets` has the target for each network that the preset was made for, where it brings out a certain layer.
    """

    about: str
    settings: Mapping[str, Any]
    targets: Mapping[str, str] = field(default_factory=dict)


NOTEBOOK: Mapping[str, Any] = {
    "octaves": 4,
    "octave_scale": 1.4,
    "steps": 10,
    "step_size": 1.5 / 255,
    "jitter": 32,
    "margin": 0,
    "shaping": "normalise",
    "natural_colour": 0.0,
    "headroom": 0.0,
    "equalise": False,
    "resampling": "linear",
}
"""How the DeepDream notebook of 2015 dreams."""

PRESETS: dict[str, dict[str, Preset]] = {
    "dream": {
        "strokes": Preset(
            "bold strokes and folds; the picture stays recognisable.", {}, {"lite": "block3", "pocket": "mixed3b"}
        ),
        "ornaments": Preset("rings, hatching and woven patterns.", {}, {"lite": "block8", "pocket": "mixed4a"}),
        "eyes": Preset("eyes, fur and shells.", {}, {"lite": "block11", "pocket": "mixed4c"}),
        "creatures": Preset("faces, plants and vessels.", {}, {"lite": "block13", "pocket": "mixed5a"}),
        "scenes": Preset("whole scenes: towers, clouds, landscapes.", {}, {"lite": "block15", "pocket": "mixed5b"}),
        "fine": Preset(
            "the fine grain of the network as it was published: scales, leaves, lace.",
            {"net": "lite-clean", "target": "block15"},
        ),
        "2015": Preset("the notebook of Mordvintsev, Olah and Tyka, exactly; choose a net of its time.", NOTEBOOK),
        "gentle": Preset("a hint of a dream.", {"steps": 4, "step_size": 0.01}),
    },
    "imagine": {
        "lucid": Preset(
            "feature visualisation as Olah, Mordvintsev and Schubert published it in 2017.",
            {"method": "lucid", "size": 128, "steps": 512, "rate": 0.05, "decay": 1.0},
        ),
    },
    "learn": {
        "pocket": Preset(
            "as the bundled network pocket was trained: its structure, pictures of 48 and then 64 pixels, the last "
            "third under attacks that grow from 0.3 to 0.9.",
            {
                "model": "inception",
                "side": 64,
                "growing": 0.75,
                "epochs": 24,
                "zoom": (0.6, 1.0),
                "rotate": 0.0,
                "mirror": "yes",
                "attack": 0.9,
                "attack_from": 0.67,
                "rate": 2e-3,
            },
        ),
        "lite": Preset(
            "as the bundled network lite was made from lite-clean: without labels, to say under attacks that "
            "grow to 1 what it says without.",
            {
                "start": "lite-clean",
                "lessons": "itself",
                "side": 144,
                "batch": 48,
                "epochs": 4,
                "zoom": (0.5, 1.0),
                "rotate": 0.0,
                "mirror": "yes",
                "attack": 1.0,
                "attack_from": 0.0,
                "rate": 2e-4,
                "weight_decay": 1e-5,
            },
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


SUITED: dict[str, dict[str, Mapping[str, Any]]] = {
    "imagine": {
        "pocket": {
            "size": 384,
            "steps": 96,
            "sketch_steps": 24,
            "views": 8,
            "decay": 1.3,
            "zoom": (0.8, 1.0),
            "noise": 0.08,
            "channel_dropout": 0.1,
            "natural": 1.0,
            "smooth": 6.0,
            "detail": 0.25,
            "sharpness": 0.0,
            "focus": 0.0,
            "calm": 0.0,
        },
    },
    "morph": {"pocket": {"steps": 96}},
}
"""Defaults that suit one network better than those of the recipes' fields, by kind of work and by network."""


def suited_settings(kind: str, net: str) -> Mapping[str, Any]:
    """Return the defaults of a kind's settings that are other than the fields' own for this network."""
    return SUITED.get(kind, {}).get(net, {})


def preset_settings(kind: str, name: str | None, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a kind's preset together with `settings`, which come first.

    Raises:
        UnknownNameError: for a preset that the kind does not have.
        SettingError: for a preset that needs a target on the network of the settings.
    """
    if name is None:
        return settings
    known = PRESETS.get(kind, {})
    if name not in known:
        raise UnknownNameError("preset", name, known)
    preset = known[name]
    chosen = {**preset.settings, **settings}
    if preset.targets and chosen.get("target") is None:
        net = net_of(chosen)
        if net not in preset.targets:
            nets = " and ".join(preset.targets)
            raise SettingError(
                f"the preset {name!r} knows its layers on {nets} only: give a --target for {net!r}",
                setting="preset",
                value=name,
            )
        chosen["target"] = preset.targets[net]
    return chosen


def net_of(settings: Mapping[str, Any]) -> str:
    """Return the name of the network in the settings, or of the one that is used where none is named."""
    net = settings.get("net", DEFAULT_NET)
    return net.name if isinstance(net, NetUsed) else str(net)
