"""Recipes that 0.1.0 wrote, and such as were written for it by hand, still render the pixels that it made.

`make_v0_1_0.py` tells how the folder `v0.1.0` was made. The stored pixels have 8 bits, so today's are rounded before
they are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import phosphene as ph
from tests.cli.program import run

FOLDER = Path(__file__).parent / "v0.1.0"
MOST = 2
"""Largest difference of a sample, of 255: what float32 may differ by from one processor to another."""

PICTURES = {
    "dream.png": "dream",
    "dream-noise.png": "dream",
    "dream-2015.png": "dream",
    "dream-guide.png": "dream",
    "dream-tiled.png": "dream",
    "dream-alpha.png": "dream",
    "dream-small.png": "dream",
    "dream-small.jpg": "dream",
    "dream-small.webp": "dream",
    "dream-small.tif": "dream",
    "imagine-label.png": "imagine",
    "imagine-channel.png": "imagine",
    "imagine-two-1.png": "imagine",
    "imagine-two-2.png": "imagine",
    "imagine-lucid.png": "imagine",
    "sheet.png": "sheet",
    "hand-dream.json": "dream",
    "hand-dream-noise.json": "dream",
    "hand-imagine.json": "imagine",
    "hand-sheet.json": "sheet",
}
FILMS = {
    "zoom.mkv": "zoom",
    "zoom-noise.mkv": "zoom",
    "zoom-2015": "zoom",
    "morph.mkv": "morph",
    "video.mkv": "video",
    "hand-zoom.json": "zoom",
    "hand-morph.json": "morph",
    "hand-video.json": "video",
}


def film_frames(path: Path) -> Iterator[torch.Tensor]:
    """The frames (1 3 h w) of the film that is rendered from the recipe in `path`."""
    work = ph.again(path)
    assert isinstance(work, ph.Job)
    for step in work.work.steps(None):
        if step.frame is not None:
            yield step.image


def stored(path: Path) -> list[np.ndarray]:
    """The pixels (h w 3 or h w 4, uint8) of a picture, or of each frame of a lossless film."""
    if path.is_dir():
        return [pixels for each in sorted(path.glob("*.png")) for pixels in stored(each)]
    if path.suffix == ".mkv":
        with av.open(str(path)) as film:
            return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    with Image.open(path) as image:
        return [np.asarray(image)]


def lossless(name: str) -> Path:
    """The file that has the pixels which 0.1.0 made from the recipe in the file `name`."""
    path = FOLDER / name
    if path.suffix in ("", ".png", ".mkv"):
        return path
    return path.with_suffix(".png" if name in PICTURES else ".mkv")


def rounded(image: torch.Tensor) -> np.ndarray:
    """A frame (1 3 h w) as it is stored: h w 3, uint8."""
    return image[0].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()


def difference(before: list[np.ndarray], now: list[np.ndarray]) -> int:
    """The largest difference between two lists of pictures, which are as many and as large."""
    assert [each.shape for each in before] == [each.shape for each in now]
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(before, now, strict=True))


THROUGH_THE_COMMAND = ["dream-small.png", "hand-dream-noise.json", "imagine-lucid.png", "hand-zoom.json"]
FIRST_OF_TWO = "imagine-two-1.png"
"""Rendering one of several renders all of them."""


@pytest.mark.parametrize("name", [name for name in PICTURES if name not in (*THROUGH_THE_COMMAND, FIRST_OF_TWO)])
def test_a_picture_is_rendered_as_it_was(name: str) -> None:
    picture = ph.again(FOLDER / name)
    assert difference(stored(lossless(name)), [np.asarray(picture.pil())]) <= MOST


@pytest.mark.parametrize("name", [name for name in FILMS if name not in THROUGH_THE_COMMAND])
def test_a_film_is_rendered_as_it_was(name: str) -> None:
    now = [rounded(image) for image in film_frames(FOLDER / name)]
    assert difference(stored(lossless(name)), now) <= MOST


@pytest.mark.parametrize("name", THROUGH_THE_COMMAND)
def test_the_command_renders_as_it_was(name: str, tmp_path: Path) -> None:
    out = tmp_path / lossless(name).name
    result = run("again", FOLDER / name, "-o", out)
    assert result.exit_code == 0, result.output
    assert difference(stored(lossless(name)), stored(out)) <= MOST


@pytest.mark.parametrize(("name", "kind"), [*PICTURES.items(), *FILMS.items()])
def test_a_recipe_is_shown(name: str, kind: str) -> None:
    result = run("show", FOLDER / name)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kind"] == kind


def test_every_file_of_the_folder_is_rendered() -> None:
    read = {"clouds.jpg", "guide.jpg", "cutout.png", "clip.mkv"}
    known = {*PICTURES, *FILMS, *(lossless(name).name for name in (*PICTURES, *FILMS))}
    assert {each.name for each in FOLDER.iterdir()} - read == known
