"""Clips are read as a player shows them: the way up, in the right colours, at the right time, damaged or not."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.errors import SettingError, VideoError
from phosphene.media.video.clip import open_clip
from tests.media.video.clips import coded, expected, make_clip, number, turned


def numbers(path: Path, **section: object) -> list[int]:
    return [number(frame.image) for frame in open_clip(path).frames(**section)]  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(25, 2)])
def test_every_frame_comes_once_at_its_exact_time(tmp_path: Path, rate: Fraction) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", 10, rate=rate))
    assert (clip.size, clip.rate, clip.frame_count, clip.has_sound) == ((48, 64), rate, 10, False)
    assert clip.duration is not None
    assert abs(clip.duration - 10 / rate) < Fraction(1, 1000)
    frames = list(clip.frames())
    assert [number(frame.image) for frame in frames] == list(range(10))
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == [index / rate for index in range(10)]
    assert [frame.pts * clip.time_base for frame in frames] == [index / rate for index in range(10)]
    for frame in frames:
        assert frame.image.shape == (1, 3, 48, 64)
        assert (frame.image - expected(frame.index)).abs().mean() < 0.02


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 55, 200, 201, 350, 1000]
    path = make_clip(tmp_path / "a.mp4", 7, times=times, time_base=Fraction(1, 1000))
    clip = open_clip(path)
    frames = list(clip.frames())
    assert [frame.time for frame in frames] == [Fraction(time, 1000) for time in times]
    assert [number(frame.image) for frame in frames] == list(range(7))


@pytest.mark.parametrize("bf", ["0", "2"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_section_begins_with_the_frame_on_screen(tmp_path: Path, suffix: str, bf: str) -> None:
    path = make_clip(tmp_path / f"a{suffix}", 60, options={"g": "12", "bf": bf})
    assert numbers(path, start=1, end=1.2) == [30, 31, 32, 33, 34, 35]
    assert numbers(path, start=0.71, end=Fraction(8, 10)) == [21, 22, 23]
    assert numbers(path, start=1.9) == [57, 58, 59]
    assert numbers(path, end=0.1) == [0, 1, 2]
    clip = open_clip(path)
    assert [frame.index for frame in clip.frames(start=1.9)] == [0, 1, 2]
    assert next(clip.frames(start=1.9)).pts == 0
    for outside in (2.0, 7):
        with pytest.raises(SettingError, match="before the clip's end, 2 s"):
            clip.section(start=outside)
    for start, end, every in ((-1, None, 1), (1, 0.5, 1), (0, 0, 1), (0, None, 0), (float("nan"), None, 1)):
        with pytest.raises(SettingError):
            clip.section(start, end, every)


def test_every_so_many_frames_and_going_on_later(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 20)
    assert numbers(path, every=3) == [0, 3, 6, 9, 12, 15, 18]
    section = open_clip(path).section(start=0.1, end=0.6, every=4)
    whole = list(section.frames())
    assert [number(frame.image) for frame in whole] == [3, 7, 11, 15]
    assert section.rate == Fraction(30, 4)
    assert section.frame_count == 4
    later = list(section.frames(skip=2))
    assert [frame.pts for frame in later] == [frame.pts for frame in whole[2:]]
    assert [frame.index for frame in later] == [2, 3]
    assert all(torch.equal(a.image, b.image) for a, b in zip(later, whole[2:], strict=True))


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda x: x),
        ((0, 1, -1, 0), lambda x: x.rot90(-1, (2, 3))),  # a phone held upright
        ((-1, 0, 0, -1), lambda x: x.rot90(2, (2, 3))),
        ((0, -1, 1, 0), lambda x: x.rot90(1, (2, 3))),
        ((-1, 0, 0, 1), lambda x: x.flip(3)),
        ((1, 0, 0, -1), lambda x: x.flip(2)),
        ((0, 1, 1, 0), lambda x: x.transpose(2, 3)),
    ],
)
def test_rotation_flags_are_applied(tmp_path: Path, matrix: tuple[int, ...], turn) -> None:  # type: ignore[no-untyped-def]
    clip = open_clip(turned(make_clip(tmp_path / "a.mp4", 2), matrix))
    frame = next(clip.frames())
    wanted = turn(expected(0))
    assert clip.size == tuple(wanted.shape[-2:])
    assert frame.image.shape == wanted.shape
    assert (frame.image - wanted).abs().mean() < 0.02


def test_pixels_become_square(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", 2, aspect=Fraction(16, 11)))
    assert clip.size == (48, 93)
    frame = next(clip.frames())
    assert frame.image.shape == (1, 3, 48, 93)
    wanted = torch.nn.functional.interpolate(expected(0), (48, 93), mode="bilinear")
    assert (frame.image - wanted).abs().mean() < 0.03


@pytest.mark.parametrize(("matrix", "shares"), [(1, (0.2126, 0.0722)), (5, (0.299, 0.114)), (9, (0.2627, 0.0593))])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_colours_follow_the_matrix_and_the_range(
    tmp_path: Path, matrix: int, shares: tuple[float, float], full: bool, bits: int
) -> None:
    red = np.float64([0.8, 0.2, 0.4])
    luma = red @ [shares[0], 1 - sum(shares), shares[1]]
    chroma = ((red[2] - luma) / (2 - 2 * shares[1]), (red[0] - luma) / (2 - 2 * shares[0]))
    scale = 2 ** (bits - 8)
    top = 2**bits - 1
    levels = [luma * top if full else (219 * luma + 16) * scale]
    levels += [128 * scale + each * (top if full else 224 * scale) for each in chroma]
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p" if bits == 8 else "yuv444p10le"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame = av.VideoFrame(64, 48, stream.pix_fmt)
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        for plane, level in zip(frame.planes, levels, strict=True):
            wide = np.uint8 if bits == 8 else np.uint16
            plane.update(np.full(plane.buffer_size // wide().itemsize, round(level), wide))
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    image = next(open_clip(path).frames()).image
    off = (image - torch.tensor(red).float().reshape(1, 3, 1, 1)).abs().max().item()
    assert off < (1.6 if bits == 8 else 0.5) / 255


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mkv", "ffv1", "yuv444p10le"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mkv", "ffv1", "yuva420p"),
        ("a.mkv", "ffv1", "gbrp16le"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.avi", "rawvideo", "yuyv422"),
        ("a.mov", "qtrle", "argb"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.ts", "mpeg2video", "yuv420p"),
    ],
)
def test_odd_formats_and_sizes(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    size = (46, 58) if codec in ("libx264", "mpeg2video", "rawvideo") else (47, 59)
    colour = (2, 2) if codec in ("mjpeg", "qtrle") or pixels[0] in "gb" else (6, 1)
    options = {"profile": "high444"} if pixels == "yuv444p" else {"alpha": "1"} if "yuva" in pixels else {}
    try:
        path = make_clip(
            tmp_path / name, 4, size=size, codec=codec, pixels=pixels, colour=colour,
            options=options if codec == "libx264" else {},
        )  # fmt: skip
    except ValueError as problem:
        pytest.skip(f"this FFmpeg does not write it: {problem}")
    clip = open_clip(path)
    frames = list(clip.frames())
    assert clip.size == size
    assert len(frames) == 4
    for frame in frames:
        assert (frame.image - expected(frame.index, size)).abs().mean() < 0.03


def test_grey_in_either_range(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(16, 235, 64), (48, 1)).round().astype(np.uint8)
    for colour, low, high in ((1, 0.0, 1.0), (2, 16 / 255, 235 / 255)):
        path = make_clip(tmp_path / "a.mkv", 1, codec="ffv1", pixels="gray", planes=[ramp], colour=(2, colour))
        image = next(open_clip(path).frames()).image
        assert abs(image.min().item() - low) < 0.005
        assert abs(image.max().item() - high) < 0.005
        assert torch.equal(image[:, 0], image[:, 2])


def test_what_is_clear_is_black(tmp_path: Path) -> None:
    from PIL import Image

    half = np.dstack([coded(1), np.full((48, 64), 255, np.uint8)])
    half[:, 32:, 3] = 0
    pictures = [Image.fromarray(half), Image.fromarray(half).transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=70, disposal=2)
    clip = open_clip(tmp_path / "a.gif")
    frames = list(clip.frames())
    assert [frame.time for frame in frames] == [0, Fraction(7, 100)]
    assert frames[0].image[..., 32:].max() == 0
    assert (frames[0].image[..., :32] - expected(1)[..., :32]).abs().mean() < 0.06


def test_hdr_is_brought_to_sdr(tmp_path: Path) -> None:
    """PQ's code for 203 cd/m2, the white of subtitles and paper, is white; its code for black is black."""
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_trc, context.color_primaries = 9, 1, 16, 9
        frame = av.VideoFrame(64, 48, "yuv420p10le")
        frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries = 9, 1, 16, 9
        for plane, level in zip(frame.planes, (64 + 876 * 0.5807, 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, round(level), np.uint16))
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    assert next(open_clip(path).frames()).image.mean() > 0.97


