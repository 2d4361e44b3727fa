"""Work folders: everything that is needed to continue unfinished work after the process was killed.

    dream.png.work/
        work.json                what is being made; other work does not continue from it
        lock                     held by the process that is at work
        state-00000062           the newest state that was kept, numbered from 0
        progress                 the share of the work that was done then, for people

Every file appears whole or not at all, so the process may be killed at any moment. Kinds of output that need more than
a state keep their own files beside these. `phosphene.media.unfinished` finds and removes the folders of a user.
"""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from phosphene.errors import OutputError
from phosphene.media import atomic, work_register

FORMAT: Final = 2
"""Of work folders; one of another format is not continued."""

RECORD, LOCK, PROGRESS = "work.json", "lock", "progress"


class WorkFolder:
    """The work folder of the output at `path`.

    `facts` identify what is made: a folder with other facts is an `OutputError`. `environment` is where it is made: if
    that differs the work is continued, and `changed` lists what differs. `state` is the newest one that was kept,
    `index` its number. `about` is told to people who list their unfinished work. The folder appears with the first
    state, or at once with `eager`.

    Raises `OutputError` if the folder is in use, belongs to other work or cannot be written. With `fresh`, its contents
    are thrown away.
    """

    def __init__(
        self,
        path: Path,
        facts: Mapping[str, object],
        environment: Mapping[str, object] | None = None,
        *,
        about: Mapping[str, object] | None = None,
        fresh: bool = False,
        eager: bool = False,
    ) -> None:
        self.output = path
        self.folder = path.with_name(f"{path.name}.work")
        self.state: bytes | None = None
        self.index = 0
        self.changed: list[str] = []
        self._facts = json.loads(json.dumps({"format": FORMAT, **facts}))
        self._environment = json.loads(json.dumps(environment or {}))
        self._about = json.loads(json.dumps(about or {}))
        self._lock = -1
        try:
            self._open(fresh, eager)
        except OSError as problem:
            self.close()
            raise atomic.refusal(self.folder, problem) from None
        except BaseException:
            self.close()
            raise

    @property
    def note(self) -> str | None:
        """What to tell when unfinished work goes on, and in which environment; None at the beginning."""
        if self.state is None:
            return None
        changed = ", ".join(self.changed)
        differs = f"; it was begun with another {changed}, so the last bits of the result may differ" if changed else ""
        return f"continues unfinished work in {self.folder}{self._reached}{differs}"

    @property
    def _reached(self) -> str:
        """How far the work has come, as the end of a clause."""
        return ""

    def keep_state(self, index: int, state: bytes, progress: float | None = None) -> None:
        """Keep `state` as number `index`, and forget the one before; `progress` is the share of the work done."""
        with self.refusing():
            self._make()
            if progress is not None:
                (self.folder / PROGRESS).write_text(f"{progress:.4f}", encoding="ascii")
            with atomic.replacing(self._state(index)) as file:
                file.write(state)
            if index != self.index:
                self._state(self.index).unlink(missing_ok=True)
        self.index, self.state = index, state

    def remove(self) -> None:
        """Remove the folder; it vanishes at once, so that nobody finds it half empty."""
        if not self.locked:
            return
        with self.refusing():
            gone = vanish(self.folder)
        self.close()
        shutil.rmtree(gone, ignore_errors=True)

    @property
    def locked(self) -> bool:
        """Whether this process holds the folder."""
        return self._lock >= 0

    def close(self) -> None:
        """Let other processes have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn what the operating system refuses into an `OutputError` that says how to continue."""
        try:
            yield
        except (OSError, OutputError) as problem:
            refused = atomic.refusal(self.output, problem) if isinstance(problem, OSError) else problem
            said = str(refused).partition(": ")[2] or str(refused)
            raise OutputError(
                f"cannot continue {self.output}: {said}; what is done is kept in {self.folder.name}, and the same "
                "command continues from there",
                path=self.output,
            ) from None

    def recover(self) -> None:
        """Find the newest state and clear away what was being written when the process was killed."""
        for half in self.folder.glob(".*"):
            half.unlink()
        states = self._states()
        self.index = max(states)
        self.state = self._state(self.index).read_bytes()
        for old in states:
            if old != self.index:
                self._state(old).unlink()

    def _sweep(self) -> None:
        """Remove what a process that was killed while it removed its folder has left."""
        for left in self.folder.parent.glob(f"{glob.escape(_gone(self.folder))}*.gone"):
            if not left.is_symlink() and (os.name != "posix" or left.stat().st_uid == os.geteuid()):
                shutil.rmtree(left, ignore_errors=True)

    def _open(self, fresh: bool, eager: bool) -> None:
        self._sweep()
        there = self._read_facts()
        if there is not None and (fresh or not self._states()):
            self._take_lock()
            self.remove()
            there = None
        if there is None:
            if eager:
                self._make()
            return
        self._take_lock()
        facts, environment = there
        if facts != self._facts:
            other = [name for name in self._facts if facts.get(name) != self._facts[name]]
            raise OutputError(
                f"{self.folder} has other unfinished work ({', '.join(other) or 'format'} differ): continue it with "
                "its own settings, start over with --fresh, or choose another output",
                path=self.folder,
            )
        self.changed = [name for name, value in self._environment.items() if environment.get(name) != value]
        self.recover()

    def _make(self) -> None:
        """Make the folder and take its lock, if that has not been done."""
        if self.locked:
            return
        self.folder.mkdir(exist_ok=True)
        self._check_ours()
        self._take_lock()
        record = {"facts": self._facts, "environment": self._environment, "about": self._about}
        with atomic.replacing(self.folder / RECORD) as file:
            file.write(json.dumps(record, indent=1).encode())
        work_register.add(self.folder)

    def _read_facts(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return what the folder says it is; None if there is no folder, or one that was never begun."""
        if not os.path.lexists(self.folder):
            return None
        self._check_ours()
        try:
            record = json.loads((self.folder / RECORD).read_bytes())
            if "facts" not in record and "format" in record:  # of 0.1.0
                return dict(record), {}
            return dict(record["facts"]), dict(record["environment"])
        except (OSError, ValueError, TypeError, KeyError):
            if all(each.name == LOCK or each.suffix == ".part" for each in self.folder.iterdir()):
                return None  # killed before it was begun
            raise OutputError(
                f"{self.folder} is in the way, and is not a work folder of this phosphene: move it elsewhere",
                path=self.folder,
            ) from None

    def _check_ours(self) -> None:
        """Raise `OutputError` unless the folder is a real one that belongs to this user."""
        if self.folder.is_symlink() or not self.folder.is_dir():
            raise OutputError(f"{self.folder} is in the way: it must be a folder, not a link or file", path=self.folder)
        if os.name == "posix" and self.folder.stat().st_uid != os.geteuid():
            raise OutputError(f"{self.folder} belongs to another user: choose another output", path=self.folder)

    def _states(self) -> list[int]:
        return [int(path.name[6:]) for path in self.folder.glob("state-*") if path.name[6:].isdecimal()]

    def _state(self, index: int) -> Path:
        return self.folder / f"state-{index:08d}"

    def _take_lock(self) -> None:
        """Hold the folder until this process ends, however it ends."""
        with suppress(ImportError):  # Windows has no such locks, and does not rename a folder in use either
            import fcntl

            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{self.output} is being made by another process", path=self.output) from None


def vanish(folder: Path) -> Path:
    """Give a work folder the hidden name of one that is being removed, and return it; nobody finds it half empty."""
    gone = folder.with_name(f"{_gone(folder)}{secrets.token_hex(4)}.gone")
    os.replace(folder, gone)
    work_register.forget(folder)
    return gone


def _gone(folder: Path) -> str:
    """Return how the name of a work folder begins while it is being removed."""
    return f".{folder.name[:40]}."
