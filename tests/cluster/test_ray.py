"""Tiles on a Ray cluster of two nodes of one core: whatever ends, comes late or comes twice, the bytes are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import psutil
import pytest
import torch

import phosphene as ph
from phosphene import nets
from phosphene.cluster.worker import Setup
from phosphene.errors import WorkerError
from phosphene.gradients.engine import Engine
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe import Noise
from tests.cluster.in_process import Troubled

if "PHOSPHENE_TEST_RAY" in os.environ:
    pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "PHOSPHENE_TEST_RAY" not in os.environ, reason="takes minutes: set PHOSPHENE_TEST_RAY=1 to test Ray clusters"
    ),
]

SETTINGS: dict[str, Any] = {
    "print": "80x64px",
    "target": "conv2",
    "net": "pocket",
    "octaves": 1,
    "steps": 2,
    "tile": 32,
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do small prints as large ones are done, in one thread."""
    from phosphene.loops import on_disk, prints

    monkeypatch.setattr(prints, "IN_MEMORY", 3000)
    monkeypatch.setattr(on_disk, "STRIP", 1500)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without cores and two nodes of one core, of which no process stays behind."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each for each in sys.path if each))
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    try:
        made.workers = [made.add_node(num_cpus=1) for _ in range(2)]
        made.wait_for_nodes()
        yield made
    finally:
        began = psutil.Process().children(recursive=True)
        made.shutdown()
        _, left = psutil.wait_procs(began, timeout=30)
        left = [each for each in left if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
        for process in left:
            process.kill()
    assert not left


def printed(path: Path, workers: str | None = None) -> Iterator[float]:
    """Make a print, yielding its progress."""
    job = ph.job("dream", Noise(noise=(40, 48)), workers=workers, **SETTINGS)
    for event in job.writing(path):
        yield event.progress


def actors() -> list[psutil.Process]:
    """Return the processes of the cluster's workers."""
    children = psutil.Process().children(recursive=True)
    return [each for each in children if each.is_running() and "ray::Actor" in " ".join(each.cmdline())]


def test_a_worker_and_a_node_end_during_a_print(cluster: Any, tmp_path: Path) -> None:
    list(printed(tmp_path / "one.png"))
    ended = []
    for progress in printed(tmp_path / "two.png", "ray"):
        if not ended and progress > 0.3:
            assert len(actors()) == 2
            ended.append(actors()[0].pid)
            os.kill(ended[0], signal.SIGKILL)
        elif len(ended) == 1 and progress > 0.6:
            cluster.remove_node(cluster.workers[1], allow_graceful=False)
            ended.append(0)
    assert len(ended) == 2
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


KILLED = """
import os, signal
from pathlib import Path
from phosphene.loops import on_disk, prints
from tests.cluster.test_ray import printed

prints.IN_MEMORY, on_disk.STRIP = 3000, 1500
for progress in printed(Path("print.png"), "ray"):
    if progress > 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("cluster")
def test_the_asking_process_is_killed_and_the_same_command_continues(tmp_path: Path) -> None:
    list(printed(tmp_path / "one.png"))
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "print.png.work").is_dir()
    progress = list(printed(tmp_path / "print.png", "ray"))
    assert progress[1] > 0.3  # the first tells what is about to be done
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "print.png").read_bytes()


@pytest.mark.usefixtures("cluster")
def test_tiles_that_end_their_worker_come_late_or_twice_or_never(tmp_path: Path) -> None:
    from phosphene.cluster.ray_actors import RayActors

    net = nets.load("pocket")
    engine = Engine(net, resolve(parse("conv2"), net.card), precision="float32", tile=32)
    tiling = engine.tiling((48, 96))
    tile = tiling.tiles[0]
    crop = torch.rand(1, 3, 48, tile.columns.crop_end - tile.columns.crop_start)
    task = tiling.task(tile, crop, gradient=True, totals=tiling.sums(crop, tile))
    wanted = task.run(engine.net).gradient
    assert wanted is not None
    workers = RayActors(Setup.of([engine.net], engine.dtype, 1), "auto")
    try:
        troubles = ["late", "", "killed", "", "poisoned", ""]
        asked = [
            workers.begin(Troubled(**vars(task), trouble=trouble, note=tmp_path / f"{index}"))
            for index, trouble in enumerate(troubles)
        ]
        for trouble, result in zip(troubles, asked, strict=True):
            if trouble == "poisoned":
                with pytest.raises(WorkerError, match=r"failed 3 times .*poisoned.* the same command continues"):
                    result()
                continue
            gradient = result().gradient
            assert gradient is not None
            assert torch.equal(gradient, wanted)
    finally:
        workers.close()


@pytest.mark.usefixtures("cluster")
def test_a_worker_ends_during_a_sheet_and_photos_are_done_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.cli.program import run

    monkeypatch.setattr("phosphene.loops.sheet.BATCH", 1)
    monkeypatch.chdir(tmp_path)
    sheet: dict[str, Any] = {"targets": ("conv2:0..5",), "net": "pocket", "size": 32, "steps": 4}
    ph.job("sheet", **sheet).save(tmp_path / "one.png", on_event=lambda _: None)
    for number, _ in enumerate(ph.job("sheet", workers="ray", **sheet).writing(tmp_path / "two.png")):
        if number == 1:
            os.kill(actors()[0].pid, signal.SIGKILL)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    (tmp_path / "in").mkdir()
    for index in range(3):
        PIL.Image.effect_noise((40 + index, 32), 60).convert("RGB").save(tmp_path / "in" / f"p{index}.jpg")
    quick = ("--net", "pocket", "--target", "conv2", "--octaves", "1", "--steps", "1")
    one, two = (
        run("dream", "in", "-o", name, *quick, *more) for name, more in (("1", ()), ("2", ("--workers", "ray")))
    )
    assert (one.exit_code, two.exit_code) == (0, 0)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()
