"""A picture of libvips, in sRGB -> a file: colour profile, dots per inch, metadata, and what each format wants."""

from __future__ import annotations

import html
import os
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phosphene.errors import OutputError, SettingError
from phosphene.media import atomic
from phosphene.media.image import metadata
from phosphene.media.image.formats import DEEP_ZOOM, PNG, TIFF, WEBP, PictureFormat
from phosphene.media.image.vips import complaint, vips

if TYPE_CHECKING:
    import pyvips

PROFILES = ("srgb", "p3", "adobergb")
"""The colour spaces that files may have: sRGB, Display P3, and that of Adobe RGB (1998)."""

LARGE_TIFF = 2**31
"""Bytes of samples beyond which a TIFF has offsets of 64 bits."""

TILE, OVERLAP = 254, 1
"""Sides of the tiles of a Deep Zoom picture, and what they share with their neighbours."""

_PAGE_FILES = ("openseadragon.min.js", "openseadragon-LICENSE.txt")


@dataclass(frozen=True)
class Storage:
    """How a picture is stored, beyond its format.

    `depth` is bits per sample, `quality` 1 to 100 or None for the format's own, `recipe` its text, `dpi` dots per inch
    or None, `profile` one of `PROFILES`. With `pyramid` a TIFF has tiles and smaller copies, for viewers.
    """

    depth: int = 8
    quality: int | None = None
    recipe: str | None = None
    dpi: float | None = None
    profile: str = "srgb"
    pyramid: bool = False

    def check(self) -> None:
        """Raise `SettingError` for a quality or profile that there is not."""
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise SettingError(
                f"the quality must be 1 to 100, not {self.quality}", setting="quality", value=self.quality
            )
        if self.profile not in PROFILES:
            raise SettingError(
                f"the profile must be {', '.join(PROFILES[:-1])} or {PROFILES[-1]}, not {self.profile!r}",
                setting="profile",
                value=self.profile,
            )


def of_samples(samples: np.ndarray) -> pyvips.Image:
    """Return whole numbers (h w bands, not copied) as a picture in sRGB."""
    height, width, bands = samples.shape
    kind, colours = ("uchar", "srgb") if samples.dtype == np.uint8 else ("ushort", "rgb16")
    return vips().Image.new_from_memory(samples.data, width, height, bands, kind).copy(interpretation=colours)


def of_planes(planes: np.ndarray, depth: int) -> pyvips.Image:
    """Return floats in [0, 1] (3 h w, not copied, perhaps mapped from a disk) as a picture in sRGB."""
    height, width = planes.shape[1:]
    pyvips = vips()
    bands = [pyvips.Image.new_from_memory(plane.data, width, height, 1, "float") for plane in planes]
    most, kind, colours = (255, "uchar", "srgb") if depth == 8 else (65_535, "ushort", "rgb16")
    # Half up: the cast drops the fraction, and clips.
    return (bands[0].bandjoin(bands[1:]) * most + 0.5).cast(kind).copy(interpretation=colours)


def working_depth(storage: Storage) -> int:
    """Return the bits per sample that a picture should have before it is encoded."""
    return storage.depth if storage.profile == "srgb" else 16


def encode(picture: pyvips.Image, path: str | os.PathLike[str], chosen: PictureFormat, storage: Storage) -> None:
    """Write a picture in sRGB, of `working_depth`, to `path`, which appears whole or not at all.

    Raises:
        OutputError: where nothing can be written.
    """
    pyvips = vips()
    try:
        with _profile(storage.profile) as profile:
            tagged = _tagged(picture, profile, storage)
            if chosen is DEEP_ZOOM:
                _write_deep_zoom(tagged, Path(path), storage)
                return
            options = _options(tagged, chosen, storage)
            with atomic.replacing(path) as file:
                target = pyvips.Target.new_to_descriptor(file.fileno())
                getattr(tagged, f"{chosen.vips}save_target")(target, **options)
    except pyvips.Error as problem:
        raise _refused(problem, path) from None


