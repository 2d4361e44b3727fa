"""OpenRaster files: pictures in layers, for Krita, GIMP and others that paint.

Source: the OpenRaster file layout and layer stack specifications, version 0.0.5 (openraster.org).
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from torch import Tensor

from phosphene.media import atomic
from phosphene.media.image.pixels import to_pil
from phosphene.types import Image

MEDIA_TYPE = "image/openraster"

THUMBNAIL_SIDE = 256


@dataclass(frozen=True)
class PictureLayer:
    """A layer: its name, its picture, 1 3 h w, and whether it is shown when the file is opened."""

    name: str
    image: Image = field(repr=False)
    alpha: Tensor | None = field(default=None, repr=False)
    visible: bool = True


def write_openraster(path: str | os.PathLike[str], layers: Sequence[PictureLayer]) -> None:
    """Write pictures of one size as the layers of a file, the topmost first.

    The file appears whole or not at all. Raises `OutputError` where nothing can be written.
    """
    height, width = layers[0].image.shape[-2:]
    stack = "".join(
        f"<layer name={quoteattr(each.name)} src={quoteattr(f'data/layer{index}.png')} "
        f'visibility="{"visible" if each.visible else "hidden"}"/>'
        for index, each in enumerate(layers)
    )
    size = f'version="0.0.3" w="{width}" h="{height}"'
    text = f'<?xml version="1.0" encoding="UTF-8"?><image {size}><stack>{stack}</stack></image>'
    top = next(each for each in layers if each.visible)
    with atomic.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mimetype", MEDIA_TYPE)  # first and not compressed, so that the file can be recognised
        archive.writestr("stack.xml", text)
        for index, each in enumerate(layers):
            archive.writestr(f"data/layer{index}.png", _png(each.image, each.alpha))
        archive.writestr("mergedimage.png", _png(top.image, top.alpha))
        archive.writestr("Thumbnails/thumbnail.png", _png(top.image, side=THUMBNAIL_SIDE))


def _png(image: Image, alpha: Tensor | None = None, side: int | None = None) -> bytes:
    file = io.BytesIO()
    picture = to_pil(image, alpha)
    if side is not None:
        picture.thumbnail((side, side))
    picture.save(file, "png", compress_level=3)
    return file.getvalue()
