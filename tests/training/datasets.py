"""Small datasets on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image


def stripes(folder: Path, count: int = 12, side: int = 12, *, colour: bool = False) -> Path:
    """A folder with two classes of pictures: stripes that lie, and stripes that stand."""
    rng = np.random.default_rng(0)
    for name, axis in (("lying", 0), ("standing", 1)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            wave = (np.indices((side, side))[axis] + rng.integers(4)) % 4 < 2
            pixels = np.clip(wave * 180 + rng.integers(0, 60, (side, side)), 0, 255).astype(np.uint8)
            shown = np.stack([pixels, pixels // 2, pixels // 3], axis=-1) if colour else pixels
            PIL.Image.fromarray(shown).save(folder / name / f"{index}.png")
    return folder


def bars(folder: Path, count: int = 12, side: int = 24) -> Path:
    """A folder with two classes of pictures: bars on black that lie, and bars that stand."""
    rng = np.random.default_rng(0)
    for name, size in (("lying", (4, 12)), ("standing", (12, 4))):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = np.zeros((side, side), np.uint8)
            top, left = ((side - each) // 2 + rng.integers(-1, 2) for each in size)
            pixels[top : top + size[0], left : left + size[1]] = 255
            PIL.Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


QUICK = {"epochs": 2, "width": 8, "batch": 8, "precision": "float32"}
"""Settings of a training that takes a second."""
