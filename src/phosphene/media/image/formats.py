"""The picture formats: how each is recognised by its first bytes, and what can be written in it.

A name's suffix decides what is written, but says nothing about what is read: a PNG named .jpg is a PNG.
"""

from __future__ import annotations

import codecs
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from phosphene.errors import ImageError, OutputError, SettingError
from phosphene.types import Size

MOST_IN_MEMORY = 100_000_000
"""Pixels of a picture from the disk that a format may hold in memory while it is encoded."""

HEAD = 64
"""How many of a file's first bytes `recognise` wants."""


@dataclass(frozen=True)
class PictureFormat:
    """One format: libvips' name for it, and what a file of it can hold.

    `side` is the most pixels that a written side may have; `lossy` is the default quality of a format that
    has one. `streams` says that a picture is written strip by strip, and need not be in memory as a whole.
    """

    name: str
    vips: str
    suffixes: tuple[str, ...] = ()
    deep: bool = False
    alpha: bool = True
    side: int = 10_000_000
    lossy: int | None = None
    streams: bool = True
    options: dict[str, object] = field(default_factory=dict)


# Chroma is never thinned where the format lets us choose: dreams are fine-grained and saturated.
JPEG = PictureFormat("JPEG", "jpeg", (".jpg", ".jpeg"), alpha=False, side=65_500, lossy=95,
              options={"subsample_mode": "off"})  # fmt: skip
# A filter halves the file of a photograph; more compression than 4 takes twice the time for 2 %.
PNG = PictureFormat("PNG", "png", (".png",), deep=True, options={"filter": "paeth", "compression": 4})
# WebP has 4:2:0 only, unless lossless; `exact` keeps the colours beneath what is transparent.
WEBP = PictureFormat("WebP", "webp", (".webp",), side=16_383, lossy=95, streams=False,
              options={"smart_subsample": True, "exact": True})  # fmt: skip
TIFF = PictureFormat("TIFF", "tiff", (".tif", ".tiff"), deep=True,
              options={"compression": "deflate", "predictor": "horizontal"})  # fmt: skip
# An effort of 4, the default, takes four times as long for a file 4 % smaller.
AVIF = PictureFormat("AVIF", "heif", (".avif",), side=16_384, lossy=90, streams=False,
              options={"compression": "av1", "subsample_mode": "off", "effort": 3})  # fmt: skip
GIF = PictureFormat("GIF", "gif")
# A folder of JPEG tiles.
DEEP_ZOOM = PictureFormat("Deep Zoom", "dz", (".dz",), alpha=False)

WRITTEN = {suffix: each for each in (PNG, JPEG, WEBP, TIFF, AVIF, DEEP_ZOOM) for suffix in each.suffixes}

_MAGIC = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
)
_FOREIGN = (
    (b"BM", "a BMP picture"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"<svg", "an SVG drawing"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
)
# Camera raw files are TIFFs whose first page is a stamp-sized preview: better refused than dreamed.
_RAW = frozenset({".dng", ".nef", ".nrw", ".cr2", ".arw", ".pef", ".srw", ".iiq", ".3fr"})
_READ = "phosphene reads JPEG, PNG, WebP, AVIF, TIFF and GIF"


def recognise(head: bytes, path: Path) -> PictureFormat:
    """Return the format of a file that begins with `head`; an `ImageError` says what else it is."""
    if not head:
        raise ImageError(f"{path} is empty (0 bytes): a picture was expected", path=path)
    for magic, found in _MAGIC:
        if head.startswith(magic):
            if found is TIFF and path.suffix.lower() in _RAW:
                raise ImageError(f"{path} is a camera raw file; {_READ}: develop and export it first", path=path)
            return found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        length = int.from_bytes(head[:4], "big")
        brands = {head[at : at + 4] for at in range(8, min(length, len(head)), 4)}
        if brands & {b"avif", b"avis"}:
            return AVIF
        kind = "a HEIC picture" if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1"} else "a video"
        raise ImageError(f"{path} is {kind}; {_READ}: export it as one of these", path=path)
    for magic, kind in _FOREIGN:
        if head.startswith(magic):
            raise ImageError(f"{path} is {kind}; {_READ}: export it as one of these", path=path)
    kind = "a text file, not a picture" if _is_text(head) else "not a picture of a known format"
    raise ImageError(f"{path} is {kind}; {_READ}", path=path)


def for_writing(path: str | os.PathLike[str], depth: int = 8, size: Size | None = None) -> PictureFormat:
    """Return the format of `path`'s suffix, able to hold `depth` bits per sample and a picture of `size`.

    Raises `OutputError` for an unknown suffix and `SettingError` for a depth or size that the format cannot
    hold.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        known = ", ".join(WRITTEN)
        found = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise OutputError(f"{path} has {found}, but the format is chosen by it: use one of {known}", path=path)
    chosen = WRITTEN[suffix]
    if depth not in (8, 16):
        raise SettingError(f"the depth must be 8 or 16 bits, not {depth!r}", setting="depth", value=depth)
    if depth == 16 and not chosen.deep:
        deep = " or ".join(each for each, format in WRITTEN.items() if format.deep)
        raise SettingError(
            f"{chosen.name} files hold 8 bits a sample, not 16: name the output {deep}, or use depth 8",
            setting="depth",
            value=depth,
        )
    if size is not None and max(size) > chosen.side:
        raise SettingError(
            f"{chosen.name} files have at most {chosen.side} pixels a side, but the picture is "
            f"{size[1]}x{size[0]}: name the output {_holding(size, depth)}, or make it smaller",
            setting="size",
            value=size,
        )
    return chosen


def holds_depth(path: str | os.PathLike[str], depth: int) -> bool:
    """Return whether the format of `path`'s suffix can hold `depth` bits per sample."""
    chosen = WRITTEN.get(Path(path).suffix.lower())
    return chosen is not None and (depth == 8 or chosen.deep)


def check_large(path: str | os.PathLike[str], depth: int, size: Size) -> PictureFormat:
    """Return the format of `path`'s suffix as `for_writing` does, able to hold a picture that is not in memory."""
    chosen = for_writing(path, depth, size)
    if not chosen.streams and math.prod(size) > MOST_IN_MEMORY:
        raise SettingError(
            f"{chosen.name} files are encoded in memory as a whole, up to {MOST_IN_MEMORY // 10**6} megapixels, but "
            f"the picture has {math.prod(size) // 10**6}: name the output {_holding(size, depth)}",
            setting="size",
            value=size,
        )
    return chosen


def _holding(size: Size, depth: int) -> str:
    """Return the suffixes of the formats that hold a picture of this size and depth, however large."""
    found = [
        format.suffixes[0]
        for format in {each.name: each for each in WRITTEN.values()}.values()
        if format.streams and max(size) <= format.side and (depth == 8 or format.deep)
    ]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut in two
    except UnicodeDecodeError:
        return False
    return all(each.isprintable() or each.isspace() for each in text)
