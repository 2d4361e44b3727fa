"""The colours of natural images, and the space in which they are decorrelated.

In natural images red, green and blue rise and fall together: most of the variation is between light and dark, some
between yellow and blue, little between green and magenta. Steps in a space that accounts for this draw in natural
colours; steps in RGB drown in magenta and green (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill
2017).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.types import Image

MEAN = (0.478, 0.446, 0.398)
"""Mean RGB of the images that the pocket network was trained on (Tiny ImageNet)."""

COVARIANCE_ROOT = (
    (-0.2543, 0.1017, 0.0253),
    (-0.2622, -0.0015, -0.0517),
    (-0.2617, -0.0973, 0.0272),
)
"""Square root of the colour covariance of the same images; each column is a decorrelated direction, in RGB."""


def step_matrix(strength: float) -> Float[Tensor, "3 3"]:
    """Return the matrix that turns a gradient in RGB into a step in natural colours.

    It weights each direction of the decorrelated space by its natural std to the power `strength`: 0 gives the
    identity, 2 a gradient step in the parameters of a decorrelated canvas. The mean of the diagonal is 1.

    >>> torch.allclose(step_matrix(0.0), torch.eye(3))
    True
    """
    directions, stds, _ = torch.linalg.svd(torch.tensor(COVARIANCE_ROOT, dtype=torch.float64))
    matrix = directions @ torch.diag(stds**strength) @ directions.T
    return (matrix / matrix.diagonal().mean()).float()


def mix(image: Image, matrix: Float[Tensor, "3 3"]) -> Image:
    """Multiply the colour of each pixel by `matrix`."""
    return torch.einsum("ij,njhw->nihw", matrix.to(image), image)


def to_rgb(decorrelated: Image) -> Image:
    """Return the colours of decorrelated parameters of unit std, around 0."""
    return mix(decorrelated, torch.tensor(COVARIANCE_ROOT))


def from_rgb(rgb: Image) -> Image:
    """Return the inverse of `to_rgb`."""
    return mix(rgb, torch.linalg.inv(torch.tensor(COVARIANCE_ROOT, dtype=torch.float64)))
