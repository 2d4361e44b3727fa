"""`phosphene again` and `phosphene show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phosphene.media.image import read_image
from tests.cli.program import run

QUICK = ["--octaves", "1", "--steps", "1", "--target", "block1"]


@pytest.fixture
def dreamt(photo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(photo.parent)
    assert run("dream", photo, *QUICK, "-o", "a.png").exit_code == 0
    return photo.parent / "a.png"


def test_again_gives_the_same_pixels(dreamt: Path) -> None:
    result = run("again", dreamt)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "a-again.png\n", "")
    assert read_image("a-again.png").image.equal(read_image(dreamt).image)
    assert run("show", "a-again.png").stdout == run("show", dreamt).stdout


def test_any_option_overrides(dreamt: Path) -> None:
    assert run("again", dreamt, "--size", "90", "--seed", "4", "--steps", "2", "-o", "b.png").exit_code == 0
    recipe = json.loads(run("show", "b.png").stdout)
    assert (recipe["size"], recipe["seed"], recipe["steps"]) == ([70, 90], 4, 2)
    assert recipe["target"] == "block1"


def test_another_source(dreamt: Path) -> None:
    assert run("again", dreamt, "--source", dreamt, "-o", "twice.png").exit_code == 0
    assert json.loads(run("show", "twice.png").stdout)["source"]["path"] == "a.png"


def test_show_prints_json_that_again_reads(dreamt: Path) -> None:
    Path("recipe.json").write_text(run("show", dreamt).stdout)
    assert run("again", "recipe.json", "-o", "c.png").exit_code == 0
    assert read_image("c.png").image.equal(read_image(dreamt).image)


@pytest.mark.parametrize("command", ["again", "show"])
def test_what_carries_no_recipe_is_one_line(command: str, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"kind": "dream", "source": {"noise": [8, 8]}, "steps": "ten"}')
    text = tmp_path / "text.png"
    text.write_text("no picture")
    for path, said in [
        (photo, "carries no recipe"),
        (tmp_path / "nowhere.png", "there is no file"),
        (tmp_path, "is a folder"),
        (text, "is a text file, not a picture"),
        (broken, "steps must be a whole number from 0 to 10000, but is 'ten'"),
    ]:
        result = run(command, path)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), path
        assert said in result.stderr


def test_settings_of_another_kind_are_answered(dreamt: Path) -> None:
    result = run("again", dreamt, "--count", "2")
    assert result.exit_code == 1
    assert "no setting named 'count' in dream recipes" in result.stderr
