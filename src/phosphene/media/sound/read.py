"""Reading sound: libsndfile for the formats that it knows, FFmpeg for the others, a block of samples at a time.

Samples are float32, `samples channels`, in [-1, 1] where the file is of whole numbers; floating-point files may go
beyond that.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.errors import ImageError, SoundError
from phosphene.media.image.decode import open_file
from phosphene.media.sound.extra import package
from phosphene.media.video.pyav import complaint

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".caf", ".au"})
"""Suffixes of files that are taken to be sound; others are by their first bytes."""

_MP3_MAGIC = (b"ID3", b"\xff\xfb", b"\xff\xf3")
_MAGIC = (*_MP3_MAGIC, b"fLaC", b"caff", b".snd", b"wvpk", b"\xff\xf1", b"\xff\xf9")
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,mp3,aac,flac,wav,aiff,caf,au,w64,asf,ape,wv,tta,ac3,eac3,amr"
_DEPTHS = {"PCM_16": 16, "PCM_24": 24, "PCM_S8": 16, "PCM_U8": 16, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 32}
_MISSING = 0.05
"""Seconds by which a file may be shorter than it says it is."""

_OGG_PAGE, _OGG_HEADER, _OGG_LAST = 65_307, 26, 4
"""Of Ogg's pages: bytes of the largest, bytes before the number of segments, and the flag of the last (RFC 3533)."""

BLOCK = 65_536
"""Samples that are read at once."""

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class SoundFile:
    """A sound on the disk.

    `rate` is in samples per second; `samples` is their number in each of `channels`, None where only reading to the end
    would tell. `depth` is the bits of a sample: 16, 24, or 32 for floating point; None for lossy formats.
    """

    path: Path
    rate: int
    channels: int
    samples: int | None
    depth: int | None
    sha256: str
    by_ffmpeg: bool = False

    @property
    def seconds(self) -> float | None:
        """The length, if it is known."""
        return None if self.samples is None else self.samples / self.rate

    def blocks(self, size: int = BLOCK) -> Iterator[np.ndarray]:
        """Yield all samples, `n channels` float32, in blocks of `size` but for the last.

        Raises `SoundError` for a file that ends early or has samples that are not numbers.
        """
        parts = _by_ffmpeg(self) if self.by_ffmpeg else _by_libsndfile(self)
        done = 0
        for block in _regrouped(parts, size):
            if not np.isfinite(block).all():
                first = int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
                raise SoundError(
                    f"{self.path} has a sample that is not a number, at {(done + first) / self.rate:.2f} s",
                    path=self.path,
                )
            done += len(block)
            yield block
        if done == 0:
            raise SoundError(f"{self.path} has no samples: there is nothing to hear", path=self.path)
        if self.samples is not None and done < self.samples - _MISSING * self.rate:
            raise SoundError(
                f"{self.path} is cut short: it says that it is {self.samples / self.rate:.1f} s long, but ends at "
                f"{done / self.rate:.1f} s",
                path=self.path,
            )


def is_sound(path: StrPath) -> bool:
    """Return whether a file is taken to be sound: by its suffix, or else by its first bytes."""
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open_file(path) as file:
            head = file.read(12)
    except (ImageError, OSError):
        return False
    chunk = head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"
    return (
        chunk or head.startswith(_MAGIC) or (head[:4] == b"FORM" and head[8:11] == b"AIF") or head[4:11] == b"ftypM4A"
    )


def open_sound(path: StrPath) -> SoundFile:
    """Return what the file at `path` says about itself.

    Raises `SoundError` for a file that cannot be read, or is not sound.
    """
    path = Path(path)
    digest = _hash(path)
    soundfile = package("soundfile")
    found = None
    if not _is_mp3(path):  # of which libsndfile's decoder writes to stderr what it thinks
        with suppress(soundfile.LibsndfileError), soundfile.SoundFile(path) as file:
            if path.suffix.lower() == ".wav":
                _check_length(path)
            if file.format == "OGG":
                _check_last_page(path)
            depth = None if file.format == "OGG" else _DEPTHS.get(file.subtype, 16)
            found = SoundFile(path, file.samplerate, file.channels, file.frames, depth, digest)
    if found is None:
        found = _open_by_ffmpeg(path, digest)
    if found.samples == 0:
        raise SoundError(f"{path} has no samples: there is nothing to hear", path=path)
    return found


def read_sound(path: StrPath, most_seconds: float = 3600.0) -> tuple[SoundFile, np.ndarray]:
    """Return a sound file and all of its samples, `samples channels`, up to `most_seconds` of them."""
    file = open_sound(path)
    blocks, left = [], int(most_seconds * file.rate)
    for block in file.blocks():
        blocks.append(block[:left])
        left -= len(block)
        if left <= 0:
            break
    return file, np.concatenate(blocks)


