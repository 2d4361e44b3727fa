"""Keeping a film level: sharpness, contrast and colour that neither fade nor run away over thousands of frames.

Every frame of a film is made from the last one. Resampling a picture costs some sharpness, enlarging it costs more, and
dreaming on it adds contrast and shifts its colours: each a little, and always in the same direction. So before each
dream the picture is brought part of the way back to levels that were measured once: the std of each band of its
Laplacian pyramid, and the mean and covariance of its colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.pyramid import merge, split
from phosphene.types import Image

BANDS = 5
"""Bands of detail around 2, 4, 8 and 16 pixels, and the rest."""

SMALLEST_BAND = 6
"""Shortest side in pixels of a band: the std of a smaller one would be that of a handful of values."""

MOST = 1.25
"""Largest gain of a band in one frame, and the inverse of the smallest: a frame without detail must not become one of
amplified rounding errors."""


@dataclass(frozen=True)
class Levels:
    """The levels of a picture: the `stds` of its bands, finest first, and of its colours the `mean` and the `root`, the
    symmetric square root of the covariance."""

    stds: Float[Tensor, " bands"]
    mean: Float[Tensor, " c"]
    root: Float[Tensor, "c c"]


def measure(image: Image) -> Levels:
    """Measure the levels of a picture (1 c h w)."""
    stds = torch.stack([band.std(correction=0) for band in split(image, BANDS, SMALLEST_BAND)])
    mean, root = _colours(image)
    return Levels(stds, mean, root)


def keep_level(image: Image, levels: Levels, strength: float) -> Image:
    """Return the picture brought towards `levels`, by a share of the way from 0 to 1, within [0, 1]."""
    if strength == 0:
        return image
    bands = split(image, BANDS, SMALLEST_BAND)
    *finer, rest = [
        (wanted / band.std(correction=0).clamp_min(1e-6)).pow(strength).clamp(1 / MOST, MOST)
        for band, wanted in zip(bands, levels.stds, strict=True)
    ]
    middle = bands[-1].mean(dim=(2, 3), keepdim=True)  # of the coarsest band, the mean is not contrast
    gained = [gain * band for gain, band in zip(finer, bands, strict=False)]
    total = merge([*gained, middle + rest * (bands[-1] - middle)])
    mean, root = _colours(total)
    same = torch.eye(len(mean))
    matrix = torch.lerp(same, levels.root @ torch.linalg.inv(root + 1e-4 * same), strength)
    shifted = torch.einsum("ij,njhw->nihw", matrix, total - mean.view(1, -1, 1, 1))
    return shifted.add_(mean.lerp(levels.mean, strength).view(1, -1, 1, 1)).clamp_(0, 1)


def _colours(image: Image) -> tuple[Tensor, Tensor]:
    pixels = image[0].flatten(1).double()
    values, vectors = torch.linalg.eigh(torch.atleast_2d(torch.cov(pixels, correction=0)))
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    return pixels.mean(dim=1).float(), root.float()
