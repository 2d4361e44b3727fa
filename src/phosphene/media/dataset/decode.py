"""A picture file decoded to a small square of 8-bit RGB."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phosphene.media.image.colour import upright
from phosphene.media.image.decode import check_size, header, open_file, understood

if TYPE_CHECKING:
    import pyvips


def size_of(path: Path) -> tuple[int, int]:
    """Return the (height, width) that a picture file claims; raise `ImageError` if it is none."""
    with open_file(path) as file, understood(path):
        picture = header(file, path)
        return picture.height, picture.width


def read_square(path: Path, side: int) -> tuple[np.ndarray, bytes]:
    """Return the picture in a file, `side side 3` of uint8 sRGB, and the SHA-256 of the file.

    It is turned upright, laid on white where it is transparent, scaled until it fills the square, and cropped in the
    middle. Raises `ImageError` unless it is one whole picture.
    """
    with open_file(path) as file, understood(path):
        digest = hashlib.file_digest(file, "sha256").digest()
        picture = header(file, path)
        check_size((picture.height, picture.width), path)
        return fitted(_colours(picture), side), digest


def fitted(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return a picture in memory, `h w 3` of uint8, as a square of `side`; see `read_square`."""
    height, width = pixels.shape[:2]
    if (height, width) == (side, side):
        return pixels
    import PIL.Image

    short = min(height, width)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((side, side), PIL.Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


def _colours(picture: pyvips.Image) -> np.ndarray:
    """Return a picture's pixels, `h w 3` of uint8 sRGB, upright and laid on white."""
    orientation = picture.get("orientation") if picture.get_typeof("orientation") else 1
    if picture.get_typeof("icc-profile-data") or picture.interpretation not in ("srgb", "b-w"):
        if picture.format == "float":  # taken for sRGB from 0 to 1, as everywhere here
            picture = (picture * 255 + 0.5).cast("uchar").copy(interpretation="srgb" if picture.bands > 2 else "b-w")
        elif picture.get_typeof("icc-profile-data"):
            picture = picture.icc_transform("srgb", embedded=True)
        else:
            picture = picture.colourspace("srgb")
    if picture.hasalpha():
        picture = picture.flatten(background=[255])
    samples = np.frombuffer(picture.cast("uchar").write_to_memory(), np.uint8)
    samples = upright(samples.reshape(picture.height, picture.width, picture.bands), orientation)
    return samples[..., :3] if picture.bands >= 3 else samples[..., :1].repeat(3, axis=-1)
