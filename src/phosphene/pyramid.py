"""The Laplacian pyramid: an image as a sum of bands of detail, each of half the resolution of the one before.

Source: Burt and Adelson, "The Laplacian pyramid as a compact image code" (IEEE Transactions on Communications 1983).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.types import Size

Band = Float[Tensor, "n c _ _"]


def split(image: Band, bands: int, smallest: int, *, overwrite: bool = False) -> list[Band]:
    """Split an image into the bands of its Laplacian pyramid.

    >>> import torch
    >>> image = torch.rand(1, 3, 33, 40)
    >>> [tuple(band.shape[-2:]) for band in split(image, 3, 4)]
    [(33, 40), (17, 20), (9, 10)]
    >>> torch.allclose(merge(split(image, 3, 4)), image, atol=1e-6)
    True

    Args:
        image: `n c h w`.
        bands: the largest number of bands, from 1, the coarse rest included.
        smallest: shortest side in pixels that the rest may have after another halving.
        overwrite: whether the memory of `image` becomes that of the finest band.

    Returns:
        The bands, finest first; the last is what remains. A single one is `image` itself.
    """
    found: list[Tensor] = []
    rest = image
    for half in level_sizes((image.shape[-2], image.shape[-1]), bands, smallest)[1:]:
        # The triangle filter of an antialiased halving is the binomial (1 3 3 1) / 8.
        low = F.interpolate(rest, half, mode="bilinear", antialias=True)
        enlarged = _enlarge(low, rest)
        found.append(rest.sub_(enlarged) if overwrite or found else rest - enlarged)
        rest = low
    return [*found, rest]


def level_sizes(size: Size, bands: int, smallest: int) -> list[Size]:
    """Return the sizes of the levels of a pyramid, finest first; see `split`.

    >>> level_sizes((33, 40), 3, 4)
    [(33, 40), (17, 20), (9, 10)]
    """
    sizes = [size]
    while len(sizes) < bands and min(sizes[-1]) >= 2 * smallest:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def merge(bands: list[Band]) -> Band:
    """Add up the bands of a pyramid, finest first. The result uses the memory of the finest band."""
    total = bands[-1]
    for band in reversed(bands[:-1]):
        total = band.add_(_enlarge(total, band))
    return total


def _enlarge(low: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(low, like.shape[-2:], mode="bilinear", align_corners=False)
