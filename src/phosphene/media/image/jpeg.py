"""What JPEG makes of a picture, without a file."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image


def as_jpeg(pixels: np.ndarray, quality: int, *, subsampled: bool = True) -> np.ndarray:
    """Return a picture as it is after being stored as a JPEG.

    Args:
        pixels: h w 3, sRGB in [0, 1].
        quality: 1 to 100.
        subsampled: whether colour is stored at half the resolution, as most programs do.

    Returns:
        h w 3, float64 in [0, 1].
    """
    data = io.BytesIO()
    samples = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    PIL.Image.fromarray(samples).save(data, "jpeg", quality=quality, subsampling=2 if subsampled else 0)
    with PIL.Image.open(data) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.float64) / 255
