"""Films are written so that what goes in comes out: frames, times, colours, sound and recipe."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from phosphene.errors import OutputError, PhospheneError, SettingError, UnknownNameError, VideoError
from phosphene.media.image import read_image, read_recipe_text
from phosphene.media.video.clip import open_clip
from phosphene.media.video.codecs import CONTAINERS, choose_codec
from phosphene.media.video.film import Film, FilmSettings
from phosphene.media.video.identify import read_film_recipe
from tests import forked
from tests.media.video.clips import expected, make_clip, number, packets, turned

KINDS = {  # what is lost at most, as a mean difference
    "a.mp4": ("h264", 0.01),
    "a.m4v": ("h264", 0.01),
    "a.webm": ("vp9", 0.01),
    "a.mkv": ("ffv1", 0.0),
    "h264.mkv": ("h264", 0.01),
    "prores.mkv": ("prores", 0.01),
    "a.mov": ("prores", 0.01),
    "h264.mov": ("h264", 0.01),
    "a.gif": ("gif", 0.03),
}
RECIPE = '{"kind": "zoom", "target": "größer \U0001f41f",\n "automatic": []}'


def film(path: Path, count: int = 10, size: tuple[int, int] = (48, 64), **settings: object) -> Path:
    chosen = FilmSettings(size=size, **{"rate": Fraction(25), **settings})  # type: ignore[arg-type]
    with Film(path, chosen, recipe=RECIPE) as made:
        for index in range(count):
            made.write(expected(index, size))
        return made.finish()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
def test_what_is_written_is_read_back(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    codec, lost = KINDS[name]
    path = film(tmp_path / name, 10, size, codec=codec)
    assert os.listdir(tmp_path) == [name]
    clip = open_clip(path)
    height, width = size
    assert clip.size == ((48, 62) if codec in ("h264", "prores") and size == (47, 61) else size)
    frames = list(clip.frames())
    assert len(frames) == 10
    for frame in frames:
        assert number(frame.image) == frame.index
        image = frame.image[..., :height, :width]
        assert (image - expected(frame.index, size)).abs().mean() <= lost + 1e-7
        assert (image - expected(frame.index, size)).mean((0, 2, 3)).abs().max() <= lost / 2 + 1e-7  # no tint
        assert torch.equal(
            frame.image[..., -1, :width].round(), image[..., -1, :].round()
        )  # what was added is repeated
    assert read_film_recipe(path) == RECIPE


@pytest.mark.parametrize("rate", [Fraction(30_000, 1001), Fraction(24), Fraction(25, 3), Fraction(1), Fraction(120)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "a.mkv"])
def test_rates_are_exact(tmp_path: Path, name: str, rate: Fraction) -> None:
    clip = open_clip(film(tmp_path / name, 14, rate=rate))
    assert clip.rate == rate
    times = [frame.time for frame in clip.frames()]
    if name in ("a.mp4", "a.mov"):
        assert times == [index / rate for index in range(14)]
        assert clip.duration == 14 / rate
    else:  # Matroska counts milliseconds
        assert all(abs(time - index / rate) <= Fraction(1, 2000) for index, time in enumerate(times))


def test_variable_rates_are_kept(tmp_path: Path) -> None:
    ticks = [0, 1, 500, 501, 997, 1400, 2002, 2100, 2103, 2999, 3000, 3500, 5000, 5003]
    for name in ("a.mp4", "a.mkv", "a.gif"):
        settings = FilmSettings(size=(48, 64), rate=Fraction(12), time_base=Fraction(1, 1000))
        with Film(tmp_path / name, settings) as made:
            for index, pts in enumerate(ticks):
                made.write(expected(index), pts, duration=40)
            made.finish()
        frames = list(open_clip(tmp_path / name).frames())
        if name == "a.gif":  # no frame for less than two hundredths
            assert [number(frame.image) for frame in frames] == [0, 2, 4, 5, 6, 7, 9, 11, 12]
            assert [frame.time * 100 for frame in frames] == [0, 50, 100, 140, 200, 210, 300, 350, 500]
        else:
            assert [frame.time * 1000 for frame in frames] == ticks
            assert [number(frame.image) for frame in frames] == list(range(14))


def test_a_dreamt_clip_keeps_its_clock(tmp_path: Path) -> None:
    """The way a clip goes through: read, written on the same clock, read again."""
    times = [0, 1001, 2002, 4004, 5005, 5500]
    clip = open_clip(make_clip(tmp_path / "a.mp4", 6, times=times, time_base=Fraction(1, 30_000)))
    settings = FilmSettings(size=clip.size, rate=clip.rate, time_base=clip.time_base)
    with Film(tmp_path / "b.mp4", settings) as made:
        for frame in clip.frames():
            made.write(frame.image, frame.pts, frame.duration)
        made.finish()
    again = open_clip(tmp_path / "b.mp4")
    assert [frame.time for frame in again.frames()] == [Fraction(time, 30_000) for time in times]
    assert again.rate == clip.rate


def test_pictures(tmp_path: Path) -> None:
    for name, first in (("trip", "trip/00000.png"), ("trip-%03d.png", "trip-000.png")):
        film(tmp_path / name, 14, (47, 61), depth=16, rate=Fraction(30_000, 1001))
        picture = read_image(tmp_path / first)
        assert picture.depth == 16
        assert (picture.image - expected(0, (47, 61))).abs().max() < 1e-5
        assert read_recipe_text(tmp_path / first) == RECIPE
    assert sorted(os.listdir(tmp_path / "trip")) == [*(f"{index:05d}.png" for index in range(14)), "frames.ffconcat"]
    listed = tmp_path / "trip.ffconcat"
    with av.open(str(listed), format="concat", options={"safe": "0"}) as container:  # as mpv and ffmpeg would
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0) if frame.pts is not None]
    assert len(times) == 14
    assert np.allclose(times, np.arange(14) * 1001 / 30_000, atol=1e-4)
    film(tmp_path / "trip", 14, (47, 61), depth=16, rate=Fraction(30_000, 1001))  # the same film once more
    with (
        pytest.raises(OutputError, match="is there already"),
        Film(tmp_path / "trip", FilmSettings((48, 64), Fraction(25)), recipe="another"),
    ):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["trip", "trip.ffconcat", *(f"trip-{index:03d}.png" for index in range(14))]
    )


def test_deep_films_keep_16_bits(tmp_path: Path) -> None:
    fine = torch.linspace(0, 1, 48 * 64 * 3).reshape(1, 3, 48, 64)
    with Film(tmp_path / "a.mkv", FilmSettings((48, 64), Fraction(25), depth=16)) as made:
        made.write(fine)
        made.finish()
    assert (next(open_clip(tmp_path / "a.mkv").frames()).image - fine).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mov"])
def test_colours_are_tagged(tmp_path: Path, name: str) -> None:
    with av.open(str(film(tmp_path / name))) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)


def test_mp4_is_playable_everywhere(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 100, (47, 61))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.profile in ("High", "Main")
        keys = [packet.pts for packet in container.demux(stream) if packet.is_keyframe]
    assert [key * stream.time_base for key in keys[:2]] == [0, 2]  # a player can go to any two seconds


def test_gif_colours_and_loop(tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(film(tmp_path / "a.gif", 20)) as gif:
        assert gif.n_frames == 20
        assert gif.info["loop"] == 0
        assert gif.info["comment"].decode() == f"phosphene recipe: {RECIPE}"


@pytest.mark.parametrize("recipe", ["", "a" * 70_000, "line\r\nline \x07", "🐟" * 20_000], ids=repr)
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "a.mkv", "a.gif"])
def test_any_recipe_comes_back(tmp_path: Path, name: str, recipe: str) -> None:
    with Film(tmp_path / name, FilmSettings((48, 64), Fraction(25)), recipe=recipe) as made:
        made.write(expected(0))
        made.finish()
    assert read_film_recipe(tmp_path / name) == recipe


def test_other_comments_are_no_recipes(tmp_path: Path) -> None:
    assert read_film_recipe(make_clip(tmp_path / "a.mp4")) is None
    with Film(tmp_path / "b.mp4", FilmSettings((48, 64), Fraction(25))) as made:
        made.write(expected(0))
        made.finish()
    assert read_film_recipe(tmp_path / "b.mp4") is None
    (tmp_path / "c.mp4").write_text("nothing")
    with pytest.raises(VideoError):
        read_film_recipe(tmp_path / "c.mp4")


def with_sound(source: Path, target: Path, **section: object) -> Path:
    clip = open_clip(source)
    part = clip.section(**section)  # type: ignore[arg-type]
    with Film(target, FilmSettings(clip.size, part.rate, clip.time_base)) as made:
        for frame in part.frames():
            made.write(frame.image, frame.pts, frame.duration)
        made.finish(part.sound)
    return target


@pytest.mark.parametrize(
    ("source", "codec", "target"),
    [
        ("a.mp4", "aac", "b.mp4"),
        ("a.mp4", "aac", "b.mkv"),
        ("a.mp4", "aac", "b.mov"),
        ("a.mkv", "aac", "b.mp4"),
        ("a.mkv", "flac", "b.mkv"),
        ("a.mkv", "libmp3lame", "b.mp4"),
        ("a.mov", "pcm_s16le", "b.mov"),
        ("a.mov", "pcm_s16le", "b.mkv"),
        ("a.webm", "libopus", "b.webm"),
        ("a.webm", "libopus", "b.mp4"),
        ("a.webm", "libopus", "b.mkv"),
    ],
)
def test_sound_is_carried_over_untouched(tmp_path: Path, source: str, codec: str, target: str) -> None:
    pictures = "libvpx-vp9" if source == "a.webm" else "libx264"
    clip = make_clip(tmp_path / source, 30, codec=pictures, sound=codec)
    made = with_sound(clip, tmp_path / target)
    kept, all_of_it = packets(made), packets(clip)
    if codec == "aac" and target == "b.mkv":  # what only prepares the decoder has no place there
        assert all_of_it[-len(kept) :] == kept
        assert len(all_of_it) - len(kept) <= 1
    else:
        assert kept == all_of_it
    assert open_clip(made).frame_count == 30
    assert abs(lag(clip, made)) <= 0.0011  # Matroska's millisecond
    assert next(open_clip(made).frames()).time == 0
    with av.open(str(made)) as container:
        assert container.streams.video[0].start_time in (0, None)


@pytest.mark.parametrize(("codec", "target"), [("aac", "b.webm"), ("pcm_s16le", "b.mp4"), ("libopus", "b.mov")])
def test_sound_is_encoded_again_where_it_must_be(tmp_path: Path, codec: str, target: str) -> None:
    source = "a.mkv" if codec == "libopus" else "a.mov"
    clip = make_clip(tmp_path / source, 30, sound=codec)
    sound = open_clip(clip).section().sound
    assert sound is not None
    container = choose_codec(tmp_path / target)[0]
    made = with_sound(clip, tmp_path / target)
    with av.open(str(made)) as film:
        assert film.streams.audio[0].codec_context.name in str(container.resound)  # "opus" of "libopus"
    assert abs(lag(clip, made)) < 0.002
    assert with_sound(clip, tmp_path / f"again{target}").read_bytes() == made.read_bytes()


@pytest.mark.parametrize("target", ["b.mp4", "b.mkv", "b.webm"])
def test_sound_is_cut_with_the_pictures(tmp_path: Path, target: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, sound="aac", options={"g": "10"})
    made = with_sound(clip, tmp_path / target, start=0.7, end=1.5)
    frames = list(open_clip(made).frames())
    assert [number(frame.image) for frame in frames] == list(range(21, 45))
    assert abs(lag(clip, made) - 0.7) < 0.002
    with av.open(str(made)) as container:
        assert abs(sum(frame.samples / frame.rate for frame in container.decode(audio=0)) - 0.8) < 0.06


@pytest.mark.parametrize("target", ["b.gif", "b"])
def test_some_films_are_silent(tmp_path: Path, target: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", 10, sound="aac")
    sound = open_clip(clip).section().sound
    assert sound is not None
    made = with_sound(clip, tmp_path / target)
    assert made.is_dir() or not av.open(str(made)).streams.audio
    assert open_clip(make_clip(tmp_path / "c.mp4", 3)).section().sound is None


def lag(source: Path, made: Path) -> float:
    """By how many seconds the sound of `made`, on its pictures' clock, is that of a later time of `source`."""
    heard, later = samples(source), samples(made)
    middle = later[len(later) // 4 : 3 * len(later) // 4]
    spectrum = np.fft.rfft(heard, 1 << 18) * np.conj(np.fft.rfft(middle, 1 << 18))
    best = int(np.argmax(np.fft.irfft(spectrum)))
    return (best - len(later) // 4) / 48_000


def samples(path: Path) -> np.ndarray:
    """The sound from when the first picture is shown, at 48 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        parts, begun = [], None
        for frame in container.decode(audio=0):
            begun = frame.time if begun is None else begun
            parts += [each.to_ndarray()[0] for each in resampler.resample(frame)]
    assert begun is not None
    whole = np.concatenate(parts)
    ahead = round(begun * 48_000)
    return np.concatenate([np.zeros(ahead), whole]) if ahead >= 0 else whole[-ahead:]


def test_every_container_is_deterministic(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.webm", "a.mkv", "a.mov", "a.gif"):
        first = film(tmp_path / name, 20).read_bytes()
        assert film(tmp_path / f"b{name}", 20).read_bytes() == first


def test_settings_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    plain = FilmSettings((48, 64), Fraction(25))
    wrong: list[tuple[str, dict[str, object], type[PhospheneError], str]] = [
        ("a.wmv", {}, OutputError, "use one of .mp4, .webm, .gif, .mkv, .mov, or a folder"),
        ("a.png", {}, OutputError, "a-%05d.png"),
        ("no/a.mp4", {}, OutputError, "no folder"),
        ("a.mp4", {"codec": "h265"}, UnknownNameError, "did you mean 'h264'"),
        ("a.mp4", {"codec": "ffv1"}, SettingError, r"name the output .mkv"),
        ("a.mp4", {"codec": "png"}, SettingError, r"a folder"),
        ("a.mp4", {"crf": 52}, SettingError, r"0 \(best\) to 51"),
        ("a.gif", {"crf": 5}, SettingError, "h264 or vp9"),
        ("a.mp4", {"depth": 16}, SettingError, "ffv1 or png"),
        ("a.mp4", {"size": (48, 20_000)}, SettingError, "16384"),
        ("a.mp4", {"rate": Fraction(0)}, SettingError, "rate"),
        ("a.mp4", {"rate": Fraction(2**40 + 1, 2**40)}, SettingError, "rate"),
    ]
    for name, changed, kind, said in wrong:
        settings = FilmSettings(**{**plain.__dict__, **changed})  # type: ignore[arg-type]
        with pytest.raises(kind, match=said):
            Film(tmp_path / name, settings)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        Film(tmp_path / "folder.mp4", plain)
    assert os.listdir(tmp_path) == ["folder.mp4"]
    with Film(tmp_path / "a.mp4", plain) as made:
        for image, pts in ((expected(0, (48, 62)), 0), (expected(0), -1), (expected(0) * float("nan"), 0),
                           (expected(0).repeat(2, 1, 1, 1), 0)):  # fmt: skip
            with pytest.raises(SettingError):
                made.write(image, pts)
        with pytest.raises(SettingError, match="none was written"):
            made.finish()
        made.write(expected(0), 5)
        with pytest.raises(SettingError, match="after the last one, at 5"):
            made.write(expected(1), 5)
    assert os.listdir(tmp_path) == ["folder.mp4"]


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mkv", "a.mov", "a.gif"])
def test_the_smallest_films(tmp_path: Path, name: str) -> None:
    for size in ((1, 1), (2, 3), (1, 40)):
        try:
            path = film(tmp_path / name, 1, size)
        except SettingError as problem:
            assert "\n" not in str(problem)  # noqa: PT017
            continue
        found = open_clip(path).size
        assert found == ((size[0] + size[0] % 2, size[1] + size[1] % 2) if name in ("a.mp4", "a.mov") else size)


def test_turned_clips_are_written_upright(tmp_path: Path) -> None:
    clip = turned(make_clip(tmp_path / "a.mp4", 3), (0, 1, -1, 0))
    again = open_clip(with_sound(clip, tmp_path / "b.mp4"))
    assert again.size == (64, 48)
    assert (next(again.frames()).image - expected(0).rot90(-1, (2, 3))).abs().mean() < 0.03


def test_without_pyav_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from phosphene.media.video.clip import open_clip\n"
        "from phosphene.media.video.film import Film, FilmSettings\n"
        "from phosphene.errors import MissingExtraError\n"
        "from fractions import Fraction\n"
        "settings = FilmSettings((2, 2), Fraction(9))\n"
        "for attempt in (lambda: open_clip(sys.argv[0]), lambda: Film('a.mp4', settings)):\n"
        "    try: attempt(); sys.exit(1)\n"
        "    except MissingExtraError as problem: assert \"pip install 'phosphene[video]'\" in str(problem), problem\n"
    )
    result = forked.run(code)
    assert result.returncode == 0, result.stderr


def test_the_docs_name_what_is_written() -> None:
    text = (Path(__file__).parents[3] / "docs" / "video-formats.md").read_text(encoding="utf-8")
    for container in CONTAINERS:
        for each in (*container.suffixes, *container.codecs, *container.sound, container.resound):
            assert each is None or f"`{each}`" in text, each
