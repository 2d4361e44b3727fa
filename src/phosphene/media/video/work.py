"""The work folder of a film: everything that a render needs to go on after it was killed.

    trip.mp4.work/
        work.json                what is being rendered; another render does not go on from it
        part-00000.mp4           finished parts, each of the same number of frames, to watch at any time
        part-00000.json          when each of their frames is shown
        frame-00000061           frames of the part that is being rendered, as the encoder wants them
        state-00000062           what the loop said, when it had made 62 frames, that it goes on from
        so-far.mp4               the finished parts as one film

Every file appears whole or not at all, and in an order that makes any moment a good one to be killed at: a frame is
kept before a state that counts it, and let go only when the part that has it is there.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from phosphene.errors import OutputError
from phosphene.media import atomic
from phosphene.media.video.planes import LAYOUTS
from phosphene.media.video.segments import Kept, Part, Style

FORMAT: Final = 1
"""Of the work folder; a folder of another format is not gone on from."""

_TIMES = struct.Struct("<qq")


class WorkFolder:
    """The work folder of the film at `path`; `facts` identify what is rendered, `part_frames` the frames of a part.

    `frames` is how many frames there were when the last `state` was kept, and where to go on. Raises `OutputError` if
    the folder is in use, belongs to another render or cannot be written; with `fresh` it is emptied first.
    """

    def __init__(
        self, path: Path, style: Style, suffix: str, part_frames: int, facts: Mapping[str, object], *, fresh: bool
    ) -> None:
        self.film = path
        self.folder = path.with_name(f"{path.name}.work")
        self.part_frames = part_frames
        self.frames = 0
        self.state: bytes | None = None
        self.parts = 0
        self._shapes = LAYOUTS[style.pixels].shapes(*style.size)
        self._sample = np.dtype(LAYOUTS[style.pixels].sample)
        self._frame_bytes = _TIMES.size + LAYOUTS[style.pixels].frame_bytes(style.size)
        self._suffix = suffix
        self._facts = json.loads(json.dumps({"format": FORMAT, **facts}))
        self._lock = -1
        try:
            self._open(fresh)
        except OSError as problem:
            self.close()
            raise atomic.refusal(self.folder, problem) from None
        except BaseException:
            self.close()
            raise

    def part_path(self, part: int) -> Path:
        """Where part number `part` is, or will be."""
        return self.folder / f"part-{part:05d}{self._suffix}"

    def keep_frame(self, index: int, pts: int, duration: int, planes: list[np.ndarray]) -> None:
        """Keep frame `index`, which is shown at `pts` for `duration` ticks."""
        with self.refusing(), atomic.replacing(self._frame(index)) as file:
            file.write(_TIMES.pack(pts, duration))
            for plane in planes:
                file.write(np.ascontiguousarray(plane).data)

    def keep_state(self, frames: int, state: bytes) -> None:
        """Keep what the loop goes on from after `frames` frames, all of which have been kept."""
        with self.refusing(), atomic.replacing(self._state(frames)) as file:
            file.write(state)
        if frames != self.frames:
            self._state(self.frames).unlink(missing_ok=True)
        self.frames = frames

    def kept(self, first: int, count: int, times: list[tuple[int, int]]) -> Iterator[Kept]:
        """Frames `first` to before `first + count`, one at a time; `times` is given when each is shown."""
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
        """Take the file `made`, which has the next part's frames, as that part."""
        with self.refusing(), atomic.replacing(self._times(self.parts)) as file:
            file.write(json.dumps(times).encode())
        with self.refusing():
            atomic.settle(made, self.part_path(self.parts))
        self.parts += 1

    def let_go(self, before: int) -> None:
        """Forget the kept frames before frame `before`, which parts have."""
        index = before - 1
        while index >= 0 and self._frame(index).exists():
            self._frame(index).unlink()
            index -= 1

    @property
    def last_pts(self) -> int:
        """When the last of the `frames` is shown, in ticks; -1 where there is none."""
        if self.frames > self.parts * self.part_frames:
            with open(self._frame(self.frames - 1), "rb") as file:
                return int(_TIMES.unpack(file.read(_TIMES.size))[0])
        return int(json.loads(self._times(self.parts - 1).read_bytes())[-1][0]) if self.parts else -1

    def all_parts(self) -> Iterator[Part]:
        """The finished parts in order."""
        for part in range(self.parts):
            times = json.loads(self._times(part).read_bytes())
            yield Part(self.part_path(part), tuple((pts, duration) for pts, duration in times))

    def remove(self) -> None:
        """Remove the folder: at once for whoever looks for it, so that it cannot be found half empty."""
        gone = self._gone()
        with self.refusing():
            os.replace(self.folder, gone)
        self.close()
        shutil.rmtree(gone, ignore_errors=True)

    @property
    def locked(self) -> bool:
        """Whether the folder is ours still."""
        return self._lock >= 0

    def close(self) -> None:
        """Let others have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self, fresh: bool) -> None:
        shutil.rmtree(self._gone(), ignore_errors=True)
        facts = self._facts_there()
        if facts is not None and (fresh or not any(self._states())):
            self._take_lock()
            os.replace(self.folder, self._gone())
            self.close()
            shutil.rmtree(self._gone(), ignore_errors=True)
            facts = None
        self.folder.mkdir(exist_ok=True)
        self._take_lock()
        if facts is None:
            with atomic.replacing(self.folder / "work.json") as file:
                file.write(json.dumps(self._facts, indent=1).encode())
            return
        if facts != self._facts:
            other = [name for name in self._facts if facts.get(name) != self._facts[name]]
            raise OutputError(
                f"{self.folder} has {max(self._states())} frames of another render ({', '.join(other) or 'format'} "
                f"differ): go on with its settings, begin afresh with --fresh, or choose another output",
                path=self.folder,
            )
        self._recover()

    def _facts_there(self) -> dict[str, Any] | None:
        if not self.folder.exists():
            return None
        try:
            return dict(json.loads((self.folder / "work.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            if self.folder.is_dir() and all(
                each.name == "lock" or each.suffix == ".part" for each in self.folder.iterdir()
            ):
                return None  # killed before it was begun
            raise OutputError(
                f"{self.folder} is in the way, and no work folder of phosphene's: move it elsewhere", path=self.folder
            ) from None

    def _recover(self) -> None:
        """Find where to go on, and clear away what is beyond or was being written."""
        for half in self.folder.glob(".*"):
            half.unlink()
        self.frames = max(self._states())
        self.state = self._state(self.frames).read_bytes()
        for old in self._states():
            if old != self.frames:
                self._state(old).unlink()
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
                    f"{self.folder} has lost frame {index}, so the render cannot go on: begin afresh with --fresh",
                    path=self.folder,
                )

    def _states(self) -> list[int]:
        return [int(path.name[6:]) for path in self.folder.glob("state-*")]

    def _take_lock(self) -> None:
        """Hold the folder until this process ends, however it ends."""
        with suppress(ImportError):  # Windows has no such locks, and does not rename a folder in use either
            import fcntl

            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{self.film} is being rendered by another process", path=self.film) from None

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """A block in which a failure to write is told with what it means: that the same command goes on."""
        try:
            yield
        except (OSError, OutputError) as problem:
            refused = atomic.refusal(self.film, problem) if isinstance(problem, OSError) else problem
            said = str(refused).partition(": ")[2] or str(refused)
            raise OutputError(
                f"cannot go on with {self.film}: {said}; what is done is kept in {self.folder.name}, "
                "and the same command goes on from there",
                path=self.film,
            ) from None

    def _gone(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.gone")

    def _frame(self, index: int) -> Path:
        return self.folder / f"frame-{index:08d}"

    def _state(self, frames: int) -> Path:
        return self.folder / f"state-{frames:08d}"

    def _times(self, part: int) -> Path:
        return self.folder / f"part-{part:05d}.json"
