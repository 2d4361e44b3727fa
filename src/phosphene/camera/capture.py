"""Frames of a camera: a device, a network stream or a film, tried again when it fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from phosphene.errors import MissingExtraError
from phosphene.types import Image

RETRY = 5.0
"""Seconds until a camera that is missing or has died is tried again."""

SILENCE = 5.0
"""Seconds after which a stream that sends nothing has died."""

FRAME_RATE = 5
"""OpenCV's number of a film's frame rate."""

DEFAULT_RATE = 25.0
"""Frames per second of a film that does not tell."""


@dataclass(frozen=True)
class View:
    """A frame, 1 3 h w, sRGB in [0, 1], with its number, or the sentence that says why there is none."""

    index: int
    image: Image | None = field(default=None, repr=False)
    problem: str = ""


def views(
    source: str,
    *,
    opens: Callable[[str], Any] | None = None,
    sleep: Callable[[float], object] = time.sleep,
    again: bool | None = None,
    paced: bool = False,
) -> Iterator[View]:
    """Yield the frames of `source` for as long as there are any, and a problem once each time that they fail.

    A source is a device's number ("0"), an address (rtsp://...) or a film's path. A film ends after its last frame; a
    camera is tried again every five seconds, for days if need be.

    Args:
        source: what to read.
        opens: returns what has OpenCV's `isOpened`, `read`, `get` and `release`; by default OpenCV's own reader.
        sleep: waits.
        again: whether to try again after the end; by default for all but films.
        paced: whether a film's frames come at their own times, as a camera's do.

    Raises:
        MissingExtraError: without OpenCV.
    """
    opens = opens or _opened
    film = has_end(source)
    again = not film if again is None else again
    index, told = 0, ""
    while True:
        reader = opens(source)
        begun, since = index, time.monotonic()
        rate = reader.get(FRAME_RATE) or DEFAULT_RATE if film and paced else None
        try:
            while reader.isOpened():
                there, frame = reader.read()
                if not there:
                    break
                told = ""
                if rate:
                    sleep(max(0.0, since + (index - begun) / rate - time.monotonic()))
                yield View(index, _image(frame))
                index += 1
        finally:
            reader.release()
        if not again and index > begun:
            return
        problem = f"the camera {source} {'has stopped' if index > begun else 'gives no pictures'}"
        if not again:
            yield View(index, problem=f"{source} is no film that can be read, and no camera: give a number, as in 0")
            return
        if not told:
            told = problem
            yield View(index, problem=f"{problem}: tried again every {RETRY:.0f} s")
        sleep(RETRY)


def has_end(source: str) -> bool:
    """Return whether a source is a film, which has an end, and no device or stream.

    >>> has_end("cup.mp4"), has_end("0"), has_end("rtsp://garden.local/stream")
    (True, False, False)
    """
    return not source.isdecimal() and "://" not in source


def _image(frame: Any) -> Image:
    rgb = torch.from_numpy(frame[..., ::-1].copy())
    return rgb.permute(2, 0, 1)[None].float().div_(255)


def _opened(source: str) -> Any:
    try:
        import cv2
    except ModuleNotFoundError:
        raise MissingExtraError("a camera", "video") from None
    # What is wrong is said here, once: neither by OpenCV nor, each time that it is tried again, by FFmpeg.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if source.isdecimal():
        return cv2.VideoCapture(int(source))
    if has_end(source):
        return cv2.VideoCapture(source)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, [each for one in limits for each in (one, round(1000 * SILENCE))])
