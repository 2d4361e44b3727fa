"""Sounds as jobs: the source decides, zero steps change nothing, and whatever stops the work, it ends the same."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
import torch
from click.testing import CliRunner

import phosphene as ph
from phosphene.canvas.waves import WaveCanvas
from phosphene.cli.root import phosphene
from phosphene.errors import OutputError, SettingError
from phosphene.loops.sound import patch as patches
from phosphene.loops.sound.dream import stretches
from phosphene.media.sound.loudness import LoudnessMeter
from phosphene.media.sound.read import read_sound
from phosphene.media.sound.write import writing
from phosphene.media.video.clip import open_clip
from phosphene.render.job import Format
from tests import forked

SOUNDS = Path(__file__).parents[2] / "examples" / "sounds"
FEW: dict[str, Any] = {"sketches": 4, "steps": 2, "views": 1, "net": "ear"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches are few and short, and each is heard once."""
    for name, value in {"ROUND": 4, "KEPT": 2, "LOOKS": 1, "LAST_LOOKS": 1, "SKETCH_SECONDS": 1.0}.items():
        monkeypatch.setattr(f"phosphene.loops.sound.dream.{name}", value)


def write_song(path: Path, seconds: float) -> Path:
    """A wandering tone in stereo, its sides unlike one another."""
    time = np.arange(round(44_100 * seconds)) / 44_100
    left = 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + 0.5 * np.sin(2 * np.pi * 2 * time))
    right = 0.2 * np.sin(2 * np.pi * 11_000 * time) * np.sin(2 * np.pi * time)
    with writing(path, 44_100, 2, 24, None) as writer:
        writer.write(np.stack([left, right], 1).astype(np.float32))
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Ten seconds, which are dreamt in two stretches."""
    return write_song(tmp_path / "song.wav", 10)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return write_song(tmp_path / "short.wav", 2)


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
    assert jumps[44_100 * 4 : 44_100 * 6].max() < 4 * np.quantile(jumps, 0.9999)  # where two stretches overlap


def _gain(before: np.ndarray, after: np.ndarray) -> float:
    """Return what the side difference, which a dream does not change, was multiplied by."""
    sides, changed = before[:, 0] - before[:, 1], after[:, 0] - after[:, 1]
    return float(sides @ changed / (sides @ sides))


def test_a_sound_is_imagined_and_made_again(folder: Path) -> None:
    args = ["imagine", "choir", "--net", "ear", "--seconds", "1", "--sketches", "4", "--steps", "1", "--json"]
    result = CliRunner().invoke(phosphene, args)
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["path"] == "choir.flac"
    assert made["recipe"]["kind"] == "imagine-sound"
    again = CliRunner().invoke(phosphene, ["again", "choir.flac", "--film", "choir.mp4"])
    assert again.exit_code == 0, again.output
    assert open_clip("choir.mp4").frame_count == 25
    assert Path("choir.flac").read_bytes() == Path("choir-again.flac").read_bytes()
    shown = CliRunner().invoke(phosphene, ["show", "choir-again.flac"])
    assert json.loads(shown.stdout)["target"] == "choir"
    file, samples = read_sound("choir.flac")
    assert (file.rate, len(samples)) == (44_100, 44_100)
    assert 0.02 < samples.std() < 0.5


def test_a_film_shows_how_it_is_dreamt(short: Path, tmp_path: Path) -> None:
    path, film = tmp_path / "dream.flac", tmp_path / "dream.mp4"
    for stop in (3, None):
        job = ph.job("dream", short, target="choir", **{**FEW, "steps": 3})
        for number, _ in enumerate(job.writing(path, Format(film=film)), start=1):
            if number == stop:
                job.cancel()
        assert film.exists() == path.exists() == (stop is None)
    images = [frame.image for frame in open_clip(film).frames()]
    assert len(images) == 50
    first, middle, last = ((images[index] - images[2]).abs().mean(dim=(0, 1, 2)) for index in (3, 25, -1))
    assert float(last.mean()) > float(middle.mean()) > float(first.mean())
    assert float(first[980:].mean()) < float(last[980:].mean()) / 5  # far from the playhead it was the source
    with av.open(str(film)) as opened:
        sound = np.concatenate([frame.to_ndarray() for frame in opened.decode(audio=0)], axis=1)
    assert sound.shape[-1] in (44_100 * 2, 44_100 * 2 * 2)  # planes, or packed
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dream.flac", "dream.mp4", "short.wav"]
    with pytest.raises(SettingError, match="0 steps change nothing"):
        list(ph.job("dream", short, steps=0).writing(tmp_path / "no.flac", Format(film=film)))
    with pytest.raises(OutputError, match="suffix"):
        list(ph.job("dream", short, **FEW).writing(tmp_path / "no.flac", Format(film=tmp_path / "no.xyz")))
    assert not list(tmp_path.glob("no*"))


def test_only_sounds_have_a_film(tmp_path: Path, photo: Path) -> None:
    job = ph.job("dream", photo, net="pocket", size=32, octaves=1, steps=1)
    with pytest.raises(SettingError, match="makes no film"):
        list(job.writing(tmp_path / "a.png", Format(film=tmp_path / "a.mp4")))


def test_what_was_stopped_ends_with_the_same_samples(short: Path, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.flac", tmp_path / "part.flac"
    settings = {**FEW, "steps": 3, "sketches": 8}
    ph.job("dream", short, target="choir", **settings).save(whole)
    for stop in (1, 3):  # among the sketches, and among the steps
        job = ph.job("dream", short, target="choir", **settings)
        for number, _ in enumerate(job.writing(path), start=1):
            if number == stop:
                job.cancel()
        assert not path.exists()
    ph.job("dream", short, target="choir", **settings).save(path)
    assert path.read_bytes() == whole.read_bytes()
    assert not path.with_name("part.flac.work").exists()


def test_what_goes_on_elsewhere_says_so(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ph.job("dream", short, target="conv2", steps=3, views=1)
    for _ in job.writing(tmp_path / "a.flac"):
        job.cancel()
    monkeypatch.setattr("phosphene.render.sounds.environment", lambda device: {"processor": "an abacus"})
    notes = [event.note for event in job.writing(tmp_path / "a.flac") if event.note]
    assert len(notes) == 1
    assert notes[0].startswith("continues unfinished work in ")
    assert "begun with another" in notes[0]
    job.save(tmp_path / "b.flac")  # all of its steps are done, but its stretches were kept with the other file
    assert (tmp_path / "b.flac").read_bytes() == (tmp_path / "a.flac").read_bytes()


KILLED = """
import os, signal, sys
import phosphene as ph
from phosphene.render import job
job.CHECKPOINT_SECONDS, job.CHECKPOINT_SHARE = 0.0, 1e9
work = ph.job("dream", sys.argv[1], target="conv2", steps=4, views=1)
for number, _ in enumerate(work.writing(sys.argv[2]), start=1):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_killed_ends_with_the_same_samples(short: Path, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.flac", tmp_path / "killed.flac"
    ended = forked.run(KILLED, short, path)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    job = ph.job("dream", short, target="conv2", steps=4, views=1)
    events = list(job.writing(path))
    assert [event.step for event in events if event.note is None] == [4]
    ph.job("dream", short, target="conv2", steps=4, views=1).save(whole)
    assert path.read_bytes() == whole.read_bytes()


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


def test_the_time_is_told_from_a_trial(short: Path) -> None:
    little, much = (ph.job("dream", short, target="choir", **{**FEW, "steps": steps}) for steps in (2, 2000))
    assert 0 < (little.expected_seconds() or 0) < (much.expected_seconds() or 0) / 5


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
    assert len(stretches(round(16_000 * 8.5), 16_000)) == 1
    lengths = {end - begin for begin, end in stretches(16_000 * 20 + 7, 16_000)}
    assert max(lengths) - min(lengths) <= 1


def test_patches_play_the_same_wherever_they_begin() -> None:
    rng = torch.Generator().manual_seed(3)
    patch = patches.mutated(patches.crossed(patches.random_patch(rng), patches.random_patch(rng), rng), rng)
    patch[-8:] = 0  # a room and noise depend on where they begin
    whole = patches.render(patch, 5, 0, 32_000)
    assert torch.allclose(patches.render(patch, 5, 10_000, 22_000), whole[10_000:], atol=1e-5)
    assert not torch.equal(patches.render(patch, 6, 0, 32_000), whole)


def test_a_sketch_is_never_silence_nor_noise_alone() -> None:
    patch = torch.full((patches.SIZE,), 0.3)  # of which nothing plays by itself
    patch[-8:] = torch.tensor([0, 0.5, 0.5, 0, 0, 0, 0, 0])
    notes = patches.render(patch, 0, 0, 32_000)
    patch[-8] = 1  # the noise is as loud as it can be
    noise = patches.render(patch, 0, 0, 32_000) - notes
    assert 0.001 < noise.std() < 0.2 * notes.std()


def test_the_canvas_begins_without_a_change_and_moves() -> None:
    base = torch.randn(1, 9000, generator=torch.Generator().manual_seed(0)) * 0.1
    canvas = WaveCanvas(base)
    assert canvas().abs().max() == 0
    with torch.no_grad():
        for each in canvas.coefficients:
            each += 1
    assert canvas().abs().max() > 0
