"""What every canvas is: parameters that give a picture, and that ascent changes in place of the picture's pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from phosphene.types import Image, Size

MARGIN = 1 / 1024
"""How near to black and white a sigmoid's picture comes in `from_image`: a quarter of an 8-bit step."""


class Canvas(nn.Module, ABC):
    """Parameters, and the picture that they give.

    The same picture may be written in different parameters, and which are chosen decides what ascent reaches
    first: a step along the gradient of every parameter alike is a different step in each (Mordvintsev et al.,
    "Differentiable Image Parameterizations", Distill 2018).
    """

    size: Size

    @abstractmethod
    def forward(self) -> Image:
        """The picture, `n 3 h w` in [0, 1], differentiable in the parameters."""

    @classmethod
    @abstractmethod
    def from_image(cls, image: Image) -> Canvas:
        """A canvas of this kind that gives `image`, to within a quarter of an 8-bit step."""


def squash(colours: Tensor) -> Tensor:
    """Any numbers to the open range from black to white."""
    return torch.sigmoid(colours)


def unsquash(image: Tensor) -> Tensor:
    """Undoes `squash`; black and white, which it does not reach, are given as nearly so."""
    return torch.logit(image.clamp(MARGIN, 1 - MARGIN))
