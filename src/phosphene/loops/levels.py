"""Keeping a film level: sharpness, contrast and colour that neither fade nor run away over thousands of frames.

Every frame of a dream is made from the last. Moving a picture between pixels costs some sharpness, enlarging it costs
more, and dreaming on it adds contrast and shifts its colours: each a little, and always the same way. So the picture is
brought back a part of the way, before each dream, to levels that were measured once: the deviation of each band of its
Laplacian pyramid (Burt and Adelson 1983), and the mean and covariance of its colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.types import Image

BANDS = 5
"""Bands around 2, 4, 8 and 16 pixels, and the rest."""

SMALLEST_BAND = 6
"""Sides in pixels under which a band is not split further: its deviation would be that of a handful of values."""

MOST = 1.25
"""The most that a band is strengthened, or weakened, at once: a frame without any detail is not to become one of
amplified rounding errors."""


@dataclass(frozen=True)
class Levels:
    """The levels of a picture: of each band the `deviations`, the finest first; of its colours `mean` and `root`, the
    symmetric square root of their covariance."""

    stds: Float[Tensor, " bands"]
    mean: Float[Tensor, " 3"]
    root: Float[Tensor, "3 3"]


def measure(image: Image) -> Levels:
    """The levels of a picture (1 3 h w)."""
    stds = torch.stack([band.std(correction=0) for band in _split(image)])
    mean, root = _colours(image)
    return Levels(stds, mean, root)


def keep_level(image: Image, levels: Levels, strength: float) -> Image:
    """The picture brought towards `levels`: not at all with a strength of 0, all the way with 1.

    Bands first, then colours; the result is clipped to [0, 1].
    """
    if strength == 0:
        return image
    total: Tensor | None = None
    for band, wanted in zip(reversed(_split(image)), levels.stds.flip(0), strict=True):
        gain = (wanted / band.std(correction=0).clamp_min(1e-6)).pow(strength).clamp(1 / MOST, MOST)
        if total is None:  # of the coarsest, the mean is not contrast
            middle = band.mean(dim=(2, 3), keepdim=True)
            total = middle + gain * (band - middle)
        else:
            total = gain * band + _enlarge(total, band)
    assert total is not None, "there is one band at least"
    mean, root = _colours(total)
    matrix = torch.lerp(torch.eye(3), levels.root @ torch.linalg.inv(root + 1e-4 * torch.eye(3)), strength)
    shifted = torch.einsum("ij,njhw->nihw", matrix, total - mean.view(1, 3, 1, 1))
    return shifted.add_(mean.lerp(levels.mean, strength).view(1, 3, 1, 1)).clamp_(0, 1)


def _split(image: Image) -> list[Tensor]:
    bands: list[Tensor] = []
    rest = image
    while len(bands) < BANDS - 1 and min(rest.shape[-2:]) >= 2 * SMALLEST_BAND:
        half = [(side + 1) // 2 for side in rest.shape[-2:]]
        low = F.interpolate(rest, half, mode="bilinear", antialias=True)
        bands.append(rest - _enlarge(low, rest))
        rest = low
    return [*bands, rest]


def _enlarge(low: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(low, like.shape[-2:], mode="bilinear", align_corners=False)


def _colours(image: Image) -> tuple[Tensor, Tensor]:
    pixels = image[0].flatten(1).double()
    values, vectors = torch.linalg.eigh(torch.cov(pixels, correction=0))
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    return pixels.mean(dim=1).float(), root.float()
