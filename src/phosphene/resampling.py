"""Resizing of images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.types import Size

RESAMPLINGS = ("bicubic", "linear")
"""Bicubic and antialiased; or linear between corner pixels and not antialiased, as in the 2015 notebook."""


def resize(image: Tensor, size: Size, resampling: str = "bicubic", *, clamp: bool = False) -> Tensor:
    """Resize an image.

    Args:
        image: `n c h w`.
        size: (height, width) in pixels.
        resampling: one of `RESAMPLINGS`.
        clamp: whether the result is limited to [0, 1], which bicubic interpolation overshoots.

    Returns:
        `n c height width`; `image` itself if it has that size.
    """
    if image.shape[-2:] == torch.Size(size):
        return image
    if resampling == "linear":
        resized = F.interpolate(image, size, mode="bilinear", align_corners=True)
    else:
        resized = F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp_(0, 1) if clamp else resized
