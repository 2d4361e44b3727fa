"""`phosphene sheet`: ranges of channels, and one picture that can be rendered again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import phosphene as ph
from phosphene.errors import SettingError
from phosphene.media.image import read_image
from tests.cli.program import run
from tests.tinynet import tiny_net

pytestmark = pytest.mark.usefixtures("folder")

QUICK = ["--size", "40", "--steps", "2", "--sketches", "1", "--views", "1"]


def test_a_sheet_lists_its_targets_and_can_be_rendered_again() -> None:
    result = run("sheet", "mixed3a:2..4", "banana", "--net", "pocket", *QUICK, "--gap", "2", "-o", "sheet.png")
    assert (result.exit_code, result.stdout) == (0, "sheet.png\n")
    sheet = read_image("sheet.png")
    assert sheet.size == (82, 82)
    recipe = json.loads(run("show", "sheet.png").stdout)
    assert recipe["targets"] == ["mixed3a:2", "mixed3a:3", "mixed3a:4", "banana"]
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
        (["banana", "--vary", "stepps=3"], 1, "did you mean 'steps'"),
        (["banana", "--vary", "steps=many"], 1, "steps in vary must be a whole number"),
        (["banana", "--vary", "steps"], 1, "settings with values"),
        (["banana", "--captions", "--print", "A4@50"], 1, "exclude each other"),
    ],
)
def test_mistakes_are_answered(args: list[str], code: int, message: str, folder: Path) -> None:
    result = run("sheet", *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert list(folder.iterdir()) == []


def test_a_contact_sheet_varies_settings_with_captions_and_can_be_rendered_again() -> None:
    net = tiny_net()
    settings = {"net": net, "size": 40, "steps": 2, "sketches": 1, "views": 1, "gap": 2}
    contact = ph.sheet(["high:3", "dog"], vary="thin=0,0.1; noise=0,0.2", **settings)  # type: ignore[arg-type]
    assert (contact.recipe.columns, contact.image.shape[-1]) == (2, 82)
    assert ph.again(contact.recipe, net=net).image.equal(contact.image)
    # Each variation is what a sheet of these settings is, above its caption.
    one = ph.sheet(["high:3", "dog"], vary="noise=0.2; thin=0", **settings)  # type: ignore[arg-type]
    assert one.image[..., :40, :].equal(contact.image[..., :40, 42:])
    # A caption names what differs, so those of two pictures differ too.
    band = contact.image[..., 40:80, :]
    assert bool((band[..., :40] < 0.5).any())
    assert not band[..., :40].equal(band[..., 42:])


def test_captions_are_names_under_the_same_pictures() -> None:
    settings = {"net": tiny_net(), "size": 40, "steps": 2, "sketches": 1, "views": 1}
    plain = ph.sheet(["high:3", "dog"], **settings).image  # type: ignore[arg-type]
    named = ph.sheet(["high:3", "dog"], captions=True, **settings).image  # type: ignore[arg-type]
    assert named[..., :40, :].equal(plain)
    assert named.shape[-2] > 50
    assert bool((named[..., 40:, :] < 0.5).any())


def test_settings_to_vary_are_given_one_by_one() -> None:
    result = run("sheet", "banana", "--vary", "steps=2,3", "--vary", "noise=1,high")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "noise in vary must be a number from 0 to 1, but is 'high'" in result.stderr


def test_sums_of_two_targets_over_a_grid_of_weights() -> None:
    net = tiny_net()
    settings = {"net": net, "size": 24, "steps": 2, "sketches": 1, "views": 1, "gap": 2}
    grid = ph.sheet(["high:3", "dog"], weights="0,1", **settings)  # type: ignore[arg-type]
    assert (grid.recipe.columns, grid.recipe.targets) == (2, ("high:3", "dog"))
    assert ph.again(grid.recipe, net=net).image.equal(grid.image)
    listed = ["0*high:3 + 0*dog", "1*high:3 + 0*dog", "0*high:3 + 1*dog", "1*high:3 + 1*dog"]
    plain = ph.sheet(listed, columns=2, captions=True, **settings)  # type: ignore[arg-type]
    row = grid.image.shape[-2] // 2 + 1
    assert grid.image[..., :24, :].equal(plain.image[..., :24, :])
    assert grid.image[..., row : row + 24, 26:].isfinite().all()
    with pytest.raises(SettingError, match="two targets, but there are 3"):
        ph.sheet(["high:3", "dog", "cat"], weights="0,1", net=net)
