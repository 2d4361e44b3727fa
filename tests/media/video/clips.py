"""Tiny clips for the tests of video, made with PyAV, of frames that say which one they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

SECOND_BASE = Fraction(1, 30)


def coded(index: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """A picture (h w 3, uint8): smooth, brighter at the top left, with its number as eight black or white blocks."""
    height, width = size
    down, right = np.mgrid[0:height, 0:width]
    picture = np.stack([230 - 120 * right / width, 200 - 100 * down / height, np.full(size, 90)], -1)
    block, rows = width // 8, max(1, height // 4)
    for bit in range(8):
        picture[-rows:, bit * block : (bit + 1) * block] = 240 if index >> bit & 1 else 16
    return picture.round().astype(np.uint8)


def number(image: torch.Tensor) -> int:
    """The number that `coded` wrote into a picture (1 3 h w)."""
    height, width = image.shape[-2:]
    strip = image[0].mean(0)[height - max(1, height // 4) // 2 - 1]
    block = width // 8
    return sum(1 << bit for bit in range(8) if strip[bit * block + block // 2] > 0.5)


def expected(index: int, size: tuple[int, int] = (48, 64)) -> torch.Tensor:
    """`coded` as an image, 1 3 h w."""
    return torch.from_numpy(coded(index, size)).permute(2, 0, 1)[None].float() / 255


def tone(seconds: float, rate: int = 44_100, channels: int = 2) -> np.ndarray:
    """A falling tone, 1 x (samples, interleaved), int16."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (np.sin(2 * np.pi * (600 - 100 * time) * time) * 12_000).astype(np.int16)
    return np.repeat(wave, channels)[None]


def make_clip(
    path: Path,
    frames: int = 10,
    *,
    size: tuple[int, int] = (48, 64),
    rate: Fraction = Fraction(30),
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    colour: tuple[int, int] = (1, 1),
    sound: str | None = None,
    sound_seconds: float | None = None,
    planes: Iterable[np.ndarray] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write a clip; `colour` is the matrix and the range (H.273's numbers), `times` the ticks of each frame."""
    base = time_base or 1 / rate
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.time_base = stream.codec_context.time_base = base
        stream.codec_context.colorspace, stream.codec_context.color_range = colour
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        track = _track(film, sound)
        given = iter(planes) if planes is not None else None
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(coded(index, size), "rgb24")
            frame = (
                _raw(next(given), size, pixels)
                if given
                else frame.reformat(format=pixels, dst_colorspace=colour[0], dst_color_range=colour[1])
            )
            frame.colorspace, frame.color_range = colour
            frame.pts, frame.time_base = (times[index] if times else index), base
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if track is not None:
            length = sound_seconds or float(frames / rate)
            samples = av.AudioFrame.from_ndarray(tone(length), "s16", "stereo")
            samples.sample_rate, samples.pts, samples.time_base = 44_100, 0, Fraction(1, 44_100)
            resampled = av.AudioResampler(format=track.format, layout="stereo", rate=track.rate).resample(samples)
            for part in resampled:
                film.mux(track.encode(part))
            film.mux(track.encode(None))
    return path


def _track(film: Any, sound: str | None) -> Any:
    if sound is None:
        return None
    track = film.add_stream(sound, rate=48_000 if sound == "libopus" else 44_100)
    track.codec_context.layout = "stereo"
    return track


def _raw(samples: np.ndarray, size: tuple[int, int], pixels: str) -> av.VideoFrame:
    """A frame whose first plane is `samples` and whose others are in the middle of their range."""
    frame = av.VideoFrame(size[1], size[0], pixels)
    for index, plane in enumerate(frame.planes):
        wide = samples.dtype.itemsize
        middle = 128 if wide == 1 else 1 << (frame.format.components[0].bits - 1)
        rows = np.full((plane.height, plane.line_size // wide), middle, samples.dtype)
        if index == 0:
            rows[:, : size[1]] = samples
        plane.update(rows)
    return frame


def turned(path: Path, matrix: Sequence[int]) -> Path:
    """Write (a, b, c, d) into the display matrix of an MP4's track, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 4 + (20 if data[at] == 0 else 32) + 16  # version and flags, times and ids, layer to reserved
    a, b, c, d = (each * 65_536 for each in matrix)
    entries = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4")
    data[at : at + 36] = entries.tobytes()
    path.write_bytes(data)
    return path


def packets(path: Path, kind: str = "audio") -> list[bytes]:
    """The packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = (container.streams.audio if kind == "audio" else container.streams.video)[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]
