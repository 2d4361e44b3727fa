"""Sound files: read as they are, written whole with their recipe, loudness as EBU R 128 has it, peaks limited."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from phosphene.errors import OutputError, SettingError, SoundError
from phosphene.media.sound.loudness import CEILING, Limiter, LoudnessMeter
from phosphene.media.sound.read import is_sound, open_sound, read_sound
from phosphene.media.sound.resample import resampled
from phosphene.media.sound.write import read_sound_recipe, writing


def tone(seconds: float = 0.5, rate: int = 44_100, channels: int = 2) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * 440 * (i + 1) * time) for i in range(channels)], 1).astype(np.float32)


def write(
    path: Path, samples: np.ndarray, rate: int = 44_100, depth: int | None = None, recipe: str | None = None
) -> None:
    with writing(path, rate, samples.shape[1], depth, recipe) as writer:
        for begin in range(0, len(samples), 5000):
            writer.write(samples[begin : begin + 5000])


@pytest.mark.parametrize(
    ("suffix", "depth", "error"),
    [(".wav", 16, 2e-5), (".wav", 24, 1e-7), (".wav", 32, 0), (".flac", 16, 2e-5), (".flac", 24, 1e-7)],
)
def test_lossless_files_come_back(tmp_path: Path, suffix: str, depth: int, error: float) -> None:
    samples, path = tone(), tmp_path / f"tone{suffix}"
    write(path, samples, depth=depth, recipe='{"a": "ü"}')
    file, back = read_sound(path)
    assert (file.rate, file.channels, file.depth, file.samples) == (44_100, 2, depth, len(samples))
    assert np.abs(back - samples).max() <= error
    assert read_sound_recipe(path) == '{"a": "ü"}'


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".mp3", ".m4a"])
def test_lossy_files_sound_the_same(tmp_path: Path, suffix: str) -> None:
    path, samples = tmp_path / f"tone{suffix}", tone(1.0)
    samples += np.random.default_rng(0).normal(0, 0.1, (len(samples), 1)).astype(np.float32)
    write(path, samples, rate=48_000 if suffix == ".opus" else 44_100, recipe="{}")
    file, back = read_sound(path)
    assert file.depth is None
    assert abs(len(back) - 44_100) < 4096
    assert back.std() == pytest.approx(samples.std(), rel=0.1)
    shifts = [np.mean(back[10_000 + shift : 30_000 + shift] * samples[10_000:30_000]) for shift in range(-1500, 1500)]
    assert int(np.argmax(shifts)) - 1500 == pytest.approx(0, abs=2)  # it begins when it did
    assert read_sound_recipe(path) == "{}"


def test_formats_say_what_they_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.wav, \.flac"):
        write(tmp_path / "a.xyz", tone())
    with pytest.raises(SettingError, match=r"96000 Hz: write to \.wav or \.flac"):
        write(tmp_path / "a.mp3", tone(), rate=96_000)
    with pytest.raises(SettingError, match="at most 2 channels"):
        write(tmp_path / "a.mp3", tone(channels=8))
    with pytest.raises(SettingError, match="at most 6 channels"):
        write(tmp_path / "a.m4a", tone(channels=8))
    write(tmp_path / "a.wav", tone(channels=8), rate=8000)
    assert open_sound(tmp_path / "a.wav").channels == 8
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.wav"]


def test_bad_files_get_one_clear_line(tmp_path: Path, photo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = tmp_path / "whole.wav"
    write(whole, tone())
    for suffix in (".ogg", ".opus", ".mp3"):
        write(tmp_path / f"long{suffix}", tone(), rate=48_000)
    broken = {
        "no.wav": None,
        "empty.wav": b"",
        "picture.wav": photo.read_bytes(),
        "picture.mp3": photo.read_bytes(),
        "cut.wav": whole.read_bytes()[:20_000],
        **{f"cut{each.suffix}": each.read_bytes()[: each.stat().st_size // 2] for each in tmp_path.glob("long.*")},
    }
    for name, data in broken.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(SoundError, match=name) as caught:
            read_sound(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # libsndfile's decoders have their own to say
    nothing = tmp_path / "nothing.wav"
    soundfile.write(nothing, tone()[:0], 44_100)
    with pytest.raises(SoundError, match="has no samples"):
        read_sound(nothing)
    samples = tone()
    samples[20_000, 1] = np.nan
    write(tmp_path / "nan.wav", samples, depth=32)
    with pytest.raises(SoundError, match=r"not a number, at 0\.45 s"):
        read_sound(tmp_path / "nan.wav")


def test_sound_is_told_from_pictures(tmp_path: Path, photo: Path) -> None:
    write(tmp_path / "a.flac", tone())
    (tmp_path / "bare").write_bytes((tmp_path / "a.flac").read_bytes())
    assert is_sound(tmp_path / "bare")
    assert is_sound("song.m4a")
    assert not is_sound(photo)


def test_loudness_is_that_of_the_standard() -> None:
    # EBU Tech 3341, test 1: a stereo sine of 1 kHz at -23 dBFS has -23 LUFS.
    time = torch.arange(48_000 * 4) / 48_000
    sine = (10 ** (-23 / 20) * torch.sin(2 * math.pi * 1000 * time)).repeat(2, 1)
    meter = LoudnessMeter(48_000, 2)
    for block in sine.split(7777, dim=1):
        meter.add(block)
    assert meter.loudness() == pytest.approx(-23, abs=0.1)
    assert LoudnessMeter(48_000, 2).loudness() == -math.inf


@pytest.mark.parametrize("size", [100, 1000, 50_001])
def test_the_limiter_touches_nothing_but_peaks(size: int) -> None:
    rng = torch.Generator().manual_seed(0)
    quiet, loud = torch.rand(2, 50_001, generator=rng) * 0.9, torch.randn(2, 50_001, generator=rng)
    for sound, wanted in ((quiet, quiet), (loud, None)):
        limiter = Limiter(44_100, 2)
        out = torch.cat([*(limiter.add(block) for block in sound.split(size, dim=1)), limiter.flush()], dim=1)
        assert out.shape == sound.shape
        assert out.abs().max() <= CEILING + 1e-5
        if wanted is not None:
            assert torch.equal(out, wanted)


def test_resampling_in_blocks_is_resampling() -> None:
    wave = tone(1.0, channels=1)[:, 0]
    (whole,) = [np.concatenate(list(resampled([wave], 44_100, 16_000)))]
    parts = np.concatenate(list(resampled(np.array_split(wave, 13), 44_100, 16_000)))
    assert abs(len(whole) - 16_000) <= 1
    assert np.allclose(whole, parts, atol=1e-6)
