"""What a film follows in a sound: loudness, onsets and bands, whatever the blocks it comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from phosphene.media.sound.music import BANDS, STEP, follow_music
from phosphene.media.sound.read import open_sound
from phosphene.media.sound.write import writing

RATE = 22_050
BEATS = (0.5, 1.0, 1.6, 2.4)


def sound(tmp_path: Path, samples: np.ndarray) -> Path:
    path = tmp_path / "sound.wav"
    with writing(path, RATE, 1, 16, None) as writer:
        writer.write(samples[:, None].astype(np.float32))
    return path


def test_beats_are_found_when_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.001, RATE * 3)
    for beat in BEATS:
        tail = rng.normal(0, 0.3, RATE // 4) * np.exp(-np.arange(RATE // 4) / RATE / 0.05)
        samples[round(beat * RATE) :][: len(tail)] += tail
    music = follow_music(open_sound(sound(tmp_path, samples)))
    assert music.seconds == pytest.approx(3, abs=0.01)
    found = [beat for beat in music.beats if beat > 0.1]  # a sound begins at its beginning
    assert found == pytest.approx(BEATS, abs=0.05)
    at = music.onsets[[round(beat / STEP) for beat in found]]
    assert at.min() > 0.5
    assert music.onsets[round(2.2 / STEP)] < 0.2


def test_each_band_and_the_loudness_are_followed(tmp_path: Path) -> None:
    time = np.arange(RATE * 4) / RATE
    low = 0.3 * np.sin(2 * np.pi * 80 * time) * (time < 2)
    high = 0.1 * np.sin(2 * np.pi * 5000 * time) * (time > 1)
    music = follow_music(open_sound(sound(tmp_path, low + high)), bands=2)
    early, late = slice(0, round(0.8 / STEP)), slice(round(2.2 / STEP), round(3.8 / STEP))
    assert music.bands[0, early].min() > 0.8
    assert music.bands[0, late].max() < 0.1
    assert music.bands[1, late].min() > 0.8
    assert music.bands[1, early].max() < 0.4
    assert music.loudness[early].mean() > music.loudness[late].mean()
    assert follow_music(open_sound(sound(tmp_path, low)), bands=1000).bands.shape[0] == BANDS


def test_silence_has_no_beats(tmp_path: Path) -> None:
    music = follow_music(open_sound(sound(tmp_path, np.zeros(RATE))))
    assert (music.beats, music.loudness.max(), music.onsets.max()) == ((), 0, 0)
