"""Folders that are pages: they open by a double click, need no network, and appear whole or not at all."""

from __future__ import annotations

import html
import io
import json
import os
import string
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.errors import OutputError
from phosphene.media import atomic
from phosphene.media.image.encode import RECIPE, of_samples
from phosphene.media.image.pixels import quantise
from phosphene.types import Image

PAGE, FRAME = "index.html", "frame.html"

VIEWER = "openseadragon.min.js"

TILE, OVERLAP, QUALITY = 254, 1, 92


def check(path: Path) -> None:
    """Raise `OutputError` if a page cannot be put at `path`, or if something other than a page of ours is there."""
    if os.path.lexists(path) and not is_page(path) and not (path.is_dir() and not any(path.iterdir())):
        raise OutputError(f"{path} is in the way, and is no page of phosphene's: choose another name", path=path)
    atomic.check(path.absolute().parent / f".{path.name[:40]}.trial")


def is_page(path: Path) -> bool:
    """Return whether a page of phosphene's is at `path`."""
    return (path / PAGE).is_file() and (path / RECIPE).is_file()


def publish(path: Path, recipe: str, fill: Callable[[Path], None]) -> None:
    """Make the folder `path`: `fill` writes into an empty one, which then takes its name, in place of an older one.

    Raises `OutputError` if the operating system refuses.
    """
    with atomic.replacing_folder(path, check) as made:
        fill(made)
        (made / RECIPE).write_text(recipe, encoding="utf-8", errors="surrogatepass")


def write_page(folder: Path, template: str, title: str, data: Mapping[str, Any], *, name: str = PAGE) -> None:
    """Write a page from one of the templates here: its data are inside, so that it works from a file.

    A template has its own style, elements and script, and `$title`; `frame.html` has what goes about it: `data`, a JSON
    object, and the functions that scripts share.
    """
    source = resources.files("phosphene.media") / "pages"
    frame, own, style = ((source / each).read_text(encoding="utf-8") for each in (FRAME, template, "page.css"))
    # So that no text in the data can end the script that holds it.
    inline = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " ")
    title = html.escape(title)
    elements = string.Template(own).substitute(title=title)
    page = string.Template(frame).substitute(title=title, style=style, data=inline, page=elements)
    (folder / name).write_text(page, encoding="utf-8", errors="replace")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write what a page says for programs."""
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8", errors="replace")


def write_file(path: Path, data: bytes) -> None:
    """Write a file into a page's folder."""
    path.write_bytes(data)


def jpeg(image: Image) -> bytes:
    """Return a picture, `1 3 h w`, as a JPEG file for a page."""
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(quantise(image)).save(file, "JPEG", quality=88)
    return file.getvalue()


def read_jpeg(data: bytes) -> Image:
    """Return the picture in a JPEG file that `jpeg` has made, `1 3 h w`."""
    import PIL.Image

    pixels = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div_(255)


def write_viewer(folder: Path) -> None:
    """Write OpenSeadragon into a page's folder, with its licence."""
    source = resources.files("phosphene.media.image") / "deepzoom"
    for name in (VIEWER, "openseadragon-LICENSE.txt"):
        (folder / name).write_bytes((source / name).read_bytes())


def write_tiles(folder: Path, pixels: np.ndarray) -> dict[str, int]:
    """Write the Deep Zoom tiles of a picture, `h w 3` of uint8, into a folder; return the facts that a viewer needs."""
    suffix = f".jpg[Q={QUALITY},subsample_mode=off,keep=none]"
    of_samples(np.ascontiguousarray(pixels)).dzsave(
        str(folder / "picture"), suffix=suffix, tile_size=TILE, overlap=OVERLAP
    )
    (folder / "picture_files" / "vips-properties.xml").unlink(missing_ok=True)  # it has the time
    return {"width": pixels.shape[1], "height": pixels.shape[0], "tile": TILE, "overlap": OVERLAP}
