"""A video file opened with PyAV, and its frames one by one, whatever state the file is in.

Frames are decoded as FFmpeg's own programs do it. A packet that cannot be decoded, and a frame that is marked as
damaged, are left out; a file that ends in the middle ends there. Times are made to rise.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from phosphene.errors import ImageError, VideoError
from phosphene.media.image.decode import check_size, open_file
from phosphene.media.video.pyav import complaint, pyav

log = logging.getLogger(__name__)

# The demuxers that FFmpeg may use. Others open further files or addresses named in a file, or read still pictures.
_READ = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,apng,mxf,nut,dv,rm,ivf,obu,"
    "h264,hevc,m4v,mjpeg,yuv4mpegpipe,wtv,vob,gxf,swf,nsv,avs2,av1,vc1"
)
WITH_SOUND = f"{_READ},mp3,aac,flac,wav,aiff,caf,au,w64,ape,wv,tta,ac3,eac3,amr"
"""The same, and those of sound alone."""

_SAME = 0.01
"""How far a clip's mean rate may differ from its constant rate, because its duration is rounded."""
_FASTEST = 1000
"""Frames per second beyond which a rate that a file claims is assumed to be that of its clock's ticks."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a clip; yield PyAV's container and its stream of pictures.

    Raises `VideoError` for a file that cannot be read, that is not a video, that has no pictures, or whose
    pictures are too large to decode.
    """
    with container_of(path) as container:
        stream = _pictures(container, path)
        try:
            check_size((stream.codec_context.height, stream.codec_context.width), path)
        except ImageError as problem:
            raise VideoError(str(problem), path=path) from None
        yield container, stream


@contextmanager
def container_of(path: Path, formats: str = _READ) -> Iterator[Any]:
    """Yield PyAV's container for the file at `path`, open to read."""
    av = pyav()
    try:
        with open_file(path) as file:
            empty = not file.read(1)
    except ImageError as problem:
        raise VideoError(str(problem).replace("picture", "clip"), path=path) from None
    if empty:
        raise VideoError(f"{path} is empty (0 bytes): a clip was expected", path=path)
    try:
        container = plainly(path, formats)
    except (av.FFmpegError, OSError, ValueError) as problem:
        raise VideoError(
            f"{path} is not a video that can be read, or is damaged or cut short ({complaint(problem)})", path=path
        ) from None
    with container:
        yield container


def plainly(path: Path, formats: str = _READ) -> Any:
    """Open `path` with PyAV as one of the formats that are read, and no other file or address.

    Raises FFmpeg's own errors, `OSError` and `ValueError`.
    """
    # "file:" keeps a file name that looks like an address from being one.
    allowed = {"format_whitelist": formats, "protocol_whitelist": "file"}
    return pyav().open(f"file:{path}", options=allowed, metadata_errors="replace")


def decoded(path: Path, near: int | None = None) -> Generator[Any, None, None]:
    """Yield PyAV's frames in display order, with rising times; all, or those from at or before `near`.

    `near` is in ticks of the stream. Raises `VideoError` where the decoder gives up.
    """
    if near is not None:
        with opened(path) as (container, stream):
            frames = _frames(path, container, stream) if _sought(container, stream, near) else iter(())
            first = next(frames, None)
            if first is not None and first.pts <= near:
                yield first
                yield from frames
                return
    # Seeking is impossible or too coarse, so everything before is decoded.
    with opened(path) as (container, stream):
        yield from _frames(path, container, stream)


def rate_of(stream: Any) -> Fraction:
    """Return the frames per second; the mean if the rate varies."""
    mean, claimed = stream.average_rate, stream.guessed_rate
    if stream.frames > 1 and stream.duration:
        mean = stream.frames / (stream.duration * stream.time_base)
    if mean and claimed and abs(claimed / mean - 1) < _SAME:
        return Fraction(claimed)
    for rate in (mean, claimed):
        if rate and 0 < rate <= _FASTEST:
            return Fraction(rate)
    return Fraction(25)  # FFmpeg's default for a file without a rate


def _pictures(container: Any, path: Path) -> Any:
    cover = pyav().stream.Disposition.attached_pic
    streams = [each for each in container.streams.video if not each.disposition & cover]
    if not streams:
        has = "sound, but no pictures" if container.streams.audio else "no pictures"
        raise VideoError(f"{path} has {has}: a clip was expected", path=path)
    best = container.streams.best("video")
    stream = next((each for each in streams if best is not None and each.index == best.index), streams[0])
    if stream.codec_context is None:
        raise VideoError(f"{path} has pictures of a kind that is not known", path=path)
    with suppress(ValueError, AttributeError):  # a decoder that is already open
        stream.thread_type = "AUTO"
    return stream


def _sought(container: Any, stream: Any, ticks: int) -> bool:
    try:
        container.seek(ticks, stream=stream)
    except (pyav().FFmpegError, OSError):
        return False
    return True


def _frames(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    default = max(1, round(1 / rate_of(stream) / stream.time_base))
    last: int | None = None
    shift = 0
    for packet in _packets(path, container, stream):
        for frame in _decode(path, packet):
            if frame.is_corrupt:
                log.info("%s: a damaged frame is left out", path)
                continue
            step = frame.duration or default
            pts = (0 if last is None else last + step) if frame.pts is None else frame.pts + shift
            if last is not None and pts <= last:  # joined recordings: shift the rest to keep times rising
                shift += last + step - pts
                pts = last + step
            frame.pts = last = pts
            yield frame


def _decode(path: Path, packet: Any) -> list[Any]:
    av = pyav()
    try:
        return packet.decode()
    except (av.InvalidDataError, av.error.PatchWelcomeError, av.error.UnknownError) as problem:
        log.info("%s: a packet is left out (%s)", path, complaint(problem))
        return []
    except av.FFmpegError as problem:
        raise VideoError(f"{path} cannot be decoded ({complaint(problem)})", path=path) from None


def _packets(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (pyav().FFmpegError, OSError) as problem:
            log.warning("%s ends early (%s)", path, complaint(problem))
            return
        if packet is None:
            return
        yield packet
