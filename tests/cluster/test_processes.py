"""Tiles on several processes: the bytes of one, whoever dies; and no process stays behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import phosphene as ph
from phosphene import nets
from phosphene.cluster import crew, pool
from phosphene.cluster.processes import Processes
from phosphene.cluster.worker import Setup, facts
from phosphene.errors import SettingError, WorkerError
from phosphene.gradients.engine import Engine
from phosphene.loops.parts import finished
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe import Noise
from tests.cluster.in_process import Troubled, Where

DREAM: dict[str, Any] = {"target": "conv2", "net": "pocket", "octaves": 1, "steps": 2, "tile": 32}


@pytest.fixture(scope="module")
def engine() -> Engine:
    net = nets.load("pocket")
    return Engine(net, resolve(parse("conv2"), net.card), precision="float32", tile=32)


def test_with_workers_of_which_some_die_it_is_the_print_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phosphene.loops import on_disk, prints

    monkeypatch.setattr(prints, "IN_MEMORY", 3000)
    monkeypatch.setattr(on_disk, "STRIP", 1500)
    monkeypatch.setattr(crew, "_cores", lambda: 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ph.job("dream", Noise(noise=(40, 48)), print="80x64px", **DREAM).save(tmp_path / "one.png")
        killed = 0
        job = ph.job("dream", Noise(noise=(40, 48)), print="80x64px", workers=2, **DREAM)
        for event in job.writing(tmp_path / "two.png"):
            if killed < 2 and event.progress > 0.3 + 0.3 * killed:
                children = multiprocessing.active_children()
                assert len(children) == 2
                os.kill(int(children[killed].pid or 0), signal.SIGKILL)
                killed += 1
    finally:
        torch.set_num_threads(threads)
    assert killed == 2
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert not multiprocessing.active_children()


def test_a_tile_that_ends_or_stops_its_worker_is_done_again_and_one_that_always_fails_is_one_error(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PATIENCE", 2.0)
    monkeypatch.setattr(pool, "LONGEST", 0.0)
    tiling = engine.tiling((48, 96))
    tile = tiling.tiles[0]
    crop = torch.rand(1, 3, 48, tile.columns.crop_end - tile.columns.crop_start)
    task = tiling.task(tile, crop, gradient=True, totals=tiling.sums(crop, tile))
    wanted = task.run(engine.net).gradient
    assert wanted is not None
    troubles = ["", "killed", "poisoned", "", "stopped"]
    tasks = [Troubled(**vars(task), trouble=each, note=tmp_path / f"{index}") for index, each in enumerate(troubles)]
    found: dict[int, Any] = {}
    workers = Processes(Setup.of([engine.net], engine.dtype, 1), 2)

    def work() -> None:
        for number, result in finished(tasks, workers):
            found[number] = result.gradient

    try:
        with pytest.raises(WorkerError, match=r"the tile at 0,0 failed 3 times .*poisoned.* the same command "):
            work()
    finally:
        workers.close()
    assert set(found) == {0, 1, 3, 4}
    for gradient in found.values():
        torch.testing.assert_close(gradient, wanted, atol=1e-6, rtol=1e-4)
    assert not multiprocessing.active_children()


def test_later_workers_import_nothing_again_but_have_the_environment_of_now(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("one.toml", "two.toml"):
        monkeypatch.setenv("PHOSPHENE_CONFIG", name)
        workers = Processes(Setup.of([engine.net], engine.dtype, 1), 1)
        found.append(workers.begin(Where())())
        workers.close()
    (began_one, *one), (began_two, *two) = found
    assert (one[0], two[0]) == ("one.toml", "two.toml")
    assert (began_one == began_two != os.getpid()) == (sys.platform == "linux")
    assert one[1] == two[1]


def test_a_worker_that_differs_is_refused_by_name(engine: Engine) -> None:
    own = facts([engine.net])
    own.check(own, "worker 1")
    with pytest.raises(WorkerError, match="worker 2 cannot take part: its weights must be 0000, but is"):
        own.check(replace(own, weights="0000"), "worker 2")
    with pytest.raises(WorkerError, match=r"the worker on 10\.0\.0\.7 cannot take part: its phosphene must be 9"):
        own.check(replace(own, phosphene="9"), "the worker on 10.0.0.7")


@pytest.mark.parametrize("text", ["0", "2000", "many", "ray://", "-1"])
def test_other_workers_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"workers must be auto, 1 to \d+ .*, ray or ray://HOST:PORT, but is"):
        crew.read(text)


def test_small_work_takes_no_workers() -> None:
    with pytest.raises(SettingError, match="workers cannot share this: a picture in memory is done by one process"):
        ph.job("dream", Noise(noise=(40, 48)), workers=1, **DREAM)