def test_what_is_no_clip_is_refused_in_one_line(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("It was a dark and stormy night.\n" * 40)
    (tmp_path / "playlist.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile '/etc/passwd'\n")
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.mp4", "JPEG")
    os.mkfifo(tmp_path / "pipe.mp4")
    whole = make_clip(tmp_path / "whole.mp4", 20).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index is at the end
    (tmp_path / "noise.mp4").write_bytes(whole[:48] + os.urandom(3000))
    said = {}
    for name in ("none.mp4", "empty.mp4", "text.mp4", "playlist.m3u8", "list.txt", "photo.mp4", "pipe.mp4", "cut.mp4",
                 "noise.mp4", "."):  # fmt: skip
        with pytest.raises(VideoError) as caught:
            open_clip(tmp_path / name)
        said[name] = str(caught.value)
        assert "\n" not in said[name]
        assert "picture" not in said[name]
    assert "there is no file" in said["none.mp4"]
    assert "is a folder" in said["."]
    assert "cut short" in said["cut.mp4"]


def test_sound_without_pictures(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.m4a"), "w") as film:
        track = film.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 4096), np.int16), "s16", "stereo")
        frame.sample_rate = 44_100
        film.mux(track.encode(frame))  # type: ignore[call-arg, arg-type]
        film.mux(track.encode(None))
    with pytest.raises(VideoError, match="has sound, but no pictures"):
        open_clip(tmp_path / "a.m4a")


