"""Random changes to an image before the network sees it, so that what is drawn does not depend on its exact position.

Each is a function of its settings and a source of random numbers that returns a function from images to images,
differentiable in the images; `compose` chains them. An image that still scores when it is moved, rotated and recoloured
is one that people recognise too (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017,
"Transformation robustness").
"""

from phosphene.transforms.base import Draw, Transform, compose
from phosphene.transforms.geometry import crop, pad, rotate, scale, shift, views, with_margin
from phosphene.transforms.tone import noise, tint

__all__ = [
    "Draw",
    "Transform",
    "compose",
    "crop",
    "noise",
    "pad",
    "rotate",
    "scale",
    "shift",
    "tint",
    "views",
    "with_margin",
]
