"""The colours of natural pictures, and the space in which they are not correlated.

In natural pictures red, green and blue rise and fall together: most of their variation is light and dark, some is
yellow against blue, little is green against magenta. Steps in a space that accounts for it draw with natural colours;
steps in RGB drown in magenta and green (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.types import Image

MEAN = (0.478, 0.446, 0.398)
"""Mean RGB of the pictures that the pocket network was trained on (Tiny ImageNet)."""

COVARIANCE_ROOT = (
    (-0.2543, 0.1017, 0.0253),
    (-0.2622, -0.0015, -0.0517),
    (-0.2617, -0.0973, 0.0272),
)
"""Square root of the colour covariance of the same pictures; each column is a decorrelated direction, in RGB."""


def step_matrix(strength: float) -> Float[Tensor, "3 3"]:
    """What a gradient in RGB is multiplied by, so that the step follows natural colours.

    The directions of the decorrelated space, each weighted by its natural deviation to the power `strength`:
    0 is the identity, 2 is a gradient step in the parameters of a decorrelated canvas. Mean of the diagonal 1.

    >>> torch.allclose(step_matrix(0.0), torch.eye(3))
    True
    """
    directions, stds, _ = torch.linalg.svd(torch.tensor(COVARIANCE_ROOT, dtype=torch.float64))
    matrix = directions @ torch.diag(stds**strength) @ directions.T
    return (matrix / matrix.diagonal().mean()).float()


def to_rgb(decorrelated: Image) -> Image:
    """Colours from decorrelated parameters of unit deviation, around 0."""
    return torch.einsum("ij,njhw->nihw", torch.tensor(COVARIANCE_ROOT).to(decorrelated), decorrelated)


def from_rgb(rgb: Image) -> Image:
    """The inverse of `to_rgb`."""
    inverse = torch.linalg.inv(torch.tensor(COVARIANCE_ROOT, dtype=torch.float64))
    return torch.einsum("ij,njhw->nihw", inverse.to(rgb), rgb)
