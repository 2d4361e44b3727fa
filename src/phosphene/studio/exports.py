"""Files made of results on request; they are made again for each request, in `.studio/incoming`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from phosphene.media.image import as_photograph, read_image, read_recipe_text, write_image
from phosphene.media.image.openraster import PictureLayer, write_openraster
from phosphene.media.video.identify import hash_of
from phosphene.resampling import resize
from phosphene.studio.folder import Folder

CELL_SIDE = 640
"""The longest side of a picture in a grid."""

MARGIN, LINE, INK, PAPER = 12, 22, "#222222", "#ffffff"


class Exports:
    """Makes files in `folder`; each method returns the name of the file in it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def export(self, form: str, id: str, file: str, fine: str | None, source: str | None, mask: str | None) -> str:
        """Write a result as a TIFF of 16 bits, from `fine` where that was kept, or as layers."""
        result = read_image(self._folder.inside(file))
        name = f".studio/incoming/{id}{'.tif' if form == 'tiff' else '.ora'}"
        if form == "tiff":
            image = result.image if fine is None else read_image(self._folder.inside(fine)).image
            recipe = read_recipe_text(self._folder.inside(file))
            write_image(self._folder.root / name, image, alpha=result.alpha, depth=16, recipe=recipe)
            return name
        layers = [PictureLayer("dream", result.image, result.alpha)]
        for title, path in (("photo", source), ("mask", mask)):
            if path is not None:
                photo = read_image(self._folder.inside(path))
                layers.append(
                    PictureLayer(title, resize(photo.image, result.size, clamp=True), visible=title != "mask")
                )
        write_openraster(self._folder.root / name, layers)
        return name

    def grid(
        self, id: str, across: Mapping[str, Any], down: Mapping[str, Any] | None, files: Mapping[str, str]
    ) -> tuple[str, str]:
        """Write the pictures of a grid side by side, with the values of its settings as captions.

        The recipe is that of the first picture. Return the file's name and SHA-256.
        """
        pictures = {cell: Pictures.open(self._folder.inside(file)).convert("RGB") for cell, file in files.items()}
        for picture in pictures.values():
            picture.thumbnail((CELL_SIDE, CELL_SIDE))
        width = max(each.width for each in pictures.values())
        height = max(each.height for each in pictures.values())
        font = ImageFont.load_default(LINE - 6)
        width = max(width, *(int(font.getlength(_caption(across, each))) + MARGIN for each in across["values"]))
        rows = [None] if down is None else down["values"]
        left = 0 if down is None else MARGIN + max(int(font.getlength(_caption(down, each))) for each in rows)
        size = (
            left + MARGIN + len(across["values"]) * (width + MARGIN),
            MARGIN + LINE + MARGIN + len(rows) * (height + MARGIN),
        )
        sheet = Pictures.new("RGB", size, PAPER)
        pen = ImageDraw.Draw(sheet)
        for x, value in enumerate(across["values"]):
            middle = left + MARGIN + x * (width + MARGIN) + width // 2
            pen.text((middle, MARGIN + LINE // 2), _caption(across, value), INK, font, anchor="mm")
        for y, value in enumerate(rows):
            top = MARGIN + LINE + MARGIN + y * (height + MARGIN)
            if down is not None:
                pen.text((MARGIN, top + height // 2), _caption(down, value), INK, font, anchor="lm")
            for x in range(len(across["values"])):
                if f"{x},{y}" in pictures:
                    picture = pictures[f"{x},{y}"]
                    sheet.paste(picture, (left + MARGIN + x * (width + MARGIN) + (width - picture.width) // 2, top))
        name = f".studio/incoming/grid-{id}.png"
        recipe = read_recipe_text(self._folder.inside(files[min(files, key=_place)]))
        path = self._folder.root / name
        write_image(path, as_photograph(sheet).image, recipe=recipe)
        return name, hash_of(path)


def _place(cell: str) -> tuple[int, int]:
    """Return the row and the column of a cell, which is named "column,row"."""
    x, y = map(int, cell.split(","))
    return y, x


def _caption(axis: Mapping[str, Any], value: Any) -> str:
    return f"{axis['setting'].replace('_', ' ')} {value}"
