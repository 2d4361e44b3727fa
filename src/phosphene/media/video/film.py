"""Films: frames stream in, and nothing that was rendered is lost.

    style = FilmSettings(size=(360, 640), rate=Fraction(30))
    with Film("trip.mp4", style, recipe=text) as film:
        loop = Loop(state=film.state)                   # None at first; bytes after an interruption
        for index in range(film.frames, 600):           # film.frames: how many are there already
            film.write(loop.next_frame())
            if film.due:
                film.checkpoint(loop.state_bytes())
        film.finish()

The contract: a loop that continues from `state` gives the same frames as one that never stopped. Then a render that is
killed at any moment, by any signal, and started again ends with the same file, to the byte, as one that never was.
Until `finish` the output itself does not appear; beside it stands a work folder (`media/work.py`) with the finished
parts. Memory does not grow with the number of frames.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from phosphene.errors import OutputError, SettingError
from phosphene.media import atomic
from phosphene.media.video.codecs import Codec, check_settings, choose_codec
from phosphene.media.video.comment import to_comment
from phosphene.media.video.makers import maker_for
from phosphene.media.video.planes import PLANE_FORMATS, padded_even, to_planes
from phosphene.media.video.segments import StreamFormat
from phosphene.media.video.sound import Sound
from phosphene.media.video.work import FilmFolder
from phosphene.types import Image, Size

_PART_SECONDS = 2
_PART_FRAMES = range(12, 61)
_PART_BYTES = 512 * 2**20
_CHECKPOINT_SECONDS = 5.0
"""How much work may be lost, beside the frame that is being made."""
_PREVIEW_GROWTH = 1.1
"""How much longer the finished parts grow before they are joined again: so all joins together cost 11 films."""
_LARGEST = 2**31 - 1  # of FFmpeg's fractions


@dataclass(frozen=True)
class FilmSettings:
    """The properties of a film.

    `size` is that of the frames (height, width) and `rate` their number per second. Without a `time_base`, the seconds
    of a tick, frames follow one another at that rate; with one, each says when it is shown. `codec` is chosen by the
    output's suffix if it is None, `crf` (h264: 0 to 51, vp9: 0 to 63; 0 is the best) is the codec's default, and
    `depth` is 8 or, for ffv1 and png, 16 bits a sample.
    """

    size: Size
    rate: Fraction
    time_base: Fraction | None = None
    codec: str | None = None
    crf: int | None = None
    depth: int = 8


class Film:
    """A film that is being made at `path`; a context manager.

    `recipe` is what the film carries. A render is continued if its `identity` (by default the recipe) and its
    settings are the same; if others were begun at this path that is an `OutputError`, unless `fresh` throws away
    what was begun. `frames` is how many frames are there, and `state` is what the loop continues from.

    Raises `OutputError` for a place that cannot be written, and `SettingError` and `UnknownNameError` for settings
    that the file cannot hold, before any frame is made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: FilmSettings,
        *,
        recipe: str | None = None,
        identity: str | None = None,
        environment: Mapping[str, object] | None = None,
        about: Mapping[str, object] | None = None,
        fresh: bool = False,
    ) -> None:
        self.path = Path(path)
        self.container, codec = choose_codec(path, settings.codec)
        self.settings = settings
        style = _style(settings, codec)
        if recipe is not None:
            to_comment(recipe)
        self._style = style
        real = Path(os.path.realpath(path))  # so that the work folder is on the disk where the film will be
        self._maker = maker_for(real, self.container, style, recipe)
        self._maker.check()
        frame_bytes = PLANE_FORMATS[style.pixels].frame_bytes(style.size)
        self._part_frames = part_frames(style.rate, frame_bytes)
        self._check_room(frame_bytes * self._part_frames)
        same = hashlib.sha256((identity or recipe or "").encode("utf-8", "surrogatepass")).hexdigest()
        facts = {"recipe": same, **_facts(settings, style), "part_frames": self._part_frames}
        self._work = FilmFolder(
            real, style, self._maker.suffix, self._part_frames, facts, environment, about=about, fresh=fresh
        )
        self._given = self._work.frames
        self._last_pts = self._work.last_pts
        self._saved_at = time.monotonic()
        self._previewed = 0
        self._finished = False
        older = None if self._work.state is not None else self._maker.in_the_way
        if older is not None:
            self._work.remove()
            raise OutputError(
                f"{older} is there already: choose another folder or name, or remove the other film's pictures",
                path=path,
            )

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def frames(self) -> int:
        """How many frames have been written; at first, how many an interrupted render left."""
        return self._given

    @property
    def note(self) -> str | None:
        """What to tell when an unfinished film goes on, and in which environment; None at the beginning."""
        return self._work.note

    @property
    def state(self) -> bytes | None:
        """The state given to the last `checkpoint`, at `frames` when the film was opened; None at the beginning."""
        return self._work.state

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint: a part is complete, or the last one was some seconds ago."""
        return (
            self._given - self._work.parts * self._part_frames >= self._part_frames
            or time.monotonic() - self._saved_at >= _CHECKPOINT_SECONDS
        )

    @property
    def preview_path(self) -> Path | None:
        """Where to watch the film while it renders: a silent film of the finished parts, or the folder of pictures.

        None before the first part is finished.
        """
        path = self._maker.pictures or self._so_far
        return path if path.exists() else None

    @property
    def duration(self) -> Fraction:
        """Seconds from the film's beginning to when the last frame is shown."""
        return max(0, self._last_pts) * self._style.time_base

    def write(self, image: Image, pts: int | None = None, duration: int | None = None) -> None:
        """Add one frame (1 3 h w); it is on the disk when this returns.

        `pts` is when it is shown, in ticks of the settings' `time_base`, and `duration` for how long, which counts for
        the last frame only; both are left out when frames follow at the settings' `rate`. Raises `SettingError` for a
        frame of another size, or shown before the last one, and `OutputError` if it cannot be kept.
        """
        size = (image.shape[-2], image.shape[-1])
        if size != self.settings.size:
            raise SettingError(
                f"the film's frames are {self.settings.size[1]}x{self.settings.size[0]}, but this one is "
                f"{size[1]}x{size[0]}",
                setting="size",
                value=size,
            )
        pts = self._given if pts is None else pts
        if pts <= self._last_pts:
            raise SettingError(
                f"a frame must be shown after the last one, at {self._last_pts}, but this one is at {pts}",
                setting="pts",
                value=pts,
            )
        default = max(1, round(1 / self._style.rate / self._style.time_base))
        planes = to_planes(padded_even(image) if self._style.codec.even else image, self._style.pixels)
        self._work.keep_frame(self._given, pts, duration or default, planes)
        self._given += 1
        self._last_pts = pts

    def checkpoint(self, state: bytes, progress: float | None = None) -> None:
        """Keep `state`: a render that is interrupted from now on continues after the frames written so far.

        `progress` is the share of the work that is done, for people. Complete parts are encoded. Raises `OutputError`.
        """
        self._work.keep_state(self._given, state, progress)
        self._saved_at = time.monotonic()
        while (self._work.parts + 1) * self._part_frames <= self._given:
            self._encode(self._part_frames)
            self._work.delete_frames(self._work.parts * self._part_frames)
            if self._work.parts >= self._previewed * _PREVIEW_GROWTH:
                self._preview()

    def finish(self, sound: Sound | None = None) -> Path:
        """Make the film of all frames, with `sound` where such a film has any, and give its path.

        An old film of that name stays until then. Raises `OutputError`, and what was written is kept then.
        """
        if not self._given:
            raise SettingError("a film has at least one frame, but none was written", setting="frames", value=0)
        self._so_far.unlink(missing_ok=True)
        # Frames beyond the last checkpoint will be made again if we are killed now: nothing is let go of.
        while (left := self._given - self._work.parts * self._part_frames) > 0:
            self._encode(min(left, self._part_frames))
        made = self._work.folder / f"film{self._maker.suffix}"
        with self._work.refusing():
            self._maker.finish(made, self._work.all_parts, sound)
            atomic.settle(made, self._maker.final)
        self._finished = True
        self._work.remove()
        return self.path

    def close(self) -> None:
        """Stop; what was written before the last checkpoint is kept for another time."""
        if not self._finished and self._work.state is None and self._work.locked:
            self._work.remove()
        self._work.close()

    def _encode(self, count: int) -> None:
        first = self._work.parts * self._part_frames
        made = self._work.folder / f".making{self._maker.suffix}"
        times: list[tuple[int, int]] = []
        with self._work.refusing():
            self._maker.encode(made, first, self._work.kept(first, count, times))
            self._work.add_part(made, times)

    def _preview(self) -> None:
        made = self._work.folder / f".making{self._maker.suffix}"
        with self._work.refusing():
            if self._maker.pictures is None:
                self._maker.preview(made, self._work.all_parts)
                os.replace(made, self._so_far)
        self._previewed = self._work.parts

    @property
    def _so_far(self) -> Path:
        return self._work.folder / f"so-far{self._maker.suffix}"

    def _check_room(self, part: int) -> None:
        """Check for the least disk space that a film needs: a part's frames, and as much for the part and the film."""
        free = shutil.disk_usage(
            self._maker.final.parent if self._maker.final.parent.is_dir() else self.path.parent
        ).free
        if free < 2 * part:
            raise OutputError(
                f"{self.path} needs at least {_say(2 * part)} while it is made, but the disk has {_say(free)} left: "
                "make room, or choose another folder",
                path=self.path,
            )


