"""The work folder of a film: beside the state, the frames and segments that are done.

    trip.mp4.work/
        part-00000.mp4           finished segments, each of the same number of frames, to watch at any time
        part-00000.json          when each of their frames is shown
        frame-00000061           frames of the segment in progress, as the encoder wants them
        state-00000062           what the loop continues from after 62 frames
        so-far.mp4               the finished segments as one film

A frame is kept before a state that counts it, and deleted only when the segment that has it is there.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from phosphene.errors import OutputError
from phosphene.media import atomic
from phosphene.media.video.planes import PLANE_FORMATS
from phosphene.media.video.segments import EncoderFrame, Segment, StreamFormat
from phosphene.media.work import WorkFolder

_TIMES = struct.Struct("<qq")


class FilmFolder(WorkFolder):
    """The work folder of the film at `path`; a segment has `part_frames` frames.

    `frames` is how many frames there were when the last state was kept: its number. Raises as `WorkFolder` does.
    """

    def __init__(
        self,
        path: Path,
        style: StreamFormat,
        suffix: str,
        part_frames: int,
        facts: Mapping[str, object],
        environment: Mapping[str, object] | None = None,
        *,
        about: Mapping[str, object] | None = None,
        fresh: bool = False,
    ) -> None:
        self.part_frames = part_frames
        self.parts = 0
        self._shapes = PLANE_FORMATS[style.pixels].shapes(*style.size)
        self._sample = np.dtype(PLANE_FORMATS[style.pixels].sample)
        self._frame_bytes = _TIMES.size + PLANE_FORMATS[style.pixels].frame_bytes(style.size)
        self._suffix = suffix
        super().__init__(path, facts, environment, about=about, fresh=fresh, eager=True)

    @property
    def frames(self) -> int:
        """How many frames the newest state counts."""
        return self.index

    @property
    def _reached(self) -> str:
        return f", after frame {self.frames}"

    def part_path(self, part: int) -> Path:
        """Return where segment number `part` is, or will be."""
        return self.folder / f"part-{part:05d}{self._suffix}"

    def keep_frame(self, index: int, pts: int, duration: int, planes: list[np.ndarray]) -> None:
        """Keep frame `index`, which is shown at `pts` for `duration` ticks."""
        with self.refusing(), atomic.replacing(self._frame(index)) as file:
            file.write(_TIMES.pack(pts, duration))
            for plane in planes:
                file.write(np.ascontiguousarray(plane).data)

    def kept(self, first: int, count: int, times: list[tuple[int, int]]) -> Iterator[EncoderFrame]:
        """Yield frames `first` to `first + count - 1`; append to `times` when each is shown."""
        for index in range(first, first + count):
            data = self._frame(index).read_bytes()
            pts, duration = _TIMES.unpack_from(data)
            planes, at = [], _TIMES.size
            for shape in self._shapes:
                size = int(np.prod(shape))
                planes.append(np.frombuffer(data, self._sample, size, at).reshape(shape))
                at += size * self._sample.itemsize
            times.append((pts, duration))
            yield pts, duration, planes

    def add_part(self, made: Path, times: list[tuple[int, int]]) -> None:
        """Take the file `made`, which has the next segment's frames, as that segment."""
        with self.refusing(), atomic.replacing(self._times(self.parts)) as file:
            file.write(json.dumps(times).encode())
        with self.refusing():
            atomic.settle(made, self.part_path(self.parts))
        self.parts += 1

    def delete_frames(self, before: int) -> None:
        """Delete the kept frames before frame `before`, which are in segments."""
        index = before - 1
        while index >= 0 and self._frame(index).exists():
            self._frame(index).unlink()
            index -= 1

    @property
    def last_pts(self) -> int:
        """When the last of the `frames` is shown, in ticks; -1 if there is none."""
        if self.frames > self.parts * self.part_frames:
            with open(self._frame(self.frames - 1), "rb") as file:
                return int(_TIMES.unpack(file.read(_TIMES.size))[0])
        return int(json.loads(self._times(self.parts - 1).read_bytes())[-1][0]) if self.parts else -1

    def all_parts(self) -> Iterator[Segment]:
        """Yield the finished segments in order."""
        for part in range(self.parts):
            times = json.loads(self._times(part).read_bytes())
            yield Segment(self.part_path(part), tuple((pts, duration) for pts, duration in times))

    def recover(self) -> None:
        """Find where to continue, and delete what is beyond it or was being written."""
        super().recover()
        while self.part_path(self.parts).exists() and (self.parts + 1) * self.part_frames <= self.frames:
            self.parts += 1
        for path in self.folder.glob("part-*"):
            if int(path.name[5:10]) >= self.parts:
                path.unlink()
        first = self.parts * self.part_frames
        for path in self.folder.glob("frame-*"):
            if not first <= int(path.name[6:]) < self.frames:
                path.unlink()
        for index in range(first, self.frames):
            frame = self._frame(index)
            if not frame.exists() or frame.stat().st_size != self._frame_bytes:
                raise OutputError(
                    f"{self.folder} has lost frame {index}, so the film cannot be continued: start over with --fresh",
                    path=self.folder,
                )

    def _frame(self, index: int) -> Path:
        return self.folder / f"frame-{index:08d}"

    def _times(self, part: int) -> Path:
        return self.folder / f"part-{part:05d}.json"
