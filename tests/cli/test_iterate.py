"""`phosphene iterate`: pictures and films with recipes, like any other kind of work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import phosphene as ph
from tests.cli.program import run

SMALL = ("--size", "48x36", "--iterations", "60")


def test_a_picture_carries_its_recipe_and_is_made_again(folder: Path) -> None:
    assert run("iterate", "z^2 + c", *SMALL, "-o", "m.png").exit_code == 0
    recipe = json.loads(run("show", "m.png").stdout)
    assert recipe["formula"] == "z^2 + c"
    assert {"centre", "width"} <= set(recipe["automatic"])
    assert run("again", "m.png", "-o", "n.png").exit_code == 0
    assert (folder / "m.png").read_bytes() == (folder / "n.png").read_bytes()
    assert run("again", "m.png", "--formula", "z^3 + c", "-o", "o.png").exit_code == 0
    assert (folder / "o.png").read_bytes() != (folder / "n.png").read_bytes()


def test_the_picture_is_named_after_its_formula_and_may_have_sixteen_bits(folder: Path) -> None:
    result = run("iterate", "newton(z^3 - 1)", *SMALL, "--depth", "16", "--json")
    assert result.exit_code == 0, result.output
    path = json.loads(result.stdout)["path"]
    assert path == "newton-z-3-1.png"
    shown = ph.again(folder / path).array()
    assert len({round(float(each) * 65535) for each in shown.ravel()}) > 256


def test_palettes_and_traps_are_pictures_known_by_their_hash(folder: Path, photo: Path) -> None:
    options = ("--palette", str(photo), "--trap", str(photo), "--trap-at", "0,0,0.8")
    assert run("iterate", "z^2 + c", *SMALL, *options, "-o", "m.png").exit_code == 0
    recipe = json.loads(run("show", "m.png").stdout)
    assert list(recipe["guides"]) == [str(photo)]
    assert run("again", "m.png", "-o", "n.png").exit_code == 0
    Image.new("RGB", (8, 8)).save(photo)
    result = run("again", "m.png", "-o", "o.png")
    assert result.exit_code == 1
    assert "has changed" in result.stderr


def test_a_dream_begins_with_a_picture_of_a_formula(folder: Path) -> None:
    assert run("iterate", "z^2 + c", *SMALL, "--depth", "16", "-o", "m.png").exit_code == 0
    dream = ("--target", "block1", "--octaves", "1", "--steps", "1")
    assert run("dream", "m.png", *dream, "-o", "d.png").exit_code == 0
    recipe = json.loads(run("show", "d.png").stdout)
    assert recipe["source"]["path"] == "m.png"
    assert (folder / "d.png").read_bytes() != (folder / "m.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("z^2 + q",), 1, "no variable or function named 'q'"),
        (("(" * 5000,), 1, "at most 2000 characters"),
        (("z^2 + c", "--centre", "1"), 2, "must be X,Y"),
        (("z^2 + c", "--palette", "nowhere.jpg"), 1, "nowhere.jpg"),
        (("z^2 + c", "--plot", "orbits", "--zoom", "0.1"), 1, "leave out zoom"),
        (("z^2 + c/(n+1)", "--centre", "0,1", "--width", "1e-30"), 1, "with n cannot"),
    ],
)
def test_mistakes_are_one_line(folder: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    result = run("iterate", *arguments, "-o", "m.png")
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert code == 2 or len(result.stderr.splitlines()) == 1


def test_a_zoom_beyond_doubles_is_a_film(folder: Path) -> None:
    arguments = ("--centre", "0,1", "--width", "2", "--zoom", "1e-50", "--seconds", "0.5", "--fps", "8")
    result = run("iterate", "z^2 + c", "--size", "32x24", *arguments, "-o", "deep.mp4")
    assert result.exit_code == 0, result.output
    recipe = json.loads(run("show", "deep.mp4").stdout)
    assert recipe["zoom"] == 1e-50
    assert recipe["iterations"] >= 200


def test_a_job_that_was_cancelled_continues_to_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phosphene.loops.iterate.BAND", 500)
    settings = {"formula": "z^2 + c", "size": (36, 48), "iterations": 60}
    ph.job("iterate", **settings).save("whole.png")
    job = ph.job("iterate", **settings)
    for done, _ in enumerate(job.writing("part.png")):
        if done == 2:
            job.cancel()
    assert (folder / "part.png.work").is_dir()
    ph.job("iterate", **settings).save("part.png")
    assert (folder / "part.png").read_bytes() == (folder / "whole.png").read_bytes()