@contextmanager
def _profile(name: str) -> Iterator[str]:
    """Yield what libvips calls a profile: one of its own, or a file."""
    if name != "adobergb":
        yield name
        return
    source = resources.files("phosphene.media.image") / "adobergb.icc"
    with resources.as_file(source) as path:
        yield str(path)


def _tagged(picture: pyvips.Image, profile: str, storage: Storage) -> pyvips.Image:
    """Return the picture in the colours of a profile, which it carries with its recipe and dots per inch."""
    pyvips = vips()
    if storage.profile == "srgb":
        picture = picture.copy()
        picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", pyvips.Image.profile_load("srgb"))
    else:
        intent = pyvips.enums.Intent.RELATIVE
        picture = picture.icc_transform(profile, input_profile="srgb", intent=intent, depth=storage.depth)
    if storage.recipe is not None:
        picture.set_type(pyvips.GValue.blob_type, "xmp-data", metadata.packet(storage.recipe))
    if storage.dpi is not None:
        per_mm = storage.dpi / 25.4
        picture = picture.copy(xres=per_mm, yres=per_mm)
        picture.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in")
    return picture


def _options(picture: pyvips.Image, chosen: PictureFormat, storage: Storage) -> dict[str, Any]:
    # libvips puts dots per inch into EXIF where a format has no other place for them; there is nothing else in it.
    keep = "icc:xmp:exif" if storage.dpi is not None and chosen.lossy is not None else "icc:xmp"
    options: dict[str, Any] = {**chosen.options, "keep": keep}
    if chosen.lossy is not None:
        options["Q"] = chosen.lossy if storage.quality is None else storage.quality
    if chosen is PNG:
        options["bitdepth"] = storage.depth
    if chosen is WEBP:
        options["lossless"] = storage.quality == 100
    if chosen is TIFF:
        samples = picture.width * picture.height * picture.bands * storage.depth // 8
        options["bigtiff"] = samples > LARGE_TIFF
        if storage.dpi is not None:
            options["resunit"] = "inch"
        if storage.pyramid:  # smaller copies in sub-directories: programs that know none see one picture
            options |= {"tile": True, "tile_width": 256, "tile_height": 256, "pyramid": True, "subifd": True}
    return options


def _write_deep_zoom(picture: pyvips.Image, path: Path, storage: Storage) -> None:
    """Write a folder of tiles with a page that shows them, without a network, and the recipe beside them."""
    with atomic.replacing_folder(path, check_folder) as made:
        quality = 92 if storage.quality is None else storage.quality
        suffix = f".jpg[Q={quality},subsample_mode=off,keep=icc]"
        picture.dzsave(str(made / "picture"), suffix=suffix, tile_size=TILE, overlap=OVERLAP, keep="icc")
        folder = resources.files("phosphene.media.image") / "deepzoom"
        for name in _PAGE_FILES:
            (made / name).write_bytes((folder / name).read_bytes())
        page = string.Template((folder / "page.html").read_text(encoding="utf-8"))
        facts = {"format": "jpg", "overlap": OVERLAP, "tile": TILE, "width": picture.width, "height": picture.height}
        text = page.substitute(facts, title=html.escape(Path(os.path.realpath(path)).stem))
        (made / "index.html").write_text(text, encoding="utf-8")
        if storage.recipe is not None:
            (made / RECIPE).write_text(storage.recipe, encoding="utf-8", errors="surrogatepass")


RECIPE = "recipe.json"
"""The recipe in a folder."""


def check_folder(path: Path) -> None:
    """Raise `OutputError` if something else than a Deep Zoom picture of ours is at `path`."""
    if os.path.lexists(path) and not (path / "picture.dzi").is_file():
        raise OutputError(f"{path} is in the way, and is not a Deep Zoom picture: choose another name", path=path)


def _refused(problem: Exception, path: str | os.PathLike[str]) -> OutputError:
    """Return the error for a libvips failure, whose reason is given only in words."""
    said = complaint(problem)
    why = "the disk is full; make room or choose another folder" if "No space left" in str(problem) else said
    return OutputError(f"cannot write {path}: {why}", path=path)
