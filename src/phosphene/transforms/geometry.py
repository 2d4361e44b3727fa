"""Transforms of position: views, shifts, borders, crops, scales and rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import check
from phosphene.transforms.base import GREY, Draw, Transform
from phosphene.types import Image, Size


def views(
    count: int,
    size: Size,
    *,
    zoom: tuple[float, float] = (1.0, 1.0),
    rotate: float = 0.0,
    flip: bool = False,
    generator: torch.Generator,
) -> Transform:
    """Take `count` views of each image: crops of random size and position, rotated, and mirrored half of the time.

    >>> look = views(4, (64, 64), zoom=(0.7, 1.0), rotate=8, flip=True, generator=torch.Generator().manual_seed(0))
    >>> look(torch.rand(2, 3, 96, 96)).shape
    torch.Size([8, 3, 64, 64])

    Crop, scale, rotation and mirroring are one resampling, not four. Beyond its edge, the image continues mirrored. The
    views of one image follow one another: the first `count` are those of the first image.

    Args:
        count: from 1.
        size: (height, width) of a view; larger parts of the image are averaged down to it.
        zoom: smallest and largest share of the image's height (and width) in a view, above 0; a view of more than 1
            reaches beyond the image.
        rotate: the largest rotation to either side in degrees, from 0 to 180.
        flip: whether half of the views are mirrored left to right.
        generator: the RNG.

    Raises:
        SettingError: for a number out of range.
    """
    check("views", count, count >= 1, "1 or more")
    check("zoom", zoom, 0 < zoom[0] <= zoom[1], "two numbers above 0, the smaller first")
    check("rotate", rotate, 0 <= rotate <= 180, "from 0 to 180 degrees")

    def look(image: Image) -> Float[Tensor, "views channels height width"]:
        n = len(image) * count

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, generator=generator)

        share = uniform(*zoom)
        angle = uniform(-rotate, rotate) * (math.pi / 180)
        slack = (1 - share).abs()
        across, down = slack * uniform(-1, 1), slack * uniform(-1, 1)
        mirror = 1 - 2 * torch.randint(2, (n,), generator=generator) if flip else torch.ones(n)
        # Positions run from -1 to 1 along both sides, so that rotating an image that is not square needs its aspect.
        aspect = image.shape[-1] / image.shape[-2]
        cosine, sine = share * angle.cos(), share * angle.sin()
        rows = (cosine * mirror, -sine / aspect, across, sine * aspect * mirror, cosine, down)
        matrices = torch.stack(rows, dim=1).view(n, 2, 3).to(image)
        # A position of the view that covers several pixels is the mean of as many samples on each side.
        shrink = max(image.shape[-2] / size[0], image.shape[-1] / size[1]) * zoom[1]
        fine = max(1, math.ceil(shrink - 0.3))
        height, width = size[0] * fine, size[1] * fine
        grid = F.affine_grid(matrices, [n, image.shape[1], height, width], align_corners=False)
        # The views of one image are sampled as one tall view, so that the image is never copied.
        grid = grid.view(len(image), count * height, width, 2)
        seen = F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        seen = seen.view(len(image), image.shape[1], count, height, width).transpose(1, 2).flatten(0, 1)
        return F.avg_pool2d(seen, fine) if fine > 1 else seen

    return look


def shift(pixels: int, *, draw: Draw) -> Transform:
    """Roll all images together by up to `pixels` on each axis; what leaves on one side enters on the other.

    It hides the network's grid (Mordvintsev, Olah and Tyka 2015, "jitter").

    >>> shift(3, draw=lambda low, high: low)(torch.arange(5.0).expand(1, 3, 5, 5))[0, 0, 0]
    tensor([3., 4., 0., 1., 2.])
    """
    check("jitter", pixels, pixels >= 0, "0 or more pixels")

    def roll(image: Image) -> Image:
        down, across = draw(-pixels, pixels), draw(-pixels, pixels)
        return torch.roll(image, (down, across), dims=(2, 3))

    return roll


def with_margin(pixels: int, jitter: int, *, draw: Draw) -> Transform:
    """Show all images with a margin that mirrors them, of `pixels` on each side, shifted by up to `jitter`.

    What a network makes of its own padding, and of an edge beside the opposite one, then stays outside of the images.
    The margin counts as constant: the gradient of an image is what arrives within it.

    >>> with_margin(2, 1, draw=lambda low, high: high)(torch.arange(5.0).expand(1, 3, 5, 5))[0, 0, 0]
    tensor([2., 1., 0., 0., 1., 2., 3., 4., 4.])

    Raises:
        SettingError: for a negative number, or a margin smaller than the jitter.
    """
    check("jitter", jitter, jitter >= 0, "0 or more pixels")
    check("margin", pixels, pixels >= jitter, "at least as many pixels as jitter")

    def look(image: Image) -> Float[Tensor, "n channels height width"]:
        top, left = pixels + draw(-jitter, jitter), pixels + draw(-jitter, jitter)
        height, width = image.shape[-2:]
        down = mirrored(-top, height + 2 * pixels - top, height).to(image.device)
        across = mirrored(-left, width + 2 * pixels - left, width).to(image.device)
        seen: Tensor = _Margin.apply(image, down, across, (top, left))
        return seen

    return look


class _Margin(torch.autograd.Function):
    """An image at places that may lie outside of it, where its gradient is dropped."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, down: Tensor, across: Tensor, corner: tuple[int, int]) -> Tensor:
        ctx.corner, ctx.size = corner, image.shape[-2:]
        return image.index_select(-2, down).index_select(-1, across)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor, None, None, None]:
        (direction,), (top, left), (height, width) = directions, ctx.corner, ctx.size
        return direction[..., top : top + height, left : left + width], None, None, None


