"""The codecs that films are written in, and the containers that hold them, chosen by an output's suffix.

Every codec is configured so that the same frames give the same bytes (one thread, no random ids), and frames are stored
in display order, without B-frames. That makes H.264 files about a tenth larger, and lets parts that were encoded
separately, each from its own key frame, be joined into one film.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phosphene.errors import OutputError, SettingError, UnknownNameError
from phosphene.types import Size


@dataclass(frozen=True)
class Codec:
    """A way to store frames.

    `encoder` is FFmpeg's name of the encoder for a part of a film, `pixels` its pixel format, and `deep` the one for 16
    bits per sample, if there is one. `crf` is the range of the constant rate factor (0 is the best) and `default_crf`
    its default. `even` means that both sides must be even, and `side` is the longest side in pixels.
    """

    name: str
    about: str
    encoder: str
    pixels: str
    deep: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    crf: range | None = None
    default_crf: int | None = None
    even: bool = False
    side: int = 65_535


CODECS: dict[str, Codec] = {
    each.name: each
    for each in (
        Codec("h264", "H.264, 8 bits, 4:2:0", "libx264", "yuv420p", crf=range(52), default_crf=17, even=True,
              side=16_384,
              options={"preset": "medium", "bf": "0"}),
        # cpu-used 4 takes a third of the time of 1, for a file 3 % larger.
        Codec("vp9", "VP9, 8 bits, 4:2:0", "libvpx-vp9", "yuv420p", crf=range(64), default_crf=24,
              options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "0"}),
        # The faster of FFmpeg's two encoders: a fifth of the time, for larger files of better quality.
        Codec("prores", "ProRes 422 HQ, 10 bits", "prores_aw", "yuv422p10le", even=True,
              options={"profile": "3", "vendor": "apl0"}),
        Codec("ffv1", "FFV1, lossless, 8 or 16 bits", "ffv1", "bgr0", "gbrp16le",
              options={"level": "3", "slicecrc": "1", "g": "1"}),
        # The palette is chosen from all frames, so until the last they are kept without loss.
        Codec("gif", "GIF, 255 colours", "ffv1", "bgr0", options={"level": "3", "slicecrc": "1", "g": "1"}),
        Codec("png", "PNG pictures, 8 or 16 bits", "", "rgb24", "rgb48le"),
    )
}  # fmt: skip
"""The codecs by name."""


@dataclass(frozen=True)
class Container:
    """A kind of file that holds a film: FFmpeg's name for it, its codecs (the default first), and its sound.

    `sound` names the audio codecs that are copied unchanged, `resound` the one that any other is encoded to;
    without either, such files are silent.
    """

    name: str
    suffixes: tuple[str, ...]
    muxer: str
    codecs: tuple[str, ...]
    sound: frozenset[str] = frozenset()
    resound: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_MOV_SOUND = frozenset({"aac", "mp3", "ac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le"})
_MKV_SOUND = _MP4_SOUND | _MOV_SOUND | {"vorbis", "mp2", "dts", "truehd", "pcm_u8", "pcm_s32le", "wavpack"}
_INDEX_FIRST = {"movflags": "+faststart"}  # so that a browser plays the film while it loads
_FRAMES = Container("pictures", (".png",), "", ("png",))
CONTAINERS = (
    Container("MP4", (".mp4", ".m4v"), "mp4", ("h264",), _MP4_SOUND, "aac", _INDEX_FIRST),
    Container("WebM", (".webm",), "webm", ("vp9",), frozenset({"opus", "vorbis"}), "libopus"),
    Container("GIF", (".gif",), "gif", ("gif",)),
    Container("Matroska", (".mkv",), "matroska", ("ffv1", "h264", "vp9", "prores"), _MKV_SOUND, "flac"),
    Container("QuickTime", (".mov",), "mov", ("prores", "h264"), _MOV_SOUND, "pcm_s16le", _INDEX_FIRST),
)
"""The files that hold films."""

_NUMBER = re.compile(r"%0?(\d*)d")


def choose_codec(path: str | os.PathLike[str], codec: str | None = None) -> tuple[Container, Codec]:
    """Choose how to store the film at `path`: by its suffix, and by `codec` if the suffix allows several.

    >>> container, codec = choose_codec("trip.mkv")
    >>> container.name, codec.name
    ('Matroska', 'ffv1')

    A path without a suffix is a folder of PNG pictures, and `trip-%05d.png` is a pattern for their names. Raises
    `OutputError` for a suffix that no film has, `UnknownNameError` for an unknown codec and `SettingError` for a codec
    that such a file cannot hold.
    """
    container = _container(Path(path))
    if codec is not None and codec not in CODECS:
        raise UnknownNameError("codec", codec, CODECS)
    if codec is not None and codec not in container.codecs:
        fitting = [suffix for each in (*CONTAINERS, _FRAMES) if codec in each.codecs for suffix in each.suffixes]
        where = " or ".join(fitting) if codec != "png" else "a folder, or a pattern as in trip-%05d.png"
        raise SettingError(
            f"{container.name} files hold {' or '.join(container.codecs)}, not {codec}: name the output {where}",
            setting="codec",
            value=codec,
        )
    return container, CODECS[codec or container.codecs[0]]


def _container(path: Path) -> Container:
    suffix = path.suffix.lower()
    if suffix == "" or (suffix == ".png" and _NUMBER.search(path.name)):
        return _FRAMES
    if suffix == ".png":
        raise OutputError(
            f"{path} is one picture: for a film name a folder, or a pattern as in {path.stem}-%05d.png", path=path
        )
    for each in CONTAINERS:
        if suffix in each.suffixes:
            return each
    known = ", ".join(each.suffixes[0] for each in CONTAINERS)
    raise OutputError(
        f"{path} has the suffix {suffix!r}, but a film is stored by it: use one of {known}, or a folder", path=path
    )


def picture_path(path: Path, index: int) -> Path:
    """Return the path of picture `index` (from 0) of a film of PNG pictures.

    >>> str(picture_path(Path("trip/%04d.png"), 7)), picture_path(Path("trip"), 7).name
    ('trip/0007.png', '00007.png')
    """
    found = _NUMBER.search(path.name)
    if found is None:
        return path / f"{index:05d}.png"
    digits = int(found[1] or 0)
    return path.with_name(f"{path.name[: found.start()]}{index:0{digits}d}{path.name[found.end() :]}")


def picture_list(path: Path) -> Path:
    """Return the path of the list of the pictures of a film of PNG pictures.

    >>> str(picture_list(Path("trip/a-%04d.png"))), str(picture_list(Path("trip")))
    ('trip/a.ffconcat', 'trip/frames.ffconcat')
    """
    found = _NUMBER.search(path.name)
    if found is None:
        return path / "frames.ffconcat"
    return path.with_name(f"{path.name[: found.start()].strip('-_. ') or 'frames'}.ffconcat")


def check_settings(codec: Codec, size: Size, crf: int | None, depth: int) -> None:
    """Raise `SettingError` unless `codec` can hold frames of this size, crf and depth."""
    if max(size) > codec.side:
        raise SettingError(
            f"{codec.name} films have at most {codec.side} pixels a side, but the frames are {size[1]}x{size[0]}",
            setting="size",
            value=size,
        )
    if crf is not None and codec.crf is None:
        choice = " or ".join(name for name, each in CODECS.items() if each.crf is not None)
        raise SettingError(f"{codec.name} films have no crf; {choice} have", setting="crf", value=crf)
    if crf is not None and codec.crf is not None and crf not in codec.crf:
        raise SettingError(
            f"the crf of {codec.name} films must be {codec.crf[0]} (best) to {codec.crf[-1]}, not {crf}",
            setting="crf",
            value=crf,
        )
    if depth not in (8, 16) or (depth == 16 and codec.deep is None):
        deep = " or ".join(name for name, each in CODECS.items() if each.deep is not None)
        raise SettingError(
            f"{codec.name} films cannot have {depth} bits per sample: use depth 8, or {deep} for 16",
            setting="depth",
            value=depth,
        )
