"""`phosphene sheet`: ranges of channels, and one picture that can be rendered again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phosphene.media.image import read_image
from tests.cli.program import run

pytestmark = pytest.mark.usefixtures("folder")

QUICK = ["--size", "40", "--steps", "2", "--sketches", "1", "--views", "1"]


def test_a_sheet_lists_its_targets_and_can_be_rendered_again() -> None:
    result = run("sheet", "block3:2..4", "banana", *QUICK, "--gap", "2", "-o", "sheet.png")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "sheet.png\n", "")
    sheet = read_image("sheet.png")
    assert sheet.size == (82, 82)
    recipe = json.loads(run("show", "sheet.png").stdout)
    assert recipe["targets"] == ["block3:2", "block3:3", "block3:4", "banana"]
    assert recipe["columns"] == 2
    assert run("again", "sheet.png").stdout == "sheet-again.png\n"
    assert read_image("sheet-again.png").image.equal(sheet.image)
    assert run("again", "sheet.png", "--columns", "4", "-o", "wide.png").exit_code == 0
    wide = read_image("wide.png").image
    assert wide.shape[-2:] == (40, 166)
    assert wide[..., :82].equal(sheet.image[..., :40, :])


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "Missing argument 'TARGETS...'"),
        (["block3:4..2"], 1, "from the lower number to the higher"),
        (["block3:0..2000"], 1, "targets must be a list of 1 to 1024"),
        (["block3:0..1000"], 1, "channels 0 to"),
        (["bananna"], 1, "did you mean 'banana'"),
        (["banana", "--columns", "none"], 2, "must be"),
    ],
)
def test_mistakes_are_answered(args: list[str], code: int, message: str, folder: Path) -> None:
    result = run("sheet", *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert list(folder.iterdir()) == []
