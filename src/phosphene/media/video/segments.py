"""Films in parts: each part is encoded on its own and can be played; a film is the parts' packets, copied one
after the other, with their exact times."""

from __future__ import annotations

import errno
import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.errors import OutputError, SettingError
from phosphene.media import atomic
from phosphene.media.video import decode
from phosphene.media.video.codecs import Codec, Container
from phosphene.media.video.comment import to_comment
from phosphene.media.video.planes import PLANE_FORMATS
from phosphene.media.video.pyav import complaint, pyav
from phosphene.media.video.sound import Sound, Timed, add_tracks
from phosphene.types import Size

_EXACT = {"fflags": "+bitexact"}  # or Matroska would make up ids
_BT709, _SRGB, _LIMITED, _FULL = 1, 13, 1, 2  # H.273's numbers


@dataclass(frozen=True)
class StreamFormat:
    """How frames are encoded: everything that decides over the bytes.

    `size` is that of the encoded frames, `time_base` the seconds of a tick and `rate` the frames per second that
    the film declares.
    """

    codec: Codec
    size: Size
    rate: Fraction
    time_base: Fraction
    crf: int | None
    depth: int

    @property
    def pixels(self) -> str:
        """FFmpeg's name of the samples' layout."""
        return self.codec.deep if self.depth == 16 and self.codec.deep is not None else self.codec.pixels


@dataclass(frozen=True)
class Segment:
    """An encoded part: its file, and for each of its frames when it is shown and for how long, in ticks."""

    path: Path
    times: tuple[tuple[int, int], ...]


EncoderFrame = tuple[int, int, list[np.ndarray]]
"""A frame to encode: when it is shown and for how long, in ticks, and its planes."""


def encode(path: Path, muxer: str, style: StreamFormat, frames: Iterable[EncoderFrame]) -> None:
    """Encode `frames` into a file of their own, which begins at their first one's time. Raises `OutputError`."""
    with writing(path, muxer) as film:
        stream = film.add_stream(style.codec.encoder, rate=style.rate, options=_options(style))
        stream.height, stream.width = style.size
        stream.pix_fmt = style.pixels
        stream.time_base = stream.codec_context.time_base = style.time_base
        stream.codec_context.thread_count = 1  # the number of threads changes what H.264 decides
        tags = _tags(style.pixels)
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        first = None
        for pts, duration, planes in frames:
            first = pts if first is None else first
            frame = _frame(planes, style)
            frame.pts, frame.duration, frame.time_base = pts - first, duration, style.time_base
            for name, value in tags.items():
                setattr(frame, name, value)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


def join(
    path: Path,
    container: Container,
    style: StreamFormat,
    parts: Iterable[Segment],
    recipe: str | None,
    sound: Sound | None,
) -> None:
    """Copy the packets of `parts` into one film, with `recipe` and `sound`. Raises `OutputError`."""
    parts = iter(parts)
    head = next(parts)
    with writing(path, container.muxer, dict(container.options)) as film:
        if recipe is not None:
            film.metadata["comment"] = to_comment(recipe)
        with decode.plainly(head.path) as source:
            stream = film.add_stream_from_template(source.streams.video[0])
        stream.time_base = style.time_base
        tracks = [] if sound is None else add_tracks(sound, film, container)
        pictures = _pictures(_chained(head, parts), stream, style)
        for _, packet in heapq.merge(pictures, *tracks, key=lambda timed: timed[0]):
            film.mux(packet)


def trial(style: StreamFormat) -> None:
    """Raise `SettingError` if the encoder refuses such frames; writes nothing."""
    layout = PLANE_FORMATS[style.pixels]
    grey = [np.full(shape, 128, layout.sample) for shape in layout.shapes(*style.size)]
    try:
        encode(Path("trial"), "null", style, [(0, 1, grey)])
    except OutputError as problem:
        raise SettingError(
            f"{style.codec.name} films cannot have frames of {style.size[1]}x{style.size[0]} at {style.rate} a second "
            f"({str(problem).partition(': ')[2]}): choose another codec, as in .mkv",
            setting="codec",
            value=style.codec.name,
        ) from None


def _chained(head: Segment, rest: Iterator[Segment]) -> Iterator[Segment]:
    yield head
    yield from rest


def _pictures(parts: Iterable[Segment], stream: Any, style: StreamFormat) -> Iterator[Timed]:
    for part in parts:
        with decode.plainly(part.path) as source:
            packets = (packet for packet in source.demux(video=0) if packet.size)
            for packet, (pts, duration) in zip(packets, part.times, strict=True):
                packet.time_base = style.time_base
                packet.pts = packet.dts = pts
                packet.duration = duration
                packet.stream = stream
                yield pts * style.time_base, packet


def _options(style: StreamFormat) -> dict[str, str]:
    options = dict(style.codec.options)
    crf = style.codec.default_crf if style.crf is None else style.crf
    if crf is not None:
        options["crf"] = str(crf)
    return options


def _tags(pixels: str) -> dict[str, int]:
    """Return the tags that players need for the right colours; sRGB's transfer only where every player accepts it."""
    if pixels.startswith("yuv"):
        return {"colorspace": _BT709, "color_range": _LIMITED, "color_primaries": _BT709, "color_trc": _BT709}
    return {"colorspace": 0, "color_range": _FULL, "color_primaries": _BT709, "color_trc": _SRGB}


def _frame(planes: list[np.ndarray], style: StreamFormat) -> Any:
    height, width = style.size
    frame = pyav().VideoFrame(width, height, style.pixels)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = plane.reshape(plane.shape[0], -1).view(np.uint8)
        padded = np.zeros((target.height, target.line_size), np.uint8)  # rows begin at round addresses
        padded[:, : rows.shape[1]] = rows
        target.update(padded)
    return frame


@contextmanager
def writing(path: Path, muxer: str, options: dict[str, str] | None = None) -> Iterator[Any]:
    """Yield PyAV's output at `path`; turn any failure, on the disk or in FFmpeg, into an `OutputError`."""
    av = pyav()
    try:
        with av.open(f"file:{path}", "w", format=muxer, options={**_EXACT, **(options or {})}) as film:
            yield film
    except (av.FFmpegError, OSError) as problem:
        if problem.errno == errno.ENOENT or problem.errno is None:
            raise OutputError(f"cannot encode {path}: {complaint(problem)}", path=path) from None
        raise atomic.refusal(path, OSError(problem.errno, complaint(problem))) from None