@pytest.mark.parametrize("name", ["a.mkv", "front.mp4", "a.ts", "a.avi"])
def test_a_clip_that_is_cut_short_plays_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    import av

    codec = "mpeg2video" if name == "a.ts" else "libx264"
    whole = make_clip(tmp_path / ("x" + name[-4:].lstrip("x")), 60, codec=codec, options={"g": "10"})
    if name == "front.mp4":
        with (
            av.open(str(whole)) as source,
            av.open(str(tmp_path / name), "w", options={"movflags": "+faststart"}) as film,
        ):
            stream = film.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    film.mux(packet)
    else:
        whole.rename(tmp_path / name)
    with av.open(str(tmp_path / name)) as source:
        at = [packet.pos for packet in source.demux(video=0) if packet.size]
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: (at[40] + at[41]) // 2])
    frames = list(open_clip(tmp_path / name).frames())
    assert 35 <= len(frames) <= 42
    for frame in frames[:-3]:  # the last may be concealed
        assert number(frame.image) == frame.index
    assert all(a.time < b.time for a, b in pairwise(frames))


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 60, options={"g": "10"})
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    span = data.index(b"moov") - at
    data[at + span // 2 : at + span // 2 + span // 20] = os.urandom(span // 20)
    path.write_bytes(data)
    frames = list(open_clip(path).frames())
    assert len(frames) >= 40
    assert number(frames[0].image) == 0
    assert number(frames[-1].image) == 59
    assert frames[-1].time == Fraction(59, 30)
