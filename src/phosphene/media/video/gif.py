"""GIF films: one palette for all frames, chosen from all of their colours, and the recipe as a comment.

GIF's clock has hundredths of a second, and players slow down frames shorter than two of them. Each time is rounded by
itself, so errors do not accumulate, and frames that follow too fast are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.media.video import decode
from phosphene.media.video.comment import to_comment
from phosphene.media.video.pyav import pyav
from phosphene.media.video.segments import Segment, StreamFormat, writing

_TICK = Fraction(1, 100)
_SHORTEST = 2
_LOOP = b"\x21\xff\x0bNETSCAPE2.0"
_COPY = 2**20

Parts = Callable[[], Iterator[Segment]]


def write_gif(path: Path, style: StreamFormat, parts: Parts, recipe: str | None) -> None:
    """Write the frames of `parts`, which is called for each pass over them, as one GIF that loops for ever.

    Raises `OutputError`.
    """
    palette = _palette(style, parts())
    _graph_alive, source, sink = _mapper(style, palette)  # its filters do not keep it alive
    bare = path.with_name(f"{path.name}.bare")
    with writing(bare, "gif", {"loop": "0"}) as film:
        stream = film.add_stream("gif", rate=round(1 / _TICK))
        stream.height, stream.width = style.size
        stream.pix_fmt = "pal8"
        stream.time_base = stream.codec_context.time_base = _TICK
        for frame in _timed(style, parts()):
            source.push(frame)
            _drain(sink, stream, film)
        source.push(None)
        _drain(sink, stream, film)
        film.mux(stream.encode(None))
    _with_comment(bare, path, recipe)
    bare.unlink()


def _timed(style: StreamFormat, parts: Iterable[Segment]) -> Iterator[Any]:
    """Yield the frames that are shown, with times in hundredths of a second."""
    last: int | None = None
    for part in parts:
        with decode.plainly(part.path) as source:
            for frame, (pts, duration) in zip(source.decode(video=0), part.times, strict=True):
                time = round(pts * style.time_base / _TICK)
                if last is not None and time - last < _SHORTEST:
                    continue
                last = frame.pts = time
                frame.time_base = _TICK
                frame.duration = max(_SHORTEST, round(duration * style.time_base / _TICK))
                yield frame


def _palette(style: StreamFormat, parts: Iterable[Segment]) -> Any:
    graph, source, sink = _graph(style)
    generator = graph.add("palettegen", "stats_mode=full:reserve_transparent=1")
    source.link_to(generator)
    generator.link_to(sink)
    graph.configure()
    for frame in _timed(style, parts):
        samples = frame.to_ndarray(format="rgb24")
        # Six bits a sample are enough to choose 255 colours by, and no more than 2^18 kinds to count.
        coarse = np.ascontiguousarray((samples & 0xFC) | (samples >> 6))
        counted = pyav().VideoFrame.from_ndarray(coarse, "rgb24").reformat(format="bgra")
        counted.pts, counted.time_base = frame.pts, _TICK
        source.push(counted)
    source.push(None)
    return sink.pull()


def _mapper(style: StreamFormat, palette: Any) -> tuple[Any, Any, Any]:
    graph, source, sink = _graph(style)
    colours = graph.add_buffer(width=16, height=16, format=palette.format, time_base=_TICK, name="palette")
    # Ordered dither, because error diffusion crawls from frame to frame.
    mapper = graph.add("paletteuse", "dither=bayer:bayer_scale=3")
    shaped = graph.add("format", "bgra")
    source.link_to(shaped)
    shaped.link_to(mapper, 0, 0)
    colours.link_to(mapper, 0, 1)
    mapper.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, _TICK
    colours.push(palette)
    colours.push(None)
    return graph, source, sink


def _graph(style: StreamFormat) -> tuple[Any, Any, Any]:
    av = pyav()
    graph = av.filter.Graph()
    graph.threads = 1
    height, width = style.size
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("bgr0"), time_base=_TICK, name="frames")
    return graph, source, graph.add("buffersink")


def _drain(sink: Any, stream: Any, film: Any) -> None:
    av = pyav()
    while True:
        try:
            frame = sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        film.mux(stream.encode(frame))


def _with_comment(bare: Path, path: Path, recipe: str | None) -> None:
    """Copy the GIF `bare` to `path` with a comment before its first frame, where readers look (GIF89a, 24)."""
    with open(bare, "rb") as source, open(path, "wb") as target:
        head = source.read(13)
        flags = head[10]
        head += source.read(3 * 2 ** ((flags & 7) + 1)) if flags & 0x80 else b""
        rest = source.read(_COPY)
        if rest.startswith(_LOOP):
            head, rest = head + rest[:19], rest[19:]
        target.write(head)
        if recipe is not None:
            text = to_comment(recipe).encode("utf-8")
            blocks = [text[at : at + 255] for at in range(0, len(text), 255)]
            target.write(b"\x21\xfe" + b"".join(bytes([len(each)]) + each for each in blocks) + b"\0")
        while rest:
            target.write(rest)
            rest = source.read(_COPY)
