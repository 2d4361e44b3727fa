"""`phosphene zoom`, `morph` and `video`: what they write, refuse, and go on with after SIGKILL and Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import phosphene as ph
from phosphene.media.image import read_image
from phosphene.media.video.clip import open_clip
from phosphene.recipe import MorphRecipe, VideoRecipe, ZoomRecipe
from phosphene.render.sources import read_recipe
from tests import forked
from tests.cli.program import run

pytestmark = pytest.mark.usefixtures("folder")

QUICK = ["--size", "32x24", "--octaves", "1", "--target", "block1", "--precision", "float32"]
TRIP = [*QUICK, "--seconds", "0.5", "--fps", "10"]
MORPH = ["banana", "dumbbell", "--steps", "2", "--views", "1", "--between", "0", "--size", "32", "--fps", "8"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A lossless film of five frames at 12 a second, in which a square moves."""
    path = tmp_path / "clip.mkv"
    from fractions import Fraction

    from phosphene.media.video.film import Film, FilmSettings

    with Film(path, FilmSettings((24, 32), Fraction(12))) as film:
        for i in range(5):
            image = torch.full((1, 3, 24, 32), 0.3)
            image[..., 8:16, 4 + i : 14 + i] = 0.8
            film.write(image)
        film.finish()
    return path


def frames_of(path: str | Path) -> list[np.ndarray]:
    return [frame.image.numpy() for frame in open_clip(path).frames()]


def test_a_trip(photo: Path, folder: Path) -> None:
    result = run("zoom", photo, *TRIP, "--preview", "last.png")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "photo-zoom.mp4\n", "")
    film = open_clip("photo-zoom.mp4")
    assert (film.size, film.rate, film.frame_count) == ((24, 32), 10, 5)
    assert read_image("last.png").size == (24, 32)
    recipe = read_recipe(folder / "photo-zoom.mp4")
    assert isinstance(recipe, ZoomRecipe)
    assert (recipe.seconds, recipe.fps, recipe.target) == (0.5, "10", "block1")
    assert run("zoom", photo, *TRIP).stdout == "photo-zoom-2.mp4\n"
    assert sorted(each.name for each in folder.iterdir()) == ["last.png", "photo-zoom-2.mp4", "photo-zoom.mp4"]


@pytest.mark.parametrize("name", ["trip.mkv", "trip.gif", "trip.webm", "pictures"])
def test_again_makes_the_same_film(photo: Path, name: str) -> None:
    assert run("zoom", photo, *TRIP, "-o", name).exit_code == 0
    shown = run("show", name)
    assert '"kind": "zoom"' in shown.stdout
    if name == "trip.mkv":
        beside = ["--look-in", photo.parent]
        assert run("again", name, "-o", "same.mkv", *beside).exit_code == 0
        assert all(map(np.array_equal, frames_of("trip.mkv"), frames_of("same.mkv")))
        assert run("again", name, "--seconds", "0.2", "-o", "short.mkv", *beside).exit_code == 0
        assert len(frames_of("short.mkv")) == 2


def test_noise_loops_and_keys() -> None:
    keys = ["--speed", "0s: 1.5; 0.2s: 1", "--spin", "90", "--drift", "0,0.1", "--target", "0s: stem; 0.3s: block1"]
    result = run("zoom", "--noise", "32x24", *TRIP, *keys, "--loop", "-o", "noise.mkv")
    assert result.exit_code == 0, result.output
    assert len(frames_of("noise.mkv")) == 5
    recipe = read_recipe("noise.mkv")
    assert isinstance(recipe, ZoomRecipe)
    assert recipe.loop


def test_a_morph() -> None:
    result = run("morph", *MORPH, "--seconds", "0.25")
    assert (result.exit_code, result.stdout) == (0, "banana-dumbbell.mp4\n"), result.output
    assert len(frames_of("banana-dumbbell.mp4")) == 2
    recipe = read_recipe("banana-dumbbell.mp4")
    assert isinstance(recipe, MorphRecipe)
    assert recipe.ideas == ("banana", "dumbbell")
    assert run("again", "banana-dumbbell.mp4", "--loop", "-o", "loop.gif").exit_code == 0
    assert len(frames_of("loop.gif")) == 4


