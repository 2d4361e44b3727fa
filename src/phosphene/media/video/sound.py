"""The sound of a clip, copied into a film packet by packet, or re-encoded where that is impossible."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from phosphene.media.video.codecs import Container
from phosphene.media.video.decode import WITH_SOUND, container_of
from phosphene.media.video.pyav import complaint, pyav

log = logging.getLogger(__name__)

Timed = tuple[Fraction, Any]
"""A time in seconds, and the packet due then."""

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's names of layouts by their number of channels."""

_BIT_RATES = {"aac": 192_000, "libopus": 160_000}


@dataclass(frozen=True)
class Sound:
    """The sound of the clip or file at `path`, from `start` to `end`: seconds on its clock, None for all there is.

    The clock's zero is at `origin` in the file's own time. Made by `Section.sound`.
    """

    path: Path
    origin: Fraction
    start: Fraction | None = None
    end: Fraction | None = None


def add_tracks(sound: Sound, film: Any, container: Container) -> list[Iterator[Timed]]:
    """Add the streams of `sound` to PyAV's output `film`, and return the packets of each in order of time."""
    if container.resound is None:
        return []
    packets: list[Callable[[], Iterator[Timed]]] = []
    with container_of(sound.path, WITH_SOUND) as source:
        for stream in _known(source):
            if _codec(stream) in container.sound:
                track = film.add_stream_from_template(stream)
                packets.append(partial(_copied, sound, stream.index, track, container))
            else:
                track = _encoder(film, stream, container.resound)
                packets.append(partial(_encoded, sound, stream.index, track))
    return [each() for each in packets]


def _known(source: Any) -> list[Any]:
    return [each for each in source.streams.audio if each.codec_context is not None]


def _codec(stream: Any) -> str:
    return str(stream.codec_context.codec.canonical_name)  # "mp3", where the decoder is called "mp3float"


def _copied(sound: Sound, index: int, track: Any, container: Container) -> Iterator[Timed]:
    with container_of(sound.path, WITH_SOUND) as source:
        stream = source.streams[index]
        base = stream.time_base
        shift = round((sound.origin + (sound.start or 0)) / base)
        # MP4 stores how much of the first packets to skip (priming); Matroska does for Opus only.
        early = container.muxer in ("mp4", "mov") or _codec(stream) == "opus"
        for packet in _packets(sound.path, source, stream):
            if packet.pts is None:
                continue
            time = packet.pts * base - sound.origin
            if sound.end is not None and time >= sound.end:
                return
            if time < (sound.start or 0) and not (sound.start is None and early):
                continue
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = track
            yield packet.dts * base, packet


def _encoder(film: Any, stream: Any, codec: str) -> Any:
    context = stream.codec_context
    lossy = codec in _BIT_RATES
    track = film.add_stream(codec, rate=48_000 if codec == "libopus" else context.rate)
    channels = 2 if lossy and context.channels > 2 else context.channels
    track.codec_context.layout = LAYOUTS.get(channels, context.layout.name)  # WAV and others name no layout
    if lossy:
        track.codec_context.bit_rate = _BIT_RATES[codec]
    return track


def _encoded(sound: Sound, index: int, track: Any) -> Iterator[Timed]:
    av = pyav()
    with container_of(sound.path, WITH_SOUND) as source:
        stream = source.streams[index]
        for packet in _packets(sound.path, source, stream, flush=True):
            try:
                frames = packet.decode()
            except av.InvalidDataError as problem:
                log.info("%s: a packet of sound is left out (%s)", sound.path, complaint(problem))
                continue
            for frame in frames:
                time = frame.pts * frame.time_base - sound.origin
                if sound.end is not None and time >= sound.end:
                    break
                if time < (sound.start or 0):
                    continue
                frame.pts -= round((sound.origin + (sound.start or 0)) / frame.time_base)
                yield from _timed(track.encode(frame))
        yield from _timed(track.encode(None))


def _timed(packets: list[Any]) -> Iterator[Timed]:
    for packet in packets:
        yield packet.dts * packet.time_base, packet


def _packets(path: Path, source: Any, stream: Any, flush: bool = False) -> Iterator[Any]:
    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (pyav().FFmpegError, OSError) as problem:
            log.warning("the sound of %s ends early (%s)", path, complaint(problem))
            return
        if packet is None:
            return
        if packet.size or flush:
            yield packet
