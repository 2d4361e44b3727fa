"""`phosphene work` tells of what was stopped, and removes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import phosphene as ph
from phosphene.recipe import Noise
from tests.cli.program import run


def stopped(path: Path, **settings: object) -> None:
    """Begin a dream and leave it."""
    job = ph.job("dream", Noise(noise=(40, 48)), **{"target": "block1", "octaves": 2, "steps": 3, **settings})
    events = job.writing(path)
    for _ in zip(range(2), events):  # noqa: B905
        pass
    events.close()  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _own_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.media import work_register

    monkeypatch.setattr(work_register, "place", lambda: tmp_path / "register")


def test_work_is_listed_and_removed(folder: Path) -> None:
    assert "no unfinished work" in run("work").stderr
    stopped(folder / "dream.png")
    shown = run("work", "list")
    assert shown.exit_code == 0
    for word in ("dream.png", "dream block1", "%", "can be continued"):
        assert word in shown.stdout
    (row,) = json.loads(run("work", "--json").stdout)
    assert row["output"] == str(folder / "dream.png")
    assert run("work", "clean").stdout == ""  # it is not stale
    assert "dream.png.work" in run("work", "clean", "--all").stdout
    assert list(folder.iterdir()) == []


def test_work_of_an_output_is_removed_by_name(folder: Path) -> None:
    stopped(folder / "one.png")
    stopped(folder / "two.png", seed=1)
    assert run("work", "clean", "one.png").exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["two.png.work"]
    wrong = run("work", "clean", "one.png")
    assert wrong.exit_code == 1
    assert "there is no unfinished work for one.png" in wrong.stderr
    assert "two.png" in wrong.stderr


def test_running_work_stays(folder: Path) -> None:
    job = ph.job("dream", Noise(noise=(40, 48)), target="block1", octaves=2, steps=3)
    from phosphene.render import job as jobs

    events = job.writing(folder / "dream.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "CHECKPOINT_SECONDS", 0.0)
        next(events)
        next(events)
    refused = run("work", "clean", "dream.png")
    assert refused.exit_code == 1
    assert "being made" in refused.stderr
    assert "stays" in run("work", "clean", "--all").stderr
    for _ in events:
        pass
    assert [path.name for path in folder.iterdir()] == ["dream.png"]
