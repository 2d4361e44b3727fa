"""`phosphene measure`: tables, JSON and pages of plots, of pictures and films."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.program import run


def test_two_pictures_stand_side_by_side(folder: Path, photo: Path) -> None:
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save("line.png")
    result = run("measure", photo, "line.png", "--page", "both.svg")
    assert result.exit_code == 0, result.output
    assert "photo.jpg" in result.stdout
    assert "line.png" in result.stdout
    assert "box dimension" in result.stdout
    assert (folder / "both.svg").read_text().startswith("<svg")
    again = run("measure", photo, "--page", "both.svg")
    assert again.exit_code == 1
    assert "--force" in again.stderr


def test_programs_get_json(folder: Path, photo: Path) -> None:
    (record,) = json.loads(run("measure", photo, "--json", "--set", "bright").stdout)
    assert record["set"] == "bright"
    assert 0 < record["spectrum"]["exponent"] < 4
    assert set(record["jpeg"]) == {"50", "75", "90", "95"}
    assert sum(record["fringes"]["hues"]) == pytest.approx(1, abs=0.01)


def test_a_film_is_measured_frame_by_frame(folder: Path) -> None:
    pytest.importorskip("av")
    arguments = ("--size", "64x48", "--iterations", "60", "--seconds", "0.5", "--fps", "8", "--zoom", "0.1")
    assert run("iterate", "z^2 + c", *arguments, "--centre=-0.75,0.1", "-o", "trip.mp4").exit_code == 0
    (record,) = json.loads(run("measure", "trip.mp4", "--frames", "3", "--json").stdout)
    assert [round(each["seconds"], 2) for each in record["frames"]] == [0.0, 0.25, 0.38]
    assert "magnified" in run("measure", "trip.mp4", "--frames", "2").stdout


@pytest.mark.parametrize(("name", "says"), [("tiny.png", "at least 32 pixels"), ("no.png", "no.png")])
def test_mistakes_are_one_line(folder: Path, name: str, says: str) -> None:
    Image.new("RGB", (8, 8)).save("tiny.png")
    result = run("measure", name)
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
