"""Decoded frames as a player shows them: in sRGB, upright, with square pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from phosphene.media.image.pixels import planes
from phosphene.media.video.pyav import pyav
from phosphene.types import Image, Size

# Values of H.273 (ITU-T), as FFmpeg numbers them.
_UNKNOWN = 2
_BT709, _BT601, _BT2020 = 1, 6, 9
_HDR = frozenset({16, 18})  # PQ and HLG
_LIMITED, _FULL = 1, 2
_ODDEST_PIXEL = 8
"""An aspect ratio beyond this is a fault of the file, and is ignored."""


@dataclass(frozen=True)
class Pose:
    """The changes to a decoded frame's rows and columns, in this order: stretch, transpose, mirror.

    `stretched` is the size with square pixels, before it is turned.
    """

    stretched: Size
    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def size(self) -> Size:
        """(height, width) as shown."""
        height, width = self.stretched
        return (width, height) if self.transpose else (height, width)

    def applied(self, samples: np.ndarray) -> np.ndarray:
        """Return a view of `samples` (h w bands), rotated and mirrored."""
        if self.transpose:
            samples = samples.swapaxes(0, 1)
        if self.mirror_x:
            samples = samples[:, ::-1]
        return samples[::-1] if self.mirror_y else samples


def pose_of(frame: Any, aspect: Fraction | None) -> Pose:
    """Return how to show PyAV's `frame`, from its display matrix and `aspect`, the width of a pixel of height 1."""
    height, width = frame.height, frame.width
    if aspect and Fraction(1, _ODDEST_PIXEL) <= aspect <= _ODDEST_PIXEL:
        if aspect > 1:
            width = max(1, round(width * aspect))
        else:
            height = max(1, round(height / aspect))
    matrix = _display_matrix(frame)
    if matrix is None:
        return Pose((height, width))
    # ISO 14496-12, 8.2.2: x' = a x + c y and y' = b x + d y. Only quarter turns are done, as by most players.
    (a, b), (c, d) = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Pose((height, width), False, a < 0, d < 0)
    return Pose((height, width), True, c < 0, b < 0)


def _display_matrix(frame: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    kind = pyav().sidedata.sidedata.Type.DISPLAYMATRIX
    try:
        entries = np.frombuffer(bytes(frame.side_data[kind]), np.int32)
    except KeyError:
        return None
    a, b, _, c, d = (int(entry) for entry in entries[:5])
    return None if a == b == c == d == 0 else ((a, b), (c, d))


@dataclass
class Screen:
    """Turns the frames of one clip into images, all of the pose that the first one had."""

    pose: Pose
    _scaler: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._scaler = pyav().video.reformatter.VideoReformatter()

    def image(self, frame: Any) -> Image:
        """Return the picture (1 3 h w) that `frame` shows; transparent pixels are black."""
        deep = max(component.bits for component in frame.format.components) > 8
        alpha = frame.format.has_palette or any(component.is_alpha for component in frame.format.components)
        samples = self._rgb(frame, ("rgba64le" if deep else "rgba") if alpha else ("rgb48le" if deep else "rgb24"))
        samples = self.pose.applied(samples)
        image = planes(samples, (0, 1, 2))
        if deep:
            image = image.mul_(_correction(frame)).clamp_(0, 1)
        if _is_grey(frame) and frame.color_range == _LIMITED:  # swscale takes all grey for the full range
            image = image.mul_(255 / 219).sub_(16 / 219).clamp_(0, 1)
        return image * planes(samples, (3,)) if alpha else image

    def _rgb(self, frame: Any, layout: str) -> np.ndarray:
        av = pyav()
        flag = av.video.reformatter.Interpolation
        if frame.colorspace == _UNKNOWN:
            frame.colorspace = _BT709 if frame.width >= 1280 or frame.height > 576 else _BT601  # as players guess
        height, width = self.pose.stretched
        converted = self._scaler.reformat(
            frame,
            width,
            height,
            layout,
            # Without these flags chroma is repeated instead of interpolated, and rounded twice.
            interpolation=flag.BICUBIC | flag.ACCURATE_RND | flag.FULL_CHR_H_INT | flag.FULL_CHR_H_INP,
            dst_color_range=_FULL,
            threads=1,
            **_narrowed(frame),
        )
        return converted.to_ndarray()


def _narrowed(frame: Any) -> dict[str, int]:
    """Return the options that make swscale convert an HDR or wide-gamut frame to sRGB."""
    kinds = pyav().video.reformatter
    asked: dict[str, int] = {}
    if frame.color_trc in _HDR:
        asked["dst_color_trc"] = kinds.ColorTrc.IEC61966_2_1
    if frame.color_primaries == _BT2020:
        asked["dst_color_primaries"] = kinds.ColorPrimaries.BT709
    return asked


def _is_grey(frame: Any) -> bool:
    return frame.format.name.startswith(("gray", "ya"))


def _correction(frame: Any) -> float:
    """Return the factor for swscale's 16-bit RGB, which shifts samples up so that white falls short of 65535."""
    if frame.format.is_rgb or _is_grey(frame):
        return 1.0
    if frame.color_range != _FULL:
        return 65_535 / 65_283
    bits = frame.format.components[0].bits
    return 65_535 / ((2**bits - 1) << (16 - bits))
