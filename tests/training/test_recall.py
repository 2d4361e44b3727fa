"""The film of learning: the same canvases from the first step to the last, whatever happens on the way."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import phosphene as ph
from phosphene.errors import WeightsError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.nets import learnt
from phosphene.recipe import RecallSettings
from phosphene.training.recall import recall_steps
from tests.cli.program import run
from tests.training.datasets import QUICK, stripes

SMALL = {"size": 24, "views": 2, "precision": "float32"}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a short training leaves beside its network."""
    folder = tmp_path_factory.mktemp("learning")
    job = ph.job("learn", stripes(folder / "data"), **{**QUICK, "epochs": 6, "frames": 8})  # type: ignore[arg-type]
    job.save(folder / "net.pt2")
    return folder / "net.run"


def frames(folder: Path, **changes: object) -> list[torch.Tensor]:
    """The frames of a film without captions."""
    facts, files = learnt.read_run(folder)
    settings = RecallSettings(**{**SMALL, "captions": False, **changes})  # type: ignore[arg-type]
    arithmetic = Arithmetic(settings.seed)
    steps = recall_steps(
        lambda index: learnt.read_frame(facts, files[index]),
        len(files),
        settings,
        size=(24, 24),
        dtype=torch.float32,
        arithmetic=arithmetic,
    )
    return [step.image for step in steps]


def test_every_frame_follows_the_one_before(run_folder: Path) -> None:
    aligned = torch.stack(frames(run_folder))
    facts, files = learnt.read_run(run_folder)
    fresh = []
    for index, file in enumerate(files):  # as many steps in all, each time from noise of its own
        steps = recall_steps(
            lambda _, file=file: learnt.read_frame(facts, file),
            4,
            RecallSettings(**SMALL, captions=False),  # type: ignore[arg-type]
            size=(24, 24),
            dtype=torch.float32,
            arithmetic=Arithmetic(index),
        )
        fresh.append([step.image for step in steps][-1])
    mean = [(each[1:] - each[:-1]).abs().mean() for each in (aligned[3:], torch.stack(fresh)[3:])]
    assert mean[0] < mean[1] / 4


def test_a_film_that_was_stopped_is_continued_to_the_same_bytes(run_folder: Path, tmp_path: Path) -> None:
    from phosphene.render import job

    ph.recall(run_folder, **SMALL).save(tmp_path / "whole.mkv")  # type: ignore[arg-type]
    checkpoints = job.CHECKPOINT_SECONDS
    job.CHECKPOINT_SECONDS = 0.0
    try:
        events = ph.recall(run_folder, **SMALL).writing(tmp_path / "broken.mkv")  # type: ignore[arg-type]
        for _ in zip(range(3), events):  # noqa: B905
            pass
        events.close()  # type: ignore[attr-defined]
        ph.recall(run_folder, **SMALL).save(tmp_path / "broken.mkv")  # type: ignore[arg-type]
    finally:
        job.CHECKPOINT_SECONDS = checkpoints
    assert (tmp_path / "whole.mkv").read_bytes() == (tmp_path / "broken.mkv").read_bytes()


def test_learning_is_filmed_logged_and_plotted_in_one_go(tmp_path: Path) -> None:
    data, out = stripes(tmp_path / "data"), tmp_path / "net.pt2"
    options = ["--epochs", 2, "--width", 8, "--batch", 8, "--frames", 4, "--film", tmp_path / "film.gif"]
    files = ["--log", tmp_path / "log.csv", "--plot", tmp_path / "plot.png"]
    (tmp_path / "log.csv").write_text("step,loss\n0,3\n")  # of the same training, before it was killed
    done = run("learn", data, "-o", out, *options, *files)
    assert done.exit_code == 0, done.output
    assert out.exists()
    with PIL.Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames >= 2  # type: ignore[attr-defined]
    with (tmp_path / "log.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert list(reader.fieldnames or ()).count("step") == 1
    assert [int(row["step"]) for row in rows] == [0, 1, 2, 3, 4]
    assert {"loss", "accuracy", "held-out accuracy"} <= rows[-1].keys()
    with PIL.Image.open(tmp_path / "plot.png") as picture:
        plot = np.asarray(picture)
    assert plot.shape[2] == 3
    assert (plot < 128).any()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is not a run"):
        ph.recall(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(WeightsError, match="no frames yet"):
        ph.recall(tmp_path)
    (tmp_path / "frame-00000.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="is not a frame"):
        ph.recall(tmp_path)
