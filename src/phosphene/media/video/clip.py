"""Clips: any video file as a stream of upright sRGB frames, each with its exact time.

    clip = open_clip("walk.mov")
    for frame in clip.section(start=2, end=5).frames():
        frame.image                                 # 1 3 h w

Frames are read as a player would show them; `docs/video-formats.md` has the details for rotation, colours, odd pixels,
damaged files and frames without times. Memory does not grow with the length of a clip.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from phosphene.errors import SettingError, VideoError
from phosphene.media.video import decode
from phosphene.media.video.display import Pose, Screen, pose_of
from phosphene.media.video.pyav import pyav
from phosphene.media.video.sound import Sound
from phosphene.types import Image, Size

StrPath = str | os.PathLike[str]
Seconds = int | float | Fraction


@dataclass(frozen=True)
class ClipFrame:
    """One frame: `image` (1 3 h w) and when it is shown.

    `pts` counts ticks of the clip's `time_base` from the section's first frame, which has 0; `duration` is in ticks
    too. `time` is in seconds on the clip's own clock. `index` counts the section's frames from 0.
    """

    index: int
    pts: int
    time: Fraction
    duration: int
    image: Image = field(repr=False)


@dataclass(frozen=True)
class Clip:
    """A video file that can be read; made by `open_clip`.

    `size` is (height, width) as shown, `rate` the frames per second (where it varies, about the mean), `time_base`
    the seconds of a tick, and `duration`, in seconds, and `frame_count` what the file says or what follows from it:
    estimates. Its clock begins with its first frame.
    """

    path: Path
    size: Size
    rate: Fraction
    time_base: Fraction
    duration: Fraction | None
    frame_count: int | None
    has_sound: bool
    origin: int = field(repr=False)
    pose: Pose = field(repr=False)

    def section(self, start: Seconds = 0, end: Seconds | None = None, every: int = 1) -> Section:
        """Return the part from `start` to before `end` (seconds on the clip's clock), using every Nth frame (`every`).

        It begins with the frame that is on screen at `start`. Raises `SettingError` for a part that is empty or
        outside the clip.
        """
        begin, finish = _exact(start, "start"), None if end is None else _exact(end, "end")
        if every < 1:
            raise SettingError(f"every must be at least 1, not {every}", setting="every", value=every)
        if finish is not None and finish <= begin:
            raise SettingError(
                f"end must be after start, {_say(begin)}, but is {_say(finish)}", setting="end", value=end
            )
        shown = 0 if begin == 0 else self._shown_at(begin)
        return Section(self, shown * self.time_base, finish, every)

    def frames(self, start: Seconds = 0, end: Seconds | None = None, every: int = 1) -> Iterator[ClipFrame]:
        """Yield the frames of `section(start, end, every)`."""
        return self.section(start, end, every).frames()

    def _shown_at(self, time: Fraction) -> int:
        """Return the ticks, from the first frame, of the frame that is on screen at `time`."""
        with closing(self._decoded(time)) as frames:
            shown = ends = 0
            for frame in frames:
                ticks = frame.pts - self.origin
                if ticks * self.time_base > time:
                    return shown
                shown, ends = ticks, ticks + (frame.duration or self._frame_ticks)
        if ends * self.time_base <= time:
            raise SettingError(
                f"start must be before the clip's end, {_say(ends * self.time_base)}, but is {_say(time)}",
                setting="start",
                value=float(time),
            )
        return shown

    def _decoded(self, time: Fraction) -> Generator[Any, None, None]:
        near = self.origin + int(time / self.time_base)
        return decode.decoded(self.path, near if time > 0 else None)

    @property
    def _frame_ticks(self) -> int:
        """The ticks of a frame, where the file does not say."""
        return max(1, round(1 / self.rate / self.time_base))


@dataclass(frozen=True)
class Section:
    """A part of a clip, all or every Nth of its frames; made by `Clip.section`.

    `start` is the time of its first frame, `end` where it ends, both in seconds on the clip's clock; without an
    `end` it lasts until the clip's.
    """

    clip: Clip = field(repr=False)
    start: Fraction
    end: Fraction | None
    every: int

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return self.clip.rate / self.every

    @property
    def frame_count(self) -> int | None:
        """About how many frames there will be; None where the file does not tell its length."""
        clip = self.clip
        if self.start == 0 and self.end is None:
            return None if clip.frame_count is None else -(-clip.frame_count // self.every)
        ends = [end for end in (self.end, clip.duration) if end is not None]
        return max(1, round((min(ends) - self.start) * self.rate)) if ends else None

    @property
    def sound(self) -> Sound | None:
        """The clip's sound from `start` to `end`; None where there is none."""
        clip = self.clip
        if not clip.has_sound:
            return None
        begin = None if self.start == 0 else self.start
        return Sound(clip.path, clip.origin * clip.time_base, begin, self.end)

    def frames(self, skip: int = 0) -> Iterator[ClipFrame]:
        """Yield the frames from number `skip` on; those before it are decoded, which is fast, and not converted.

        Raises `VideoError` if the file cannot be read any more.
        """
        clip, number = self.clip, 0
        begin = round(self.start / clip.time_base)
        screen = Screen(clip.pose)
        with closing(clip._decoded(self.start)) as frames:
            for frame in frames:
                ticks = frame.pts - clip.origin
                if ticks < begin:
                    continue
                if self.end is not None and ticks * clip.time_base >= self.end:
                    return
                index, rest = divmod(number, self.every)
                number += 1
                if rest == 0 and index >= skip:
                    length = (frame.duration or clip._frame_ticks) * self.every
                    yield ClipFrame(index, ticks - begin, ticks * clip.time_base, length, screen.image(frame))


def open_clip(path: StrPath) -> Clip:
    """Open a video file; its frames are read when they are iterated.

    The first frame is decoded at once, so that a file that cannot be shown is refused now. Raises `VideoError`, in one
    line, for a file that is not a readable video, and `MissingExtraError` without PyAV.
    """
    path = Path(path)
    with closing(decode.decoded(path)) as frames:
        first = next(frames, None)
    if first is None:
        raise VideoError(f"{path} has no frame that can be decoded: it is damaged or cut short", path=path)
    with decode.opened(path) as (container, stream):
        rate = decode.rate_of(stream)
        duration = stream.duration * stream.time_base if stream.duration else None
        if duration is None and container.duration:
            duration = Fraction(container.duration, pyav().time_base)
        pose = pose_of(first, stream.sample_aspect_ratio)
        return Clip(
            path=path,
            size=pose.size,
            rate=rate,
            time_base=Fraction(stream.time_base),
            duration=duration,
            frame_count=stream.frames or (None if duration is None else max(1, round(duration * rate))),
            has_sound=bool(container.streams.audio),
            origin=first.pts,
            pose=pose,
        )


def _exact(seconds: Seconds, setting: str) -> Fraction:
    """Return 0.7 as 7/10, not as the nearest binary fraction."""
    try:
        exact = Fraction(str(seconds))
    except ValueError:  # infinite, or no number
        exact = Fraction(-1)
    if exact < 0:
        raise SettingError(f"{setting} must be a time in seconds from 0, not {seconds}", setting=setting, value=seconds)
    return exact


def _say(seconds: Fraction) -> str:
    return f"{float(seconds):.3f}".rstrip("0").rstrip(".") + " s"