def _check_there(path: Path) -> None:
    """Raise `SoundError` for a path where no file can be read."""
    try:
        open_file(path).close()
    except ImageError as problem:
        raise SoundError(str(problem).replace("picture", "sound"), path=path) from None


def _hash(path: Path) -> str:
    try:
        with open_file(path) as file:
            if not file.read(1):
                raise SoundError(f"{path} is empty (0 bytes): a sound was expected", path=path)
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except ImageError as problem:
        raise SoundError(str(problem).replace("picture", "sound"), path=path) from None
    except OSError as problem:
        raise SoundError(f"{path} cannot be read: {problem.strerror or problem}", path=path) from None


def _check_length(path: Path) -> None:
    """Raise `SoundError` for a WAV file that is shorter than its header says, which libsndfile passes over."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        if head[:4] != b"RIFF":
            return
        while len(chunk := file.read(8)) == 8:
            name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            if name == b"data":
                if 0 < length < 0xFFFFFF00 and file.tell() + length > size:
                    raise SoundError(
                        f"{path} is cut short: {length} bytes of samples should follow its header, but only "
                        f"{size - file.tell()} do",
                        path=path,
                    )
                return
            file.seek(length + length % 2, os.SEEK_CUR)


def _is_mp3(path: Path) -> bool:
    with open(path, "rb") as file:
        return path.suffix.lower() == ".mp3" or file.read(3).startswith(_MP3_MAGIC)


def _check_last_page(path: Path) -> None:
    """Raise `SoundError` for an Ogg file whose last page is not whole, or not marked as the last."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - 2 * _OGG_PAGE))
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    whole = len(page) > _OGG_HEADER and len(page) >= _OGG_HEADER + 1 + page[_OGG_HEADER] + sum(
        page[_OGG_HEADER + 1 : _OGG_HEADER + 1 + page[_OGG_HEADER]]
    )
    if not whole or not page[5] & _OGG_LAST:
        raise SoundError(f"{path} is cut short: its last page is missing", path=path)


def _by_libsndfile(sound: SoundFile) -> Iterator[np.ndarray]:
    soundfile = package("soundfile")
    try:
        with soundfile.SoundFile(sound.path) as file:
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                yield block
    except soundfile.LibsndfileError as problem:
        raise SoundError(f"{sound.path} is damaged or cut short ({_said(problem)})", path=sound.path) from None


def _open_by_ffmpeg(path: Path, digest: str) -> SoundFile:
    with container_of(path) as container:
        stream = _stream(container, path)
        context = stream.codec_context
        samples = None
        if stream.duration and stream.time_base:
            samples = round(Fraction(stream.duration) * stream.time_base * context.rate)
        layout = context.format.name if context.format is not None else ""
        lossless = context.codec.name in ("alac", "ape", "wavpack", "tta") or context.codec.name.startswith("pcm")
        depth = (24 if layout.startswith("s32") else 16) if lossless else None
        return SoundFile(path, context.rate, context.channels, samples, depth, digest, by_ffmpeg=True)


def container_of(path: Path) -> Any:
    """Return PyAV's container for a sound file, to be closed by the caller; raise `SoundError` if there is none."""
    av = package("av")
    _check_there(path)
    allowed = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        return av.open(f"file:{path}", options=allowed, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as problem:
        raise SoundError(
            f"{path} is not a sound that can be read, or is damaged or cut short ({complaint(problem)})", path=path
        ) from None


def _stream(container: Any, path: Path) -> Any:
    streams = [each for each in container.streams.audio if each.codec_context is not None]
    if not streams:
        raise SoundError(f"{path} has no sound", path=path)
    return streams[0]


def _by_ffmpeg(sound: SoundFile) -> Iterator[np.ndarray]:
    av = package("av")
    with container_of(sound.path) as container:
        stream = _stream(container, sound.path)
        convert = av.AudioResampler(format="fltp")
        try:
            for frame in container.decode(stream):
                for each in convert.resample(frame):
                    yield np.ascontiguousarray(each.to_ndarray().T)
            for each in convert.resample(None):
                yield np.ascontiguousarray(each.to_ndarray().T)
        except (av.FFmpegError, OSError) as problem:
            raise SoundError(f"{sound.path} is damaged or cut short ({complaint(problem)})", path=sound.path) from None


def _regrouped(parts: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same samples in blocks of `size`."""
    held: list[np.ndarray] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count < size:
            continue
        whole = np.concatenate(held)
        for begin in range(0, count - size + 1, size):
            yield whole[begin : begin + size]
        held = [whole[count - count % size :]]
        count %= size
    if count:
        yield np.concatenate(held)


def _said(problem: BaseException) -> str:
    text = str(problem)
    with suppress(AttributeError):
        text = str(problem.error_string)  # type: ignore[attr-defined]
    return " ".join(text.split()).rstrip(".")[:160]
