"""Samples <-> tensors: whole numbers of 8 or 16 bits, interleaved, and our float planes in [0, 1].

Both ways go plane by plane or strip by strip, so that no second float copy of a large picture is ever held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.types import Image

if TYPE_CHECKING:
    import PIL.Image

LARGEST = {8: 255, 16: 65_535}
"""Bits a sample -> what stands for 1."""

_STRIP = 2**20
"""Pixels that are quantised at a time: 12 MB of floats."""
_SLACK = 1e-3
"""How far floats may lie outside [0, 1], as resampling leaves them, before they are refused."""


def planes(samples: np.ndarray, pick: tuple[int, ...]) -> Float[Tensor, "1 c h w"]:
    """Copy the channels `pick` of `samples` (h w bands; uint8, uint16 or floats) to float32 planes.

    >>> planes(np.array([[[0, 255]]], dtype=np.uint8), (1, 1, 0)).flatten().tolist()
    [1.0, 1.0, 0.0]
    """
    height, width = samples.shape[:2]
    out = np.empty((1, len(pick), height, width), np.float32)
    # Dividing is exact to the last bit, where multiplying by 1/255 is not; floats are divided by 1.
    one = np.float32({np.uint8: 255, np.uint16: 65_535}.get(samples.dtype.type, 1))
    for plane, band in zip(out[0], pick, strict=True):
        np.divide(samples[..., band], one, out=plane, casting="same_kind")
    made = torch.from_numpy(out)
    return made if one > 1 else made.clamp_(0, 1)


def out_of_range(samples: np.ndarray) -> str | None:
    """Return what is wrong with floats that are not all in [0, 1], or None; integers are always valid."""
    if samples.dtype.kind != "f":
        return None
    least, most = float(samples.min()), float(samples.max())
    if least >= -_SLACK and most <= 1 + _SLACK:
        return None
    found = "NaN among them" if least != least else f"{least:.4g} to {most:.4g}"
    return f"its floats must lie in 0..1, but are {found}: scale them, or give 8 or 16 bit whole numbers"


def quantise(image: Image, alpha: Tensor | None = None, *, depth: int = 8, flatten: bool = False) -> np.ndarray:
    """Return one picture as interleaved integer samples, rounded to the nearest: h w 3, or h w 4 with `alpha`.

    `alpha` is 1 1 h w; with `flatten` the picture is laid on white through it instead, in sRGB values as
    browsers do. Values beyond [0, 1] are clipped. Raises `SettingError` for a batch, an alpha of another
    size, and NaN.

    >>> quantise(torch.full((1, 3, 1, 1), 0.5))
    array([[[128, 128, 128]]], dtype=uint8)
    """
    check_single(image, alpha)
    height, width = image.shape[-2:]
    keep = alpha is not None and not flatten
    out = np.empty((height, width, 4 if keep else 3), np.uint8 if depth == 8 else np.uint16)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = _to_cpu(image[0, :, top : top + rows])
        if alpha is not None:
            cover = _to_cpu(alpha[0, :, top : top + rows])
            strip = torch.cat((strip, cover)) if keep else strip * cover + (1 - cover)
        if not bool(strip.isfinite().all()):
            raise SettingError("the picture has values that are NaN or infinite", setting="image")
        # Half up; the cast that follows drops the fraction.
        strip = strip.clamp(0, 1).mul_(LARGEST[depth]).add_(0.5)
        out[top : top + rows] = strip.permute(1, 2, 0).numpy()
    return out


def to_array(image: Image, alpha: Tensor | None = None) -> np.ndarray:
    """Copy one picture to a NumPy array, float32 in [0, 1], h w 3, or h w 4 with `alpha`.

    >>> to_array(torch.zeros(1, 3, 4, 5)).shape
    (4, 5, 3)
    """
    check_single(image, alpha)
    whole = _to_cpu(image[0]) if alpha is None else torch.cat((_to_cpu(image[0]), _to_cpu(alpha[0])))
    return np.array(whole.permute(1, 2, 0).numpy(), order="C")


def to_pil(image: Image, alpha: Tensor | None = None) -> PIL.Image.Image:
    """Return one picture as a PIL image, RGB, or RGBA with `alpha`; 8 bits per sample, rounded to the nearest.

    >>> to_pil(torch.zeros(1, 3, 4, 5)).size
    (5, 4)
    """
    import PIL.Image

    return PIL.Image.fromarray(quantise(image, alpha))


def check_single(image: Image, alpha: Tensor | None) -> None:
    """Raise `SettingError` unless `image` is one picture and `alpha`, where there is one, covers it."""
    if image.shape[0] != 1:
        raise SettingError(
            f"a file holds one picture, but this is a batch of {image.shape[0]}: write each image[i : i + 1]",
            setting="image",
            value=tuple(image.shape),
        )
    if alpha is not None and tuple(alpha.shape) != (1, 1, *image.shape[-2:]):
        raise SettingError(
            f"alpha must be of shape 1 1 {image.shape[-2]} {image.shape[-1]} to cover the picture, "
            f"but is {' '.join(map(str, alpha.shape))}",
            setting="alpha",
            value=tuple(alpha.shape),
        )


def _to_cpu(part: Tensor) -> Tensor:
    return part.detach().to("cpu", torch.float32)
