"""Sounds as jobs: the source decides, zero steps change nothing, and whatever stops the work, it ends the same."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from click.testing import CliRunner

import phosphene as ph
from phosphene.canvas.waves import WaveCanvas
from phosphene.cli.root import phosphene
from phosphene.loops.sound import patch as patches
from phosphene.loops.sound.dream import stretches
from phosphene.media.sound.loudness import LoudnessMeter
from phosphene.media.sound.read import read_sound
from phosphene.media.sound.write import writing

SOUNDS = Path(__file__).parents[2] / "examples" / "sounds"
FEW: dict[str, Any] = {"sketches": 16, "steps": 2, "views": 1, "net": "ear"}


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Nine seconds of a wandering tone in stereo, its sides unlike one another."""
    time = np.arange(44_100 * 9) / 44_100
    left = 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + 0.5 * np.sin(2 * np.pi * 2 * time))
    right = 0.2 * np.sin(2 * np.pi * 11_000 * time) * np.sin(2 * np.pi * time)
    path = tmp_path / "song.wav"
    with writing(path, 44_100, 2, 24, None) as writer:
        writer.write(np.stack([left, right], 1).astype(np.float32))
    return path


def test_zero_steps_give_the_samples_back(song: Path, tmp_path: Path) -> None:
    ph.job("dream", song, target="choir", steps=0).save(tmp_path / "same.wav")
    file, same = read_sound(tmp_path / "same.wav")
    assert (file.rate, file.channels, file.depth) == (44_100, 2, 24)
    assert np.abs(same - read_sound(song)[1]).max() < 1e-5


def test_a_dream_changes_both_sides_alike_and_nothing_above(song: Path, tmp_path: Path) -> None:
    path = tmp_path / "dream.wav"
    job = ph.job("dream", song, target="choir", **FEW)
    assert job.recipe.kind == "dream-sound"
    job.save(path, depth=16)
    _, before = read_sound(song)
    file, after = read_sound(path)
    assert (file.rate, after.shape, file.depth) == (44_100, before.shape, 24)
    assert np.abs(after).max() < 1
    meters = [LoudnessMeter(44_100, 2) for _ in range(2)]
    for meter, samples in zip(meters, (before, after), strict=True):
        meter.add(torch.from_numpy(samples.T.copy()))
    assert meters[0].loudness() == pytest.approx(meters[1].loudness(), abs=0.5)
    gain = _gain(before, after)
    change = after - gain * before
    assert np.abs(change[:, 0] - change[:, 1]).max() < 1e-3
    assert change.std() > 0.01
    spectrum = np.abs(np.fft.rfft(change[:, 0])) ** 2
    frequency = np.fft.rfftfreq(len(change), 1 / 44_100)
    assert spectrum[frequency > 8200].sum() < 1e-5 * spectrum.sum()
    jumps = np.abs(np.diff(change[:, 0], 2))
    assert jumps[44_100 * 7 : 44_100 * 8].max() < 4 * np.quantile(jumps, 0.9999)  # where two stretches overlap


def _gain(before: np.ndarray, after: np.ndarray) -> float:
    """Return what the side difference, which a dream does not change, was multiplied by."""
    sides, changed = before[:, 0] - before[:, 1], after[:, 0] - after[:, 1]
    return float(sides @ changed / (sides @ sides))


def test_a_sound_is_imagined_and_made_again(folder: Path) -> None:
    args = ["imagine", "choir", "--net", "ear", "--seconds", "2", "--sketches", "16", "--steps", "1", "--json"]
    result = CliRunner().invoke(phosphene, args)
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["path"] == "choir.flac"
    assert made["recipe"]["kind"] == "imagine-sound"
    assert CliRunner().invoke(phosphene, ["again", "choir.flac"]).exit_code == 0
    assert Path("choir.flac").read_bytes() == Path("choir-again.flac").read_bytes()
    shown = CliRunner().invoke(phosphene, ["show", "choir-again.flac"])
    assert json.loads(shown.stdout)["target"] == "choir"
    file, samples = read_sound("choir.flac")
    assert (file.rate, len(samples)) == (44_100, 88_200)
    assert 0.02 < samples.std() < 0.5


