"""Unfinished work is found wherever it is, and removed only when nobody is at it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from phosphene.errors import OutputError
from phosphene.media import unfinished, work_register
from phosphene.media.work import WorkFolder


@pytest.fixture(autouse=True)
def _own_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(work_register, "place", lambda: tmp_path / "state" / "work")


def begun(path: Path, progress: float | None = 0.25) -> WorkFolder:
    work = WorkFolder(path, {"recipe": "x"}, about={"kind": "dream", "target": "block11"})
    work.keep_state(1, b"s" * 10_000, progress)
    return work


def test_work_is_listed_wherever_it_is_until_it_is_finished(tmp_path: Path) -> None:
    work = begun(tmp_path / "dream.png")
    (found,) = unfinished.find()
    assert found.output == tmp_path / "dream.png"
    assert found.about == {"kind": "dream", "target": "block11"}
    assert found.progress == 0.25
    assert found.bytes >= 10_000
    assert found.status == "running"
    work.close()
    assert unfinished.find()[0].status == "can be continued"
    work = WorkFolder(tmp_path / "dream.png", {"recipe": "x"})
    work.remove()
    assert unfinished.find() == []


def test_work_is_listed_once_and_newest_first(tmp_path: Path) -> None:
    for name in ("old.png", "new.png"):
        begun(tmp_path / name).close()
    for path in (tmp_path / "old.png.work").iterdir():
        os.utime(path, (time.time() - 60, time.time() - 60))
    found = unfinished.find([tmp_path, tmp_path])
    assert [each.output.name for each in found] == ["new.png", "old.png"]


def test_what_was_removed_or_moved_by_hand_is_forgotten(tmp_path: Path) -> None:
    begun(tmp_path / "a.png").close()
    begun(tmp_path / "b.png").close()
    shutil.rmtree(tmp_path / "a.png.work")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "b.png.work").rename(tmp_path / "elsewhere" / "b.png.work")
    assert unfinished.find() == []
    (found,) = unfinished.find([tmp_path / "elsewhere"])
    assert found.output.name == "b.png"


def test_what_nobody_will_continue_is_stale(tmp_path: Path) -> None:
    begun(tmp_path / "a.png").close()
    later = time.time() + 5
    (tmp_path / "a.png").write_bytes(b"made by other means")
    os.utime(tmp_path / "a.png", (later, later))
    assert unfinished.find()[0].stale == "its output has been written since"
    (tmp_path / "a.png").unlink()
    record = tmp_path / "a.png.work" / "work.json"
    before = record.read_text()
    record.write_text(json.dumps({"facts": {"format": 99}}))
    assert unfinished.find()[0].stale == "of another version of phosphene"
    record.write_text(before)
    for path in (tmp_path / "a.png.work").iterdir():
        os.utime(path, (0, 0))
    assert unfinished.find()[0].stale == "not continued for 30 days"


def test_what_is_running_is_not_removed(tmp_path: Path) -> None:
    work = begun(tmp_path / "a.png")
    (found,) = unfinished.find()
    with pytest.raises(OutputError, match="being made by a process"):
        unfinished.remove(found)
    assert work.folder.is_dir()
    work.close()
    unfinished.remove(found)
    assert not work.folder.exists()
    assert list(tmp_path.glob(".*")) == []


def test_a_register_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(work_register, "place", lambda: tmp_path / "file" / "work")
    begun(tmp_path / "a.png").close()
    assert unfinished.find() == []
    assert len(unfinished.find([tmp_path])) == 1
