"""Films that follow a sound: keyframes from it that stay when they are edited, and the sound itself in the film."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import phosphene as ph
from phosphene.errors import RecipeError, SettingError, SoundError
from phosphene.media.sound.write import writing
from phosphene.media.video.clip import open_clip
from phosphene.media.video.film import Film, FilmSettings
from phosphene.recipe.keyframes import at, read_track
from phosphene.render.soundtrack import simplified

QUICK: dict[str, Any] = {"net": "pocket", "size": (24, 32), "octaves": 1, "fps": "6", "precision": "float32"}


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half: silence, then a beat."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    samples = np.zeros(66_150, np.float32)
    samples[40_000:60_000] = np.random.default_rng(0).normal(0, 0.2, 20_000) * np.exp(-np.arange(20_000) / 8000)
    with writing(path, 44_100, 1, 16, None) as writer:
        writer.write(samples[:, None])
    return path


def heard(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray().mean(axis=0) for frame in film.decode(audio=0)])


def test_a_zoom_follows_a_sound_and_has_it(photo: Path, song: Path, tmp_path: Path) -> None:
    job = ph.zoom(photo, sound=song, target="mixed3a | mixed4a", **QUICK)
    job.save(tmp_path / "trip.mkv")
    recipe = job.recipe
    assert isinstance(recipe, ph.ZoomRecipe)
    assert recipe.seconds == pytest.approx(1.5, abs=0.01)
    assert recipe.sound is not None
    assert recipe.sound.sha256 is not None
    speed, intensity = read_track(recipe.speed), read_track(recipe.intensity)
    assert at(speed, 0.91)[0] > 1.5 > 1.2 > at(speed, 0.4)[0] > 1
    assert at(intensity, 0.91)[0] > 1 > at(intensity, 0.4)[0]
    assert recipe.weights is not None
    assert len(read_track(recipe.weights, 2).times) > 2
    found = heard(tmp_path / "trip.mkv")
    loud = np.flatnonzero(np.abs(found) > 0.02 * np.abs(found).max())[0]
    assert loud == pytest.approx(40_000, abs=20)
    with av.open(str(tmp_path / "trip.mkv")) as film:
        assert len(list(film.decode(video=0))) == 9


def test_edited_keyframes_stay(photo: Path, song: Path, tmp_path: Path) -> None:
    job = ph.zoom(photo, sound=song, seconds=0.5, speed="0s: 1.5; 0.2s: 1", **QUICK)
    job.save(tmp_path / "trip.mkv")
    recipe = job.recipe
    assert isinstance(recipe, ph.ZoomRecipe)
    assert recipe.speed == "0s: 1.5; 0.2s: 1"
    assert recipe.target == "mixed4d | mixed3b"
    fields = json.loads(recipe.model_dump_json())
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps({**fields, "intensity": "0s: 0.1; 0.3s: 3"}), encoding="utf-8")
    again = ph.job(edited)
    for _ in again.prepare():
        pass
    assert isinstance(again.recipe, ph.ZoomRecipe)
    assert again.recipe.intensity == "0s: 0.1; 0.3s: 3"
    assert (again.recipe.speed, again.recipe.weights) == (recipe.speed, recipe.weights)
    other = ph.job(edited, sound=song)  # a sound given here is followed instead
    for _ in other.prepare():
        pass
    assert isinstance(other.recipe, ph.ZoomRecipe)
    assert other.recipe.intensity == recipe.intensity


def test_a_morph_moves_with_a_sound(song: Path, tmp_path: Path) -> None:
    settings = {"net": "pocket", "size": 32, "fps": "8", "steps": 1, "views": 1, "between": 0}
    job = ph.morph(["banana", "teapot"], sound=song, **settings)  # type: ignore[arg-type]
    images = [event.preview() for event in job.writing(tmp_path / "morph.mp4") if event.stage == "frame"]
    assert len(images) == 12
    moved = [float((a - b).abs().mean()) for a, b in itertools.pairwise(images) if a is not None and b is not None]
    assert max(moved[6:9]) > 2 * max(moved[2:5])
    found = heard(tmp_path / "morph.mp4")
    loud = np.flatnonzero(np.abs(found) > 0.1 * np.abs(found).max())[0]
    assert loud == pytest.approx(40_000, abs=200)


def test_what_cannot_be_followed_is_told(photo: Path, song: Path, tmp_path: Path) -> None:
    for settings, error, said in (
        ({"sound": tmp_path / "no.wav"}, SoundError, "there is no file"),
        ({"sound": photo}, SoundError, "is not a sound"),
        ({"weights": "1,2"}, SettingError, r"joined by \|"),
        ({"weights": "1,2", "target": "mixed3a | mixed4a | mixed4b"}, SettingError, "3 numbers"),
    ):
        with pytest.raises(error, match=said):
            list(ph.zoom(photo, **QUICK, **settings).prepare())
    with pytest.raises(SettingError, match="weights must be"):
        ph.zoom(photo, weights="0,0", **QUICK)
    changed = tmp_path / "changed.json"
    recipe = ph.zoom(photo, sound=song, seconds=0.2, **QUICK)
    fields = json.loads(recipe.work.recipe.model_dump_json())
    changed.write_text(json.dumps({**fields, "sound": {"path": str(song), "sha256": "0" * 64}}), encoding="utf-8")
    with pytest.raises(RecipeError, match="another sound or has changed"):
        list(ph.job(changed).prepare())


def test_few_keyframes_are_enough() -> None:
    ramp = np.concatenate([np.linspace(0, 1, 50), np.linspace(1, 0, 150)])[:, None]
    assert list(simplified(ramp, 100)) == [0, 49, 199]
    noise = np.random.default_rng(0).random((5000, 2))
    assert len(simplified(noise, 200)) <= 200


def test_a_clip_follows_a_sound_and_continues_to_the_same_bytes(song: Path, tmp_path: Path) -> None:
    clip, whole, part = tmp_path / "clip.mkv", tmp_path / "whole.mkv", tmp_path / "part.mkv"
    with Film(clip, FilmSettings((24, 32), Fraction(6))) as film:
        for index in range(9):
            film.write(torch.full((1, 3, 24, 32), 0.3 + 0.05 * index))
        film.finish()
    settings: dict[str, Any] = {"net": "pocket", "octaves": 1, "target": "mixed3a | mixed4a", "first_steps": 2}
    ph.video(clip, sound=song, **settings).save(whole)
    job = ph.video(clip, sound=song, **settings)
    for number, _ in enumerate(job.writing(part), start=1):
        if number == 4:
            job.cancel()
    assert not part.exists()
    again = ph.video(clip, sound=song, **settings)
    again.save(part)
    assert part.read_bytes() == whole.read_bytes()
    assert isinstance(again.recipe, ph.VideoRecipe)
    assert len(read_track(again.recipe.weights or "", 2).times) > 2
    frames = [frame.image for frame in open_clip(whole).frames()]
    dreamt = [float((frame - (0.3 + 0.05 * index)).abs().mean()) for index, frame in enumerate(frames)]
    assert max(dreamt[5:7]) > 1.5 * dreamt[3] > 0  # at 0.9 s a beat, at 0.5 s silence
    found = heard(whole)
    assert np.flatnonzero(np.abs(found) > 0.02 * np.abs(found).max())[0] == pytest.approx(40_000, abs=20)