def test_what_was_stopped_ends_with_the_same_samples(song: Path, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.flac", tmp_path / "part.flac"
    ph.job("dream", song, target="choir", **FEW).save(whole)
    for stop in (1, 5):
        job = ph.job("dream", song, target="choir", **FEW)
        for number, _ in enumerate(job.writing(path), start=1):
            if number == stop:
                job.cancel()
        assert not path.exists()
    ph.job("dream", song, target="choir", **FEW).save(path)
    assert path.read_bytes() == whole.read_bytes()
    assert not path.with_name("part.flac.work").exists()


def test_a_layer_is_dreamt_without_sketches(song: Path, tmp_path: Path) -> None:
    job = ph.job("dream", song, steps=1, views=1)
    assert job.recipe.target == "conv4"
    events = list(job)
    assert [event.stage for event in events] == ["stretch 1 of 2", "stretch 2 of 2"]
    assert events[-1].preview() is not None


def test_one_sound_becomes_another(tmp_path: Path) -> None:
    job = ph.job("morph", ideas=["choir", "sitar"], seconds=2, **FEW)
    job.save(tmp_path / "morph.ogg")
    _, samples = read_sound(tmp_path / "morph.ogg")
    assert len(samples) == pytest.approx(88_200, abs=10)
    assert samples.std() > 0.01


def test_a_sheet_is_a_row_of_sounds_and_a_picture(tmp_path: Path) -> None:
    job = ph.job("sheet", targets=["conv4:12", "choir"], seconds=1, **FEW)
    job.save(tmp_path / "sheet.png")
    _, samples = read_sound(tmp_path / "sheet.flac")
    assert len(samples) == 44_100 * 2
    assert np.abs(samples[44_095:44_105]).max() < 0.01
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width > 960
    assert [each.exists() for each in job.work.paths(tmp_path / "sheet.flac")] == [True, True]


def test_a_guide_may_be_a_sound(song: Path, tmp_path: Path) -> None:
    guide = SOUNDS / "ambi_choir.flac"
    job = ph.job("dream", song, target=f"guide({guide}, conv3)", steps=1, views=1)
    job.save(tmp_path / "a.flac")
    assert list(job.recipe.model_dump()["guides"]) == [str(guide)]


def test_mistakes_are_told_before_anything_is_written(folder: Path, photo: Path, song: Path) -> None:
    picture = folder / "picture.wav"
    picture.write_bytes(photo.read_bytes())
    for args, said in (
        (["dream", "picture.wav"], "is not a sound"),
        (["dream", str(song), "--net", "pocket"], "does not hear"),
        (["dream", str(photo), "--net", "ear"], "hears and does not see"),
        (["see", str(photo), "--net", "ear"], "hears and does not see"),
        (["dream", str(song), "--octaves", "3"], "no setting named 'octaves'"),
        (["dream", str(song), "--target", "chior"], "'choir'"),
        (["dream", str(song), "--steps", "1", "--views", "1", "-o", "out.png"], "sound is written as .wav"),
    ):
        result = CliRunner().invoke(phosphene, args)
        assert result.exit_code == 1, args
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert [each.name for each in folder.iterdir()] == ["picture.wav"]


def test_stretches_cover_the_sound() -> None:
    places = stretches(16_000 * 3600, 16_000)
    assert places[0][0] == 0
    assert places[-1][1] == 16_000 * 3600
    assert all(second[0] < first[1] for first, second in itertools.pairwise(places))
    assert stretches(10, 16_000) == [(0, 10)]


def test_patches_play_the_same_wherever_they_begin() -> None:
    rng = torch.Generator().manual_seed(3)
    patch = patches.mutated(patches.crossed(patches.random_patch(rng), patches.random_patch(rng), rng), rng)
    patch[-8:] = 0  # a room and noise depend on where they begin
    whole = patches.render(patch, 5, 0, 32_000)
    assert torch.allclose(patches.render(patch, 5, 10_000, 22_000), whole[10_000:], atol=1e-5)
    assert not torch.equal(patches.render(patch, 6, 0, 32_000), whole)


def test_the_canvas_begins_without_a_change_and_moves() -> None:
    base = torch.randn(1, 9000, generator=torch.Generator().manual_seed(0)) * 0.1
    canvas = WaveCanvas(base)
    assert canvas().abs().max() == 0
    with torch.no_grad():
        for each in canvas.coefficients:
            each += 1
    assert canvas().abs().max() > 0
