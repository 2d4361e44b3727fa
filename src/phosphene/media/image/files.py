"""Reading pictures into tensors and writing tensors as pictures.

`docs/formats.md` has the table of what is read and written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from phosphene.errors import ImageError, SettingError
from phosphene.media import atomic
from phosphene.media.image import metadata, progress
from phosphene.media.image.decode import check_size, header, open_file, pixels, understood
from phosphene.media.image.encode import RECIPE, Storage, check_folder, encode, of_planes, of_samples, working_depth
from phosphene.media.image.formats import DEEP_ZOOM, check_large, for_writing
from phosphene.media.image.photograph import Photograph, from_array, from_pil, from_tensor
from phosphene.media.image.pixels import check_single, quantise
from phosphene.types import Image, Size

if TYPE_CHECKING:
    import PIL.Image

StrPath = str | os.PathLike[str]


def read_image(path: StrPath) -> Photograph:
    """Read the picture in a file: JPEG, PNG, WebP, AVIF, TIFF (first page) or GIF (first frame), by its contents.

        read_image("portrait.jpg").image.shape     # torch.Size([1, 3, 4032, 3024])

    It is turned upright by its EXIF orientation and converted to sRGB by its ICC profile; grey, palette,
    CMYK, 1 to 16 bits and floats become RGB in [0, 1], at full precision; alpha is kept beside it. Raises
    `ImageError`, before any pixel is decoded where the header already tells, for anything that is not one
    whole picture of at most `MAX_PIXELS`.
    """
    path = Path(path)
    with open_file(path) as file, understood(path):
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        picture = header(file, path)
        check_size((picture.height, picture.width), path)
        image, alpha, depth = pixels(file, path)
    return Photograph(image, alpha, depth, sha256, path.name, path)


def as_photograph(source: StrPath | PIL.Image.Image | np.ndarray | Tensor | Photograph) -> Photograph:
    """Return the picture in a path, a PIL image, a NumPy array (h w 3) or a tensor (3 h w).

    Raises `SettingError` for anything else, and the errors of the reader that is chosen.
    """
    import PIL.Image

    match source:
        case Photograph():
            return source
        case str() | os.PathLike():
            return read_image(source)
        case np.ndarray():
            return from_array(source)
        case Tensor():
            return from_tensor(source)
        case PIL.Image.Image():
            return from_pil(source)
    raise SettingError(
        f"a picture must be a path, a PIL image, a NumPy array or a tensor, not {type(source).__name__}",
        setting="source",
        value=source,
    )


def check_writable(path: StrPath, depth: int = 8, *, size: Size | None = None, recipe: str | None = None) -> None:
    """Raise now what `write_image` would raise after hours of rendering; writes nothing.

    Looks at the suffix, the folder and whether a file can be made in it, and whether the format holds `depth`
    bits and a picture of `size` (height, width) and the `recipe` fits. Raises `OutputError` and
    `SettingError`.
    """
    if for_writing(path, depth, size) is DEEP_ZOOM:
        check_folder(Path(path))
        atomic.check(Path(path).with_suffix(".page"))
    else:
        atomic.check(path)
    if recipe is not None:
        metadata.packet(recipe)


def write_image(
    path: StrPath,
    image: Image,
    *,
    alpha: Tensor | None = None,
    depth: int = 8,
    recipe: str | None = None,
    quality: int | None = None,
    dpi: float | None = None,
    profile: str = "srgb",
) -> None:
    """Write one picture (1 3 h w, sRGB in [0, 1]; beyond it is clipped) in the format that the suffix names.

        write_image("dream.png", image, depth=16, recipe=text)

    .png, .jpg, .jpeg, .webp, .tif, .tiff, .avif, and .dz for a Deep Zoom folder with a page. `depth` is bits a sample:
    8, or 16 for PNG and TIFF. `alpha` (1 1 h w) is kept; a JPEG has none and is laid on white. `quality` is 1 to 100
    for JPEG and WebP (95 by default) and AVIF (90); a WebP of quality 100 is lossless. `dpi` is kept by PNG, TIFF and
    JPEG. The colours are converted to `profile`, "srgb", "p3" or "adobergb", at 16 bits, and the file is tagged so. It
    carries `recipe`, which `read_recipe_text` reads.

    The file appears whole or not at all, and until then an old one of that name stays. Raises `OutputError`
    where nothing can be written, and `SettingError` for a setting that the format cannot hold.
    """
    check_single(image, alpha)
    chosen = for_writing(path, depth, (image.shape[-2], image.shape[-1]))
    storage = Storage(depth, quality, recipe, dpi, profile)
    storage.check()
    samples = quantise(image, alpha, depth=working_depth(storage), flatten=not chosen.alpha)
    encode(of_samples(samples), path, chosen, storage)


def write_planes(
    path: StrPath,
    planes: np.ndarray,
    storage: Storage,
    *,
    sheet: Size | None = None,
    at: tuple[int, int] = (0, 0),
) -> None:
    """Write a picture as `writing_planes` does."""
    for _ in writing_planes(path, planes, storage, sheet=sheet, at=at):
        pass


def writing_planes(
    path: StrPath,
    planes: np.ndarray,
    storage: Storage,
    *,
    sheet: Size | None = None,
    at: tuple[int, int] = (0, 0),
) -> Iterator[float]:
    """Write a picture that is not in memory, and yield the share that is written, 0 to 1.

    It is written as by `write_image`, from planes of floats, 3 h w, mapped from a disk. It lies on a white `sheet`
    (height, width) with its upper left corner `at`; by default it is the sheet. Raises what `write_image` does; and
    `SettingError` for a large picture in a format that is encoded as a whole in memory.
    """
    height, width = sheet or planes.shape[1:]
    chosen = check_large(path, storage.depth, (height, width))
    storage.check()
    depth = working_depth(storage)
    picture = of_planes(planes, depth)
    if sheet is not None and (picture.height, picture.width) != sheet:
        white = [255 if depth == 8 else 65_535] * 3
        picture = picture.embed(at[1], at[0], width, height, extend="background", background=white)
    yield from progress.reported(picture, lambda: encode(picture, path, chosen, storage))


def read_recipe_text(path: StrPath) -> str | None:
    """Return the recipe in a picture, or the exact text of a .json file; None for a picture without one.

    No pixels are decoded. Raises `ImageError` for what is neither.
    """
    path = Path(path)
    if path.is_dir() and (path / RECIPE).is_file():  # a Deep Zoom picture
        path = path / RECIPE
    with open_file(path) as file:
        if path.suffix.lower() == ".json":
            return _text(file, path)
        with understood(path):
            picture = header(file, path)
            if not picture.get_typeof("xmp-data"):
                return None
            return metadata.recipe_in(bytes(picture.get("xmp-data")))


def _text(file: BufferedReader, path: Path) -> str:
    data = file.read(metadata.MAX_TEXT + 1)
    if len(data) > metadata.MAX_TEXT:
        raise ImageError(f"{path} is too long for a recipe: at most {metadata.MAX_TEXT} bytes are read", path=path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ImageError(f"{path} is not UTF-8 text ({problem.reason} at byte {problem.start})", path=path) from None
