"""Objectives: what a picture is changed towards, as one small language and the expressions it is parsed into."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phosphene.objectives.base import Leaf, Objective, Scaled, Sum, resolve
    from phosphene.objectives.expr import parse
    from phosphene.objectives.features import Channel, Class, Layer, Neuron, Word
    from phosphene.objectives.functions.direction import Direction
    from phosphene.objectives.functions.guide import Guide
    from phosphene.objectives.functions.like import Inversion, Like
    from phosphene.objectives.functions.style import Style
    from phosphene.objectives.priors import diversity

__all__ = [
    "Channel",
    "Class",
    "Direction",
    "Guide",
    "Inversion",
    "Layer",
    "Leaf",
    "Like",
    "Neuron",
    "Objective",
    "Scaled",
    "Style",
    "Sum",
    "Word",
    "diversity",
    "parse",
    "resolve",
]

_HOME = {
    **dict.fromkeys(("Leaf", "Objective", "Scaled", "Sum", "resolve"), "base"),
    **dict.fromkeys(("Channel", "Class", "Layer", "Neuron", "Word"), "features"),
    "Direction": "functions.direction",
    "Guide": "functions.guide",
    **dict.fromkeys(("Inversion", "Like"), "functions.like"),
    "Style": "functions.style",
    "diversity": "priors",
    "parse": "expr",
}


def __getattr__(name: str) -> Any:
    # Found when first asked for: the leaves import torch, which those who only import the package do not
    # need.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
