"""Makes docs/pictures/presets.jpg: a photograph, and each preset of `dream` on it; scripts/pictures runs it."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
from PIL import ImageDraw, ImageFont
from skimage import data

import phosphene as ph
from phosphene.recipe.presets import PRESETS

OUT = Path(__file__).parent.parent / "docs" / "pictures" / "presets.jpg"

WIDTH, GAP, LABEL = 400, 6, 22
"""In pixels: a picture, the white between them, and the line with a preset's name."""

COLUMNS = 3


def main() -> None:
    """Write the picture."""
    photo = PIL.Image.fromarray(data.chelsea())  # CC0, by Stéfan van der Walt
    photo = photo.resize((WIDTH, round(photo.height * WIDTH / photo.width)), PIL.Image.Resampling.LANCZOS)
    pictures = {"the photograph": photo}
    for name in PRESETS["dream"]:
        pictures[f"--preset {name}"] = ph.dream(photo, preset=name).pil()
    rows = -(-len(pictures) // COLUMNS)
    cell = (WIDTH + GAP, photo.height + LABEL)
    page = PIL.Image.new("RGB", (COLUMNS * cell[0] - GAP, rows * cell[1]), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
    for index, (label, picture) in enumerate(pictures.items()):
        left, top = (index % COLUMNS) * cell[0], (index // COLUMNS) * cell[1]
        page.paste(picture, (left, top))
        draw.text((left + 2, top + photo.height + 2), label, fill="black", font=font)
    page.save(OUT, quality=82, optimize=True)


if __name__ == "__main__":
    main()
