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


QUICK = {"epochs": 2, "width": 8, "batch": 8, "precision": "float32"}
"""Settings of a training that takes a second."""
