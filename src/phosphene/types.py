"""The shapes that stages hand to one another, named once.

Sizes are always (height, width); an image is float32 RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "n channels h w"]
"""A batch of network inputs in [0, 1]: RGB images (3 channels) unless the network's card says otherwise."""

Features = Float[Tensor, "n c h w"]
"""A layer's activations at every position."""

Logits = Float[Tensor, "n c"]
"""A layer's activations for a picture as a whole."""

Scores = Float[Tensor, "n"]
"""One number a picture; higher is better."""

Activations = Mapping[str, Tensor]
"""Layer name -> `Features`, or `Logits` for a layer without positions."""

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class Region:
    """A part of a layer's positions: the given rows and columns belong at (top, left) of a whole of height x width."""

    top: int
    left: int
    height: int
    width: int
