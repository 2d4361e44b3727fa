"""Pictures as encoders take them: planes of YCbCr or RGB as integers, concatenated as bytes.

The conversion is ours, not swscale's, so that it is exact: from floats, rounded once, with BT.709's matrix in the
limited range, and chroma sited as H.264 and VP9 specify.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.types import Image, Size

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722  # ITU-R BT.709, section 3: their shares of luma


@dataclass(frozen=True)
class PlaneFormat:
    """The layout of samples in memory: their type, the shape of each plane, and the conversion from a picture."""

    sample: type[np.unsignedinteger[Any]]
    shapes: Callable[[int, int], list[tuple[int, ...]]]
    fill: Callable[[Tensor], list[Tensor]]

    def frame_bytes(self, size: Size) -> int:
        """Return the bytes of a frame of `size`."""
        return sum(int(np.prod(shape)) for shape in self.shapes(*size)) * self.sample().itemsize


def to_planes(image: Image, pixels: str) -> list[np.ndarray]:
    """Return the planes of one picture (1 3 h w, clipped to [0, 1]) in the layout that FFmpeg calls `pixels`.

    >>> [plane.shape for plane in to_planes(torch.zeros(1, 3, 5, 6), "yuv420p")]
    [(5, 6), (3, 3), (3, 3)]

    Raises `SettingError` for a batch of pictures and for NaN and infinite values.
    """
    if image.shape[0] != 1:
        raise SettingError(
            f"a frame is one picture, but this is a batch of {image.shape[0]}: write each image[i : i + 1]",
            setting="image",
            value=tuple(image.shape),
        )
    rgb = image[0].detach().to("cpu", torch.float32)
    if not bool(rgb.isfinite().all()):
        raise SettingError("the frame has values that are NaN or infinite", setting="image")
    layout = PLANE_FORMATS[pixels]
    return [_whole(plane, layout.sample) for plane in layout.fill(rgb.clamp(0, 1))]


def padded_even(image: Image) -> Float[Tensor, "n 3 even_h even_w"]:
    """Repeat the picture's last row and column where a side is odd; return it unchanged otherwise."""
    bottom, right = image.shape[-2] % 2, image.shape[-1] % 2
    if not bottom and not right:
        return image
    return torch.nn.functional.pad(image, (0, right, 0, bottom), mode="replicate")


def _whole(plane: Tensor, sample: type[np.unsignedinteger[Any]]) -> np.ndarray:
    return plane.contiguous().numpy().astype(sample)


def _yuv(rgb: Tensor, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """Luma and both chroma planes at full size, in the limited range of `bits`, not rounded."""
    scale = 2 ** (bits - 8)
    red, green, blue = rgb
    luma = _RED * red + _GREEN * green + _BLUE * blue
    blueness = (blue - luma) / (2 * (1 - _BLUE))
    redness = (red - luma) / (2 * (1 - _RED))
    return (219 * luma + 16) * scale, (224 * blueness + 128) * scale, (224 * redness + 128) * scale


def _half_width(plane: Tensor) -> Tensor:
    """Every other column, from a [1 2 1] filter around it: chroma is sited at the left of its two pixels."""
    left = torch.cat((plane[:, :1], plane[:, :-1]), dim=1)[:, ::2]
    right = torch.cat((plane[:, 1:], plane[:, -1:]), dim=1)[:, ::2]
    return (left + 2 * plane[:, ::2] + right) / 4


def _half_height(plane: Tensor) -> Tensor:
    """Return the mean of each pair of rows: chroma is sited midway between them."""
    below = plane[1::2] if plane.shape[0] % 2 == 0 else torch.cat((plane[1::2], plane[-1:]))
    return (plane[::2] + below) / 2


def _yuv420(rgb: Tensor) -> list[Tensor]:
    luma, *chroma = _yuv(rgb, 8)
    return [plane.add(0.5) for plane in (luma, *(_half_height(_half_width(each)) for each in chroma))]


def _yuv422(rgb: Tensor) -> list[Tensor]:
    luma, *chroma = _yuv(rgb, 10)
    return [plane.add(0.5) for plane in (luma, *map(_half_width, chroma))]


def _bgr0(rgb: Tensor) -> list[Tensor]:
    blank = torch.full_like(rgb[:1], 255)
    return [torch.cat((rgb.flip(0) * 255 + 0.5, blank)).permute(1, 2, 0)]


def _packed(rgb: Tensor, largest: int) -> list[Tensor]:
    return [(rgb * largest + 0.5).permute(1, 2, 0)]


def _gbr16(rgb: Tensor) -> list[Tensor]:
    return [rgb[band] * 65_535 + 0.5 for band in (1, 2, 0)]


PLANE_FORMATS: dict[str, PlaneFormat] = {
    "yuv420p": PlaneFormat(np.uint8, lambda h, w: [(h, w), *[(-(-h // 2), -(-w // 2))] * 2], _yuv420),
    "yuv422p10le": PlaneFormat(np.uint16, lambda h, w: [(h, w), *[(h, -(-w // 2))] * 2], _yuv422),
    "bgr0": PlaneFormat(np.uint8, lambda h, w: [(h, w, 4)], _bgr0),
    "gbrp16le": PlaneFormat(np.uint16, lambda h, w: [(h, w)] * 3, _gbr16),
    "rgb24": PlaneFormat(np.uint8, lambda h, w: [(h, w, 3)], lambda rgb: _packed(rgb, 255)),
    "rgb48le": PlaneFormat(np.uint16, lambda h, w: [(h, w, 3)], lambda rgb: _packed(rgb, 65_535)),
}
"""The layouts by FFmpeg's name for them."""
