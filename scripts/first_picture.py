"""Makes docs/pictures/first.jpg: two dreams and six imagined words, all with defaults; takes some minutes.

The photographs are examples/clouds.jpg and scikit-image's cup of coffee (CC0, by Rachel Michetti).
"""

from __future__ import annotations

from pathlib import Path

import PIL.Image
from skimage import data

import phosphene as ph

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "pictures" / "first.jpg"

WORDS = {"porcupine": 0, "castle": 0, "feather boa": 0, "joystick": 0, "shower cap": 0, "buckle": 0}
"""Each word with its seed."""

WIDTH, GAP = 1200, 6
"""In pixels: the whole picture, and the white between the parts."""


def main() -> None:
    """Write the picture."""
    dreams = [ph.dream(source, preset="scenes").pil() for source in (ROOT / "examples" / "clouds.jpg", data.coffee())]
    words = [ph.imagine(word, seed=seed).pil() for word, seed in WORDS.items()]
    large, small = (WIDTH - GAP) // 2, (WIDTH - 5 * GAP) // 6
    height = large * 2 // 3
    page = PIL.Image.new("RGB", (WIDTH, height + GAP + small), "white")
    for index, picture in enumerate(dreams):
        page.paste(picture.resize((large, height), PIL.Image.Resampling.LANCZOS), (index * (large + GAP), 0))
    for index, picture in enumerate(words):
        place = (index * (small + GAP), height + GAP)
        page.paste(picture.resize((small, small), PIL.Image.Resampling.LANCZOS), place)
    page.save(OUT, quality=85, optimize=True)


if __name__ == "__main__":
    main()