def part_frames(rate: Fraction, frame_bytes: int) -> int:
    """Return how many frames a part has: two seconds' worth, fewer if they are large, since all are kept until encoded.

    >>> part_frames(Fraction(24), 640 * 360 * 3 // 2)
    48
    """
    seconds = min(max(round(rate * _PART_SECONDS), _PART_FRAMES[0]), _PART_FRAMES[-1])
    return max(4, min(seconds, _PART_BYTES // frame_bytes))


def _style(settings: FilmSettings, codec: Codec) -> StreamFormat:
    check_settings(codec, settings.size, settings.crf, settings.depth)
    given = {"rate": settings.rate, "time_base": settings.time_base}
    for name, value in given.items():
        if value is not None and (value <= 0 or max(value.numerator, value.denominator) > _LARGEST):
            raise SettingError(
                f"the {name} must be a positive fraction of numbers up to {_LARGEST}, not {value}",
                setting=name,
                value=value,
            )
    height, width = settings.size
    size = (height + height % 2, width + width % 2) if codec.even else settings.size
    return StreamFormat(
        codec, size, settings.rate, settings.time_base or 1 / settings.rate, settings.crf, settings.depth
    )


def _facts(settings: FilmSettings, style: StreamFormat) -> dict[str, object]:
    return {
        "size": list(settings.size),
        "rate": str(style.rate),
        "time_base": str(style.time_base),
        "codec": style.codec.name,
        "crf": style.crf,
        "depth": style.depth,
    }


def _say(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