def mirrored(start: int, end: int, length: int) -> Tensor:
    """Return which places of an axis are seen from `start` to `end`, if it continues mirrored at both ends.

    >>> mirrored(-2, 4, 3)
    tensor([1, 0, 0, 1, 2, 2])
    """
    places = torch.arange(start, end) % (2 * length)
    return torch.minimum(places, 2 * length - 1 - places)


def pad(pixels: int, value: float = GREY) -> Transform:
    """Add an even border on each side, so that what lies at the edge is seen whole.

    >>> pad(2)(torch.rand(1, 3, 5, 7)).shape
    torch.Size([1, 3, 9, 11])
    """
    check("pad", pixels, pixels >= 0, "0 or more pixels")
    return lambda image: F.pad(image, (pixels,) * 4, value=value)


def crop(pixels: int, *, draw: Draw) -> Transform:
    """Crop all images together at a random position to a size that is smaller by `pixels` on each axis.

    >>> crop(2, draw=lambda low, high: high)(torch.rand(1, 3, 5, 7)).shape
    torch.Size([1, 3, 3, 5])
    """
    check("crop", pixels, pixels >= 0, "0 or more pixels")

    def cut(image: Image) -> Float[Tensor, "n channels height width"]:
        top, left = draw(0, pixels), draw(0, pixels)
        height, width = image.shape[-2] - pixels, image.shape[-1] - pixels
        return image[:, :, top : top + height, left : left + width]

    return cut


def scale(factors: Sequence[float], *, draw: Draw) -> Transform:
    """Resize all images together by one of these factors, linearly.

    >>> scale([2.0], draw=lambda low, high: low)(torch.rand(1, 3, 5, 7)).shape
    torch.Size([1, 3, 10, 14])
    """

    def enlarge(image: Image) -> Float[Tensor, "n channels height width"]:
        factor = factors[draw(0, len(factors) - 1)]
        size = [max(1, round(side * factor)) for side in image.shape[-2:]]
        return F.interpolate(image, size, mode="bilinear", align_corners=False)

    return enlarge


def rotate(angles: Sequence[float], *, draw: Draw) -> Transform:
    """Rotate all images together by one of these angles in degrees; corners that come in from outside are black.

    >>> rotate([90], draw=lambda low, high: low)(torch.rand(1, 3, 5, 7)).shape
    torch.Size([1, 3, 5, 7])
    """

    def turn(image: Image) -> Image:
        angle = math.radians(angles[draw(0, len(angles) - 1)])
        aspect = image.shape[-1] / image.shape[-2]
        rows = [[math.cos(angle), -math.sin(angle) / aspect, 0], [math.sin(angle) * aspect, math.cos(angle), 0]]
        matrices = torch.tensor(rows).to(image).expand(len(image), 2, 3)
        grid = F.affine_grid(matrices, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, align_corners=False)

    return turn