def test_a_clip(clip: Path) -> None:
    result = run("video", clip, *QUICK, "-o", "dreamt.mkv")
    assert result.exit_code == 0, result.output
    film = open_clip("dreamt.mkv")
    assert (film.size, film.rate) == ((24, 32), 12)
    before, after = frames_of(clip), frames_of("dreamt.mkv")
    assert len(before) == len(after)
    assert all((a != b).mean() > 0.3 for a, b in zip(before, after, strict=True))
    recipe = read_recipe("dreamt.mkv")
    assert isinstance(recipe, VideoRecipe)
    assert recipe.source.path == "clip.mkv"
    again = run("again", "dreamt.mkv", "--every", "2", "-o", "half.mkv", "--look-in", clip.parent)
    assert again.exit_code == 0
    assert len(frames_of("half.mkv")) == 3


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["zoom"], 2, "either PHOTO or --noise"),
        (["zoom", "missing.jpg"], 1, "missing.jpg"),
        (["zoom", "--noise", "32x24", "--speed", "0"], 2, "above 0"),
        (["zoom", "--noise", "32x24", "--speed", "0s: 1; 0s: 2"], 2, "keys"),
        (["zoom", "--noise", "32x24", "-o", "trip.xyz"], 1, ".mp4"),
        (["zoom", "--noise", "32x24", "-o", "trip.mp4", "--codec", "vp9"], 1, "h264"),
        (["zoom", "--noise", "32x24", "--target", "0s: stem; 1s: block110"], 1, "did you mean"),
        (["morph", "banana"], 2, "two ideas"),
        (["morph", "banana", "dumbel"], 1, "did you mean 'dumbbell'"),
        (["video", "missing.mp4"], 1, "missing.mp4"),
        (["video", "notes.txt"], 1, "notes.txt"),
    ],
)
def test_mistakes(folder: Path, args: list[str], code: int, said: str) -> None:
    Path("notes.txt").write_text("no film\n")
    result = run(*args)
    assert result.exit_code == code
    assert said in result.stderr
    assert [each.name for each in folder.iterdir()] == ["notes.txt"]


def test_the_clip_itself_is_not_written_over(clip: Path) -> None:
    before = clip.read_bytes()
    assert "write to another file" in run("video", clip, *QUICK, "-o", clip).stderr
    assert clip.read_bytes() == before


STOPPED = """
import os, sys
from phosphene.cli import main
from phosphene.render.films import FilmOutput

add, stop = FilmOutput.add, int(sys.argv.pop(1))

def add_and_be_stopped(self, step):
    if step.frame is not None and step.frame.index == 5:
        os.kill(os.getpid(), stop)
    add(self, step)

FilmOutput.add = add_and_be_stopped
main()
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_what_was_stopped_goes_on_to_the_same_bytes(photo: Path, stop: signal.Signals) -> None:
    trip = ["zoom", str(photo), *QUICK, "--seconds", "0.4", "--fps", "25"]
    stopped = forked.run(STOPPED, str(int(stop)), *trip, "-o", "stopped.mkv")
    assert not Path("stopped.mkv").exists()
    if stop == signal.SIGINT:
        assert stopped.returncode == 130
        assert "the same command continues" in stopped.stderr
        assert "Traceback" not in stopped.stderr
    else:
        assert stopped.returncode == -stop
    result = run(*trip, "-o", "stopped.mkv")
    assert result.exit_code == 0, result.output
    if stop == signal.SIGINT:
        assert "stopped.mkv.work, after frame" in result.stderr
    assert run(*trip, "-o", "whole.mkv").exit_code == 0
    assert Path("whole.mkv").read_bytes() == Path("stopped.mkv").read_bytes()
    assert not Path("stopped.mkv.work").exists()


def test_in_python_films_are_jobs(photo: Path) -> None:
    settings = {"size": (24, 32), "octaves": 1, "seconds": 0.5, "fps": 10, "target": "block1"}
    job = ph.zoom(photo, **settings)
    stages = [event.stage for event in job]
    assert stages == ["rehearsal"] * 12 + ["frame"] * 5
    ph.zoom(photo, **settings).save("trip.mkv")
    assert len(frames_of("trip.mkv")) == 5
    again = ph.again("trip.mkv", seconds=0.2, look_in=[photo.parent])
    assert isinstance(again, ph.Job)
    assert [event.stage for event in again].count("frame") == 2
