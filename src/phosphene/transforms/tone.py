"""Transforms of colour: contrast, colour cast and noise."""

from __future__ import annotations

import torch

from phosphene.errors import check
from phosphene.transforms.base import GREY, Transform
from phosphene.types import Image


def tint(strength: float, *, generator: torch.Generator) -> Transform:
    """Change each image's contrast at random, and give it a faint cast of a random colour.

    The contrast is multiplied by 1 + `strength` times a normal number. The result may leave [0, 1].

    Args:
        strength: from 0 (unchanged); 0.1 is usual.
        generator: the RNG.
    """
    check("tint", strength, strength >= 0, "0 or more")

    def cast(image: Image) -> Image:
        n = len(image)
        contrast = 1 + strength * torch.randn(n, 1, 1, 1, generator=generator)
        colour = strength / 4 * torch.randn(n, image.shape[1], 1, 1, generator=generator)
        return (image - GREY) * contrast.to(image) + (GREY + colour).to(image)

    return cast


def noise(strength: float, *, generator: torch.Generator) -> Transform:
    """Add normal noise to every pixel; the result may leave [0, 1].

    Args:
        strength: std of the noise, from 0; 1 is the range from black to white.
        generator: the RNG.
    """
    check("noise", strength, strength >= 0, "0 or more")
    return lambda image: image + strength * torch.randn(image.shape, generator=generator).to(image)
