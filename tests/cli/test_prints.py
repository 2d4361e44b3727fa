"""`--print`, several outputs and profiles on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.program import run

QUICK = ("--net", "pocket", "--target", "conv2", "--octaves", "1", "--steps", "1", "--size", "40")


def test_one_run_gives_a_labs_file_and_a_master(photo: Path, folder: Path) -> None:
    given = ("--print", "60x80px@300", "--profile", "adobergb", "--depth", "16", "-o", "lab.jpg", "-o", "master.tif")
    shown = run("dream", photo, *QUICK, *given)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.split() == ["lab.jpg", "master.tif"]
    for name in ("lab.jpg", "master.tif"):
        with Image.open(name) as file:
            assert file.size == (80, 60)  # the paper is turned
            assert file.info["dpi"] == pytest.approx((300, 300))
            assert b"Adobe RGB" in file.info["icc_profile"]
    refused = run("dream", photo, *QUICK, *given)
    assert refused.exit_code == 1
    assert "lab.jpg is there already" in refused.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("-o", "a.png", "-o", "a.png"), "Several outputs must be different files"),
        (("-o", "a.png", "-o", "-"), "Several outputs must be different files"),
        (("--print", "A9", "-o", "a.png"), "must be WIDTHxHEIGHT in mm, cm, in or px"),
        (("--print", "A4", "--bleed", "3", "-o", "a.png"), "must be a length, as 3mm"),
    ],
)
def test_wrong_usage_is_told(given: tuple[str, ...], message: str, photo: Path, folder: Path) -> None:
    shown = run("dream", photo, *QUICK, *given)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert list(folder.iterdir()) == []
