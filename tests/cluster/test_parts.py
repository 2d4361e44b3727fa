"""Parts of sheets and pages on workers: the bytes of one process, whichever part comes first or fails."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import phosphene as ph
from phosphene import nets
from phosphene.cluster.crew import Workers
from phosphene.cluster.pool import Pool
from phosphene.cluster.worker import TRIES, Reply, Setup, Worker
from phosphene.errors import WorkerError
from phosphene.loops.parts import Task
from tests.tinynet import tiny_net


class Backwards(Pool):
    """Three workers in this process, of which the last one asked is finished first; parts of `poisoned` names fail."""

    count = 3
    poisoned: tuple[str, ...] = ()

    def __init__(self, setup: Setup) -> None:
        self.worker = Worker(setup)
        self.waiting: list[bytes] = []
        self.tried: list[str] = []

    def submit(self, task: Task) -> bytes:
        self.tried.append(task.name)
        self.waiting.append(pickle.dumps(task))
        return self.waiting[-1]

    def is_finished(self, handle: bytes) -> bool:
        return handle == self.waiting[-1]

    def outcome(self, handle: bytes) -> Reply:
        self.waiting.remove(handle)
        task = pickle.loads(handle)
        if any(name in task.name for name in self.poisoned):
            return Reply(problem="poisoned")
        return pickle.loads(pickle.dumps(self.worker.compute(task)))

    def close(self) -> None:
        assert not self.waiting


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> list[Backwards]:
    """Let workers be in this process, and every network the tiny one; return the workers that have begun."""
    begun: list[Backwards] = []

    def pool(_: Workers, setup: Setup) -> Backwards:
        begun.append(Backwards(setup))
        return begun[-1]

    monkeypatch.setattr(Workers, "_pool", pool)
    monkeypatch.setattr(nets, "load", lambda *_, **__: tiny_net())
    monkeypatch.setattr("phosphene.loops.sheet.BATCH", 2)
    return begun


SHEET: dict[str, Any] = {
    "targets": ("low:0..2", "high:1", "low:5"),
    "net": "pocket",
    "size": 16,
    "steps": 3,
    "sketches": 1,
    "views": 1,
}


def saved(path: Path, workers: int | None = None, **settings: Any) -> bytes:
    ph.job("sheet", workers=workers, **{**SHEET, **settings}).save(path, on_event=lambda _: None)
    return path.read_bytes()


def test_a_sheet_of_workers_is_that_of_one_process(tmp_path: Path, backwards: list[Backwards]) -> None:
    one = saved(tmp_path / "one.png")
    assert not backwards
    assert saved(tmp_path / "two.png", 1) == one
    assert len(backwards[0].tried) == 3


def test_a_batch_that_always_fails_is_one_error_the_others_are_kept_and_one_process_continues(
    tmp_path: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = saved(tmp_path / "one.png")
    monkeypatch.setattr(Backwards, "poisoned", ("picture 1",))
    with pytest.raises(WorkerError, match=r"the batch of picture 1 failed 3 times \(poisoned\); what is done is kept"):
        saved(tmp_path / "two.png", 1)
    assert len(backwards[0].tried) == 2 + TRIES
    assert (tmp_path / "two.png.work").is_dir()
    stages = []
    ph.job("sheet", **SHEET).save(tmp_path / "two.png", on_event=lambda event: stages.append(event.stage))
    assert {stage.split(",")[0] for stage in stages if stage.startswith("batch")} == {"batch 1 of 3"}
    assert (tmp_path / "two.png").read_bytes() == one
    assert not (tmp_path / "two.png.work").exists()
