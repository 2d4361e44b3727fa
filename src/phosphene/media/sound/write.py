"""Writing sound: WAV, FLAC, Ogg Vorbis, Opus, MP3 and M4A, block by block, with the recipe as the file's comment."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from phosphene.errors import OutputError, SettingError
from phosphene.media import atomic
from phosphene.media.sound.extra import package
from phosphene.media.video.comment import from_comment, to_comment
from phosphene.media.video.pyav import complaint

StrPath = str | os.PathLike[str]

FRAME = 4096
"""Samples that are handed to the encoder at once."""


VORBIS_LEVEL = 0.2
"""libsndfile's level of compression: Vorbis quality 8, about 256 kbit/s of stereo."""


@dataclass(frozen=True)
class SoundFormat:
    """A container and its codecs by depth in bits, each with its sample format; 0 is for lossy codecs.

    The names are FFmpeg's. Without a `muxer` it is Ogg Vorbis, which libsndfile writes.

    `rates` are the sample rates that the codec knows, empty for any; `most_channels` is the largest number of channels.
    """

    muxer: str
    codecs: dict[int, tuple[str, str]]
    rates: tuple[int, ...] = ()
    most_channels: int = 8
    bit_rate: int | None = None


_MP3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_PCM = {16: ("pcm_s16le", "s16"), 24: ("pcm_s24le", "s32"), 32: ("pcm_f32le", "flt")}
FORMATS = {
    ".wav": SoundFormat("wav", _PCM),
    ".flac": SoundFormat("flac", {16: ("flac", "s16"), 24: ("flac", "s32")}),
    ".ogg": SoundFormat("", {0: ("", "")}),
    ".opus": SoundFormat("ogg", {0: ("libopus", "flt")}, (48000,), bit_rate=160_000),
    ".mp3": SoundFormat("mp3", {0: ("libmp3lame", "fltp")}, _MP3, 2, bit_rate=256_000),
    ".m4a": SoundFormat("ipod", {0: ("aac", "fltp")}, _AAC, 6, bit_rate=224_000),  # PyAV fails at eight planes
}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def format_of(path: StrPath) -> SoundFormat:
    """Return the format that the suffix names; raise `OutputError` for one that cannot be written."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise OutputError(f"cannot write {path}: sound is written as {known}; choose one of these suffixes", path=path)
    return FORMATS[suffix]


def check_sound(path: StrPath, rate: int, channels: int, depth: int | None) -> int:
    """Return the depth in bits with which such a sound is written to `path`, 0 for a lossy format.

    Raises `OutputError` for an unknown suffix, and `SettingError` for a rate, depth or number of channels that the
    format does not have.
    """
    format, suffix = format_of(path), Path(path).suffix.lower()
    if format.rates and rate not in format.rates:
        raise SettingError(
            f"{suffix} files have no sample rate of {rate} Hz: write to .wav or .flac", setting="rate", value=rate
        )
    if channels > format.most_channels:
        raise SettingError(
            f"{suffix} files have at most {format.most_channels} channels, but this sound has {channels}: write to "
            ".wav or .flac",
            setting="channels",
            value=channels,
        )
    if 0 in format.codecs:
        return 0
    if depth is None:
        depth = 16
    return depth if depth in format.codecs else 24


class SoundWriter(ABC):
    """Takes blocks of samples, `n channels` float32 in [-1, 1]."""

    @abstractmethod
    def write(self, block: np.ndarray) -> None:
        """Add a block."""

    @abstractmethod
    def finish(self) -> None:
        """Encode what is left."""


class _ByLibsndfile(SoundWriter):
    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, block: np.ndarray) -> None:
        for begin in range(0, len(block), FRAME):
            self._file.write(block[begin : begin + FRAME])

    def finish(self) -> None:
        self._file.flush()


class _ByFFmpeg(SoundWriter):
    def __init__(self, container: Any, format: SoundFormat, rate: int, channels: int, depth: int) -> None:
        av = package("av")
        codec, self._sample = format.codecs[depth]
        self._container, self._depth = container, depth
        self._layout = _LAYOUTS[channels]
        self._rate, self._base = rate, Fraction(1, rate)
        self._stream = container.add_stream(codec, rate=rate)
        context = self._stream.codec_context
        context.layout, context.format = self._layout, self._sample
        context.thread_count = 1
        if format.bit_rate is not None:
            context.bit_rate = format.bit_rate if channels > 1 else format.bit_rate * 2 // 3
        self._fifo = av.AudioFifo()
        self._done = 0

    def write(self, block: np.ndarray) -> None:
        av = package("av")
        for begin in range(0, len(block), FRAME):
            part = block[begin : begin + FRAME]
            frame = av.AudioFrame.from_ndarray(self._packed(part), format=self._sample, layout=self._layout)
            frame.sample_rate = self._rate
            frame.pts, frame.time_base = None, self._base
            self._fifo.write(frame)
            self._drain(partial=False)

    def finish(self) -> None:
        self._drain(partial=True)
        self._container.mux(self._stream.encode(None))

    def _drain(self, *, partial: bool) -> None:
        size = self._stream.codec_context.frame_size or FRAME
        while (frame := self._fifo.read(size, partial)) is not None:
            # With their times, the encoder tells how much it puts in front (AAC: 1024 samples), and players skip that.
            frame.pts, frame.time_base = self._done, self._base
            self._done += frame.samples
            self._container.mux(self._stream.encode(frame))
            if partial and frame.samples < size:
                return

    def _packed(self, block: np.ndarray) -> np.ndarray:
        """Return samples as the encoder wants them: planar, or packed in one row."""
        if self._sample == "fltp":
            return np.ascontiguousarray(block.T, np.float32)
        if self._sample == "flt":
            return np.ascontiguousarray(block.reshape(1, -1), np.float32)
        return to_integers(block, self._depth).reshape(1, -1)


def to_integers(block: np.ndarray, depth: int) -> np.ndarray:
    """Return samples in [-1, 1] as whole numbers: int16, or 24 bits in the upper part of int32."""
    scale = 2.0 ** (depth - 1)
    whole = np.clip(np.rint(block.astype(np.float64) * scale), -scale, scale - 1)
    return whole.astype(np.int16) if depth == 16 else whole.astype(np.int32) << 8


@contextmanager
def writing(path: StrPath, rate: int, channels: int, depth: int | None, recipe: str | None) -> Iterator[SoundWriter]:
    """Open a sound file to write; it appears at `path`, whole, when the block ends.

    `depth` is 16, 24, or 32 for floating point; None for the format's own. Raises `OutputError`, and `SettingError`
    for what the format cannot hold.
    """
    depth = check_sound(path, rate, channels, depth)
    format = format_of(path)
    comment = None if recipe is None else to_comment(recipe)
    with atomic.replacing(path) as file:
        if format.muxer:
            opened = _ffmpeg(file, format, rate, channels, depth, comment)
        else:
            opened = _vorbis(file, rate, channels, comment)
        with opened as writer:
            yield writer
            writer.finish()


@contextmanager
def _vorbis(file: BinaryIO, rate: int, channels: int, comment: str | None) -> Iterator[SoundWriter]:
    soundfile = package("soundfile")
    try:
        style = {"format": "OGG", "subtype": "VORBIS", "compression_level": VORBIS_LEVEL}
        with soundfile.SoundFile(file, "w", rate, channels, **style) as sound:
            if comment is not None:
                sound.comment = comment
            yield _ByLibsndfile(sound)
    except soundfile.LibsndfileError as problem:
        raise OutputError(f"cannot encode Ogg Vorbis: {problem.error_string}") from None


@contextmanager
def _ffmpeg(
    file: BinaryIO, format: SoundFormat, rate: int, channels: int, depth: int, comment: str | None
) -> Iterator[SoundWriter]:
    av = package("av")
    options = {"fflags": "+bitexact"} | ({"rf64": "auto"} if format.muxer == "wav" else {})
    try:
        with av.open(file, "w", format=format.muxer, options=options) as container:
            if comment is not None:
                container.metadata["comment"] = comment
            yield _ByFFmpeg(container, format, rate, channels, depth)
    except av.FFmpegError as problem:
        raise OutputError(f"cannot encode sound: {complaint(problem)}") from None


def read_sound_recipe(path: StrPath) -> str | None:
    """Return the text of the recipe in a sound file, or None; raise `SoundError` for a file that is not sound."""
    from phosphene.media.sound.read import container_of

    with container_of(Path(path)) as container:
        tags = {name.lower(): text for name, text in container.metadata.items()}
        for stream in container.streams.audio:  # where Ogg has them
            tags |= {name.lower(): text for name, text in stream.metadata.items()}
    return from_comment(tags.get("comment"))
