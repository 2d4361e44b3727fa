"""DeepDream done properly: follow the gradients of image networks into pictures.

photo, noise --> canvas --> transforms --> net ----------> objective --> score (maximised)
                   ^                       runs only to    an expression   |
                   |                       the deepest     over layers     | autograd, to the image only
                   |                       layer needed                    v
                   +------- step <------- gradient shaping (Laplacian, normalise, blur)
loops:   ascent in octaves in tiles; each is a generator of steps
recipe:  everything above as one JSON text, carried inside every file that is written
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from phosphene.api import (
        again,
        again_steps,
        dream,
        dream_steps,
        imagine,
        imagine_steps,
        morph,
        sheet,
        sheet_steps,
        video,
        zoom,
    )
    from phosphene.attribution import see
    from phosphene.errors import PhospheneError as PhospheneError
    from phosphene.nets import load as load_net
    from phosphene.nets.foreign.wrap import wrap
    from phosphene.objectives import Channel, Class, Guide, Layer, Neuron, parse
    from phosphene.recipe import BaseRecipe as Recipe
    from phosphene.recipe import Noise
    from phosphene.render.picture import Picture

__all__ = [
    "Channel",
    "Class",
    "Guide",
    "Layer",
    "Neuron",
    "Noise",
    "PhospheneError",
    "Picture",
    "Recipe",
    "again",
    "again_steps",
    "dream",
    "dream_steps",
    "imagine",
    "imagine_steps",
    "load_net",
    "morph",
    "parse",
    "see",
    "sheet",
    "sheet_steps",
    "video",
    "wrap",
    "zoom",
]

_HOMES = {
    "errors": ("PhospheneError",),
    "nets.foreign.wrap": ("wrap",),
    "objectives": ("Channel", "Class", "Guide", "Layer", "Neuron", "parse"),
    "render.picture": ("Picture",),
    "recipe": ("Noise",),
    "api": (
        "again",
        "again_steps",
        "dream",
        "dream_steps",
        "imagine",
        "imagine_steps",
        "morph",
        "sheet",
        "sheet_steps",
        "video",
        "zoom",
    ),
    "attribution": ("see",),
}


def __getattr__(name: str) -> Any:
    # Found when first asked for, so that `import phosphene` does not import torch.
    from importlib import import_module

    if name == "Recipe":
        return import_module("phosphene.recipe").BaseRecipe
    if name == "load_net":
        return import_module("phosphene.nets").load
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"phosphene.{home}"), name)
    from phosphene.errors import nearest

    close = nearest(name, __all__)
    hint = f"; did you mean {close[0]!r}?" if close and not name.startswith("_") else ""
    raise AttributeError(f"module 'phosphene' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
