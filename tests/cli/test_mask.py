"""`phosphene dream --mask`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from phosphene.media.image import read_recipe_text
from phosphene.recipe import loads
from tests.cli.program import run

QUICK = ("--net", "pocket", "--octaves", 1, "--steps", 2, "--target", "mixed3a")


def mask(folder: Path, width: int = 72, height: int = 56) -> Path:
    picture = np.zeros((height, width), np.uint8)
    picture[:, : width // 2] = 255
    Image.fromarray(picture).save(folder / "mask.png")
    return folder / "mask.png"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_only_what_is_white_dreams(photo: Path, folder: Path) -> None:
    result = run("dream", photo, "--mask", mask(folder), "-o", "out.png", *QUICK)
    assert result.exit_code == 0, result.output
    change = np.abs(pixels(folder / "out.png") - pixels(photo))
    assert change[:, :36].mean() > 2
    assert change[:, 36:].max() <= 1  # rounding


def test_the_mask_is_in_the_recipe(photo: Path, folder: Path) -> None:
    run("dream", photo, "--mask", mask(folder), "-o", "out.png", *QUICK)
    recipe = loads(read_recipe_text(folder / "out.png") or "")
    assert recipe.mask.path == "mask.png"  # type: ignore[attr-defined]
    again = run("again", "out.png", "--look-in", photo.parent, "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert (pixels(folder / "again.png") == pixels(folder / "out.png")).all()
    (folder / "mask.png").write_bytes(photo.read_bytes())
    changed = run("again", "out.png", "--look-in", photo.parent, "-o", "third.png")
    assert "is another mask or has changed" in changed.output


def test_what_no_mask_can_be_is_told(photo: Path, folder: Path) -> None:
    wrong = run("dream", photo, "--mask", mask(folder, 50, 50), *QUICK)
    assert "mask must have the proportions of the picture, 72x56, but is 50x50" in wrong.output
    both = run("dream", photo, "--mask", mask(folder), "--symmetry", "mirror", *QUICK)
    assert "mask and symmetry exclude each other" in both.output
    missing = run("dream", photo, "--mask", "nothing.png", *QUICK)
    assert missing.exit_code == 1
    assert "nothing.png" in missing.output
