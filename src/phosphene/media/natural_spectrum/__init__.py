"""The mean magnitude of each wave in photographs, which ships with phosphene; CARD.md says where it comes from."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor


def read_magnitudes() -> Float[Tensor, "3 129 129"]:
    """Return the magnitudes for 0 to 1/2 wave a pixel, down and across, in decorrelated colours."""
    return load_file(Path(__file__).with_name("magnitudes.safetensors"))["magnitudes"].float()
