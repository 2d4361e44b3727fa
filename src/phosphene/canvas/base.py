"""The form of every canvas: parameters that give images, and that ascent changes in place of the pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from phosphene.resampling import resize
from phosphene.types import Image, Size
from phosphene.vjp import vjp

MARGIN = 1 / 1024
"""How close to black and white `unsquash` allows an image to be: a quarter of an 8-bit step."""


class Canvas(nn.Module, ABC):
    """Parameters, and the images that they give.

    The same image can be written in different parameters, and their choice decides what ascent reaches first: a step
    along the gradient is another step in each (Mordvintsev et al., "Differentiable Image Parameterizations", Distill
    2018). Colour is the canvas's business: a canvas in decorrelated colours moves in natural ones.
    """

    size: Size

    @abstractmethod
    def forward(self) -> Image:
        """Return the images, `n channels h w` in [0, 1], differentiable in the parameters."""

    @abstractmethod
    def showing(self, image: Image) -> Canvas:
        """Return a canvas of this kind, with the same options, that gives `image` to within 1/255."""

    def resized(self, size: Size) -> Image:
        """Return the images at another size, detached."""
        return resize(self().detach(), size, clamp=True)

    def settle(self) -> None:
        """Bring the parameters back into their range after an optimizer has moved them."""

    def uphill(self, gradient: Image) -> Image:
        """Return the change of the images for a small step of the parameters along a gradient.

        Args:
            gradient: of a score with respect to the images.

        Returns:
            `J J^T gradient`, where `J` is the derivative of the images with respect to the parameters.
        """
        with torch.enable_grad():
            image = self()
            parameters = list(self.parameters())
            steps = vjp([image], parameters, [gradient], retain_graph=True)
            # J v is the derivative of J^T u in u, along v.
            u = torch.zeros_like(image, requires_grad=True)
            transposed = vjp([image], parameters, [u], create_graph=True)
        return vjp(transposed, [u], steps)[0]

    def moved(self, direction: Image, step_size: float) -> Canvas:
        """Return a canvas of this kind whose images have moved by `step_size` times `direction`, within [0, 1]."""
        return self.showing(torch.add(self().detach(), direction, alpha=step_size).clamp_(0, 1))


def squash(colours: Tensor) -> Tensor:
    """Map any numbers to the open range from black to white."""
    return torch.sigmoid(colours)


def unsquash(image: Tensor) -> Tensor:
    """Return what `squash` maps to `image`; black and white, which it does not reach, become nearly so."""
    return torch.logit(image.clamp(MARGIN, 1 - MARGIN))
