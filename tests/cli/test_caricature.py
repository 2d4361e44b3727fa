"""`phosphene caricature`: an imagining of the photo's likeness, in its proportions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phosphene.media.image import read_image
from tests.cli.program import run
from tests.cli.test_imagine import QUICK


@pytest.fixture(autouse=True)
def beside_the_photo(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)


@pytest.mark.parametrize(
    ("options", "name", "target"),
    [
        ((), "photo.caricature.png", "like(photo.jpg, mixed4d)"),
        (("--inversion", "--layer", "mixed4a"), "photo.inversion.png", "inversion(photo.jpg, mixed4a)"),
    ],
)
def test_it_is_an_imagining_of_the_photo_s_likeness(options: tuple[str, ...], name: str, target: str) -> None:
    result = run("caricature", "photo.jpg", "--net", "pocket", *options, *QUICK)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{name}\n", "")
    recipe = json.loads(run("show", name).stdout)
    assert recipe["target"] == target
    assert list(recipe["guides"]) == ["photo.jpg"]
    height, width = read_image("photo.jpg").size
    assert read_image(name).size == (round(40 * height / max(height, width)), round(40 * width / max(height, width)))


def test_a_layer_without_positions_is_refused_in_one_line() -> None:
    result = run("caricature", "photo.jpg", "--net", "pocket", "--layer", "logits", *QUICK)
    assert result.exit_code == 1
    assert "no positions" in result.stderr
