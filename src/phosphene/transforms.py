"""What is done to pictures before the network sees them, so that what is drawn does not hang on where and how it lies.

Each is `(config, generator) -> (pictures -> pictures)`, differentiable in the pictures, and drawn anew at each call;
`compose` makes one of a list. A picture that still scores when it is moved, turned and paled is one that people
recognise too (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017, "Transformation robustness").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.types import Image, Size

Transform = Callable[[Image], Image]
"""Pictures to pictures: as many, or `count` times as many, and perhaps of another size."""

GREY = 0.45
"""What contrast is changed about."""


def compose(transforms: Sequence[Transform]) -> Transform:
    """All of `transforms`, the first first; without any, the pictures as they are."""
    return lambda image: reduce(lambda seen, transform: transform(seen), transforms, image)


def views(
    count: int,
    size: Size,
    *,
    zoom: tuple[float, float] = (1.0, 1.0),
    rotate: float = 0.0,
    flip: bool = False,
    generator: torch.Generator,
) -> Transform:
    """`count` views of each picture, each of `size`: crops at random places, turned, and mirrored half of the time.

    >>> look = views(4, (64, 64), zoom=(0.7, 1.0), rotate=8, flip=True, generator=torch.Generator().manual_seed(0))
    >>> look(torch.rand(2, 3, 96, 96)).shape
    torch.Size([8, 3, 64, 64])

    Crop, scale, turn and mirror image are one sampling, not four. What a view sees beyond the picture's edge is the
    picture mirrored there. Views of one picture are neighbours: the first `count`, the next ...

    Args:
        count: from 1.
        size: (height, width) of a view; parts of the picture that are larger are averaged down, not skipped over.
        zoom: least and greatest share of the picture's height (and width) in a view, above 0; above 1 it sees
            around the picture.
        rotate: the greatest turn in degrees, from 0 to 180, to either side.
        flip: whether half of the views are mirrored left to right.
        generator: chance.

    Raises:
        SettingError: for a number out of its range.
    """
    _check("views", count, count >= 1, "1 or more")
    _check("zoom", zoom, 0 < zoom[0] <= zoom[1], "two numbers above 0, the smaller first")
    _check("rotate", rotate, 0 <= rotate <= 180, "from 0 to 180 degrees")

    def look(image: Image) -> Float[Tensor, "views 3 height width"]:
        n = len(image) * count

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, generator=generator)

        share = uniform(*zoom)
        angle = uniform(-rotate, rotate) * (math.pi / 180)
        slack = (1 - share).abs()
        across, down = slack * uniform(-1, 1), slack * uniform(-1, 1)
        mirror = 1 - 2 * torch.randint(2, (n,), generator=generator) if flip else torch.ones(n)
        # Positions run from -1 to 1 along both sides, so that a turn of a picture that is not square needs its aspect.
        aspect = image.shape[-1] / image.shape[-2]
        cosine, sine = share * angle.cos(), share * angle.sin()
        rows = (cosine * mirror, -sine / aspect, across, sine * aspect * mirror, cosine, down)
        matrices = torch.stack(rows, dim=1).view(n, 2, 3).to(image)
        # A position of the view that covers several pixels is the mean of as many samples on each side.
        shrink = max(image.shape[-2] / size[0], image.shape[-1] / size[1]) * zoom[1]
        fine = max(1, math.ceil(shrink - 0.3))
        height, width = size[0] * fine, size[1] * fine
        grid = F.affine_grid(matrices, [n, 3, height, width], align_corners=False)
        # The views of one picture are sampled as one tall view of it, so that the picture is never copied.
        grid = grid.view(len(image), count * height, width, 2)
        seen = F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        seen = seen.view(len(image), 3, count, height, width).transpose(1, 2).flatten(0, 1)
        return F.avg_pool2d(seen, fine) if fine > 1 else seen

    return look


def shift(pixels: int, *, generator: torch.Generator) -> Transform:
    """All pictures moved together by up to `pixels` on each axis, what leaves on one side entering on the other.

    It hides the network's grid (Mordvintsev, Olah and Tyka 2015, "jitter").

    >>> shift(3, generator=torch.Generator().manual_seed(0))(torch.rand(1, 3, 5, 7)).shape
    torch.Size([1, 3, 5, 7])
    """
    _check("jitter", pixels, pixels >= 0, "0 or more pixels")

    def move(image: Image) -> Image:
        down, across = torch.randint(-pixels, pixels + 1, (2,), generator=generator).tolist()
        return torch.roll(image, (down, across), dims=(2, 3))

    return move


def pad(pixels: int) -> Transform:
    """Pictures with a border of mid-grey on each side, so that what lies at their edge is seen whole.

    >>> pad(2)(torch.rand(1, 3, 5, 7)).shape
    torch.Size([1, 3, 9, 11])
    """
    _check("pad", pixels, pixels >= 0, "0 or more pixels")
    return lambda image: F.pad(image, (pixels,) * 4, value=GREY)


def tint(strength: float, *, generator: torch.Generator) -> Transform:
    """Each picture's contrast times 1 + `strength` * a normal number, and a faint cast of a random colour.

    The result may leave [0, 1]; it is for a network's eyes only. Strength from 0 (unchanged), usual is 0.1.
    """
    _check("tint", strength, strength >= 0, "0 or more")

    def cast(image: Image) -> Image:
        n = len(image)
        contrast = 1 + strength * torch.randn(n, 1, 1, 1, generator=generator)
        colour = strength / 4 * torch.randn(n, 3, 1, 1, generator=generator)
        return (image - GREY) * contrast.to(image) + (GREY + colour).to(image)

    return cast


def noise(strength: float, *, generator: torch.Generator) -> Transform:
    """Normal noise of deviation `strength` added to every pixel; black to white is 1. May leave [0, 1]."""
    _check("noise", strength, strength >= 0, "0 or more")
    return lambda image: image + strength * torch.randn(image.shape, generator=generator).to(image)


def _check(setting: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise SettingError(f"{setting} must be {wanted}, but is {value}", setting=setting, value=value)
