"""Resizing of images."""

from __future__ import annotations

import math
from collections.abc import Callable

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


Span = tuple[int, int]
"""First pixel along one axis, and the one after the last."""

Interval = tuple[float, float]
"""Where a part of an axis begins and ends, in pixels."""

Read = Callable[[Span, Span], Tensor]
"""Returns the rows and columns of an image that is not in memory as a whole, `n c h w`."""

_REACH = {"bicubic": 2.0, "triangle": 1.0}


def resize_part(
    read: Read,
    size: Size,
    wanted: Size,
    rows: Span,
    columns: Span,
    resampling: str = "bicubic",
    box: tuple[Interval, Interval] | None = None,
) -> Tensor:
    """Return a part of what `resize` gives, from the pixels that it needs alone.

    >>> image = torch.rand(1, 3, 40, 50)
    >>> part = resize_part(lambda r, c: image[:, :, slice(*r), slice(*c)], (40, 50), (70, 90), (10, 20), (30, 60))
    >>> torch.allclose(part, resize(image, (70, 90))[:, :, 10:20, 30:60], atol=1e-5)
    True

    Args:
        read: gives the pixels of the image.
        size: (height, width) of the image.
        wanted: (height, width) of the resized image, of which this is a part.
        rows: of that part.
        columns: of that part.
        resampling: one of `RESAMPLINGS`; or "triangle", the antialiased linear interpolation of pyramids.
        box: the part of the image that is resized, as its rows and columns in pixels, which need not be whole; by
            default all of it. Beyond it, the image itself is interpolated.
    """
    spans, taps = [], []
    for axis, span in enumerate((rows, columns)):
        along = (0.0, float(size[axis])) if box is None else box[axis]
        first, weights = _weights(size[axis], wanted[axis], span, resampling, along)
        spans.append((int(first.min()), min(size[axis], int(first.max()) + weights.shape[1])))
        taps.append((first, weights))
    part = read(spans[0], spans[1])
    for axis in (1, 0):  # as torch does
        if axis == 1 and columns == (0, wanted[1]) and box is None and resampling != "linear":
            mode = {"bicubic": "bicubic", "triangle": "bilinear"}[resampling]  # faster, and the same
            part = F.interpolate(part, (part.shape[-2], wanted[1]), mode=mode, antialias=True)
            continue
        first, weights = taps[axis]
        part = _weighted(part, axis + 2, first - spans[axis][0], weights)
    return part


def _weights(length: int, wanted: int, span: Span, resampling: str, along: Interval) -> tuple[Tensor, Tensor]:
    """Return, for each place of a span, the first pixel that it is made of, and the weights of that and the next."""
    scale = (along[1] - along[0]) / wanted
    places = torch.arange(*span, dtype=torch.float64)
    if resampling == "linear":
        step = (along[1] - along[0] - 1) / (wanted - 1) if wanted > 1 else 0.0
        centres = (along[0] + places * step).clamp(0, length - 1)
        first = centres.floor().clamp(max=length - 1).long()
        share = centres - first
        return first, torch.stack((1 - share, share), dim=1).float()
    wide = max(scale, 1.0)
    reach = _REACH[resampling] * wide
    centres = along[0] + (places + 0.5) * scale
    first = (centres - reach + 0.5).floor().clamp(0, length - 1).long()
    pixels = first[:, None] + torch.arange(math.ceil(2 * reach) + 1)
    weights = _kernel((pixels + 0.5 - centres[:, None]).div(wide).abs(), resampling)
    weights[pixels >= length] = 0
    return first, (weights / weights.sum(dim=1, keepdim=True)).float()


def _kernel(distance: Tensor, resampling: str) -> Tensor:
    """Return the interpolation kernel at these distances: linear, or cubic with a = -1/2 (Keys 1981)."""
    near = distance
    if resampling == "triangle":
        return (1 - near).clamp_min(0)
    inner = (1.5 * near - 2.5) * near * near + 1
    outer = ((-0.5 * near + 2.5) * near - 4) * near + 2
    return torch.where(near < 1, inner, torch.where(near < 2, outer, 0.0))


def _weighted(image: Tensor, axis: int, first: Tensor, weights: Tensor) -> Tensor:
    shape = [1] * image.dim()
    shape[axis] = -1
    total: Tensor | None = None
    for tap in range(weights.shape[1]):
        weight = weights[:, tap]
        if not bool(weight.any()):
            continue
        index = (first + tap).clamp(max=image.shape[axis] - 1).to(image.device)
        part = image.index_select(axis, index).mul_(weight.view(shape).to(image.device))
        total = part if total is None else total.add_(part)
    assert total is not None, "weights add up to 1"
    return total
