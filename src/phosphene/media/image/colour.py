"""Any picture that libvips opens, in whatever colours and any way up -> sRGB planes, the right way up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.media.image.pixels import out_of_range, planes
from phosphene.media.image.vips import vips
from phosphene.types import Image

if TYPE_CHECKING:
    import pyvips

_SAMPLES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_DEVICE = frozenset({"b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "cmyk", "multiband"})
"""Colours as a device has them; anything else (Lab, XYZ) is converted by its definition."""


def to_srgb(picture: pyvips.Image, name: object) -> tuple[Image, Tensor | None, int]:
    """Return the colours (1 3 h w) and alpha (1 1 h w, or None) of `picture`, and its bits per sample, 8 or 16.

    Colours go through the picture's ICC profile to sRGB; without one, RGB and grey are taken for sRGB, and
    CMYK for coated paper. Floats are taken for sRGB values too, not linear light. The EXIF orientation is
    applied. `name` is how errors call the picture. Raises `ImageError`; and pyvips' error, as this is where
    the pixels are decoded.
    """
    _check_samples(picture, name)
    depth = 8 if picture.format == "uchar" else 16
    orientation = picture.get("orientation") if picture.get_typeof("orientation") else 1
    picture = _converted(picture)
    samples = np.frombuffer(picture.write_to_memory(), _SAMPLES[picture.format])
    samples = samples.reshape(picture.height, picture.width, picture.bands)
    wrong = out_of_range(samples)
    if wrong:
        raise ImageError(f"{name}: {wrong}")
    samples = upright(samples, orientation)
    colours = (0, 1, 2) if picture.bands > 2 else (0, 0, 0)
    alpha = planes(samples, (picture.bands - 1,)) if picture.bands in (2, 4) else None
    return planes(samples, colours), alpha, depth


def upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Return a view of `samples` (h w bands) with EXIF `orientation` undone (1 to 8; anything else counts as 1).

    Source: EXIF 2.32, tag 274: which edges of the scene row 0 and column 0 show.
    """
    if orientation in (5, 6, 7, 8):  # row 0 is the left or right edge
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _check_samples(picture: pyvips.Image, name: object) -> None:
    if picture.format not in _SAMPLES:
        raise ImageError(
            f"{name} has samples of an unusual kind ({picture.format}): save it with 8 or 16 bits a sample, "
            "or as 32-bit floats in 0..1"
        )
    most = 5 if picture.interpretation == "cmyk" else 4
    if picture.bands > most:
        raise ImageError(
            f"{name} has {picture.bands} channels: save it as grey, RGB or CMYK, with one alpha channel at most"
        )


def _converted(picture: pyvips.Image) -> pyvips.Image:
    """Convert `picture` to sRGB or grey, lazily."""
    pyvips = vips()
    cmyk = picture.interpretation == "cmyk"
    profiled = picture.get_typeof("icc-profile-data") != 0
    if picture.interpretation not in _DEVICE:
        return picture.colourspace("rgb16")
    if not cmyk and not profiled:
        return picture
    if picture.format == "float":  # libvips' colour management would take floats for 0..255
        picture = (picture * 65_535 + 0.5).cast("ushort").copy(interpretation="rgb16")
    # 16 bits, so that a wide profile's curves do not band. In place of a damaged profile the other is used.
    return picture.icc_transform(
        "srgb",
        embedded=profiled,
        input_profile="cmyk" if cmyk else "srgb",
        intent=pyvips.enums.Intent.PERCEPTUAL,
        black_point_compensation=True,
        depth=16,
    )
