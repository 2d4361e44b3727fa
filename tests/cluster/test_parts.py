"""Parts of sheets and pages on workers: the bytes of one process, whichever part comes first or fails."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from skimage import data

import phosphene as ph
from phosphene.cli import batch
from phosphene.cluster.worker import TRIES
from phosphene.errors import UnknownNameError, WorkerError
from phosphene.media.video.film import Film, FilmSettings
from phosphene.recipe import Noise
from tests.cli.program import run
from tests.cluster.in_process import Backwards
from tests.tinynet import tiny_net


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, size in (("loops.sheet", 2), ("knowledge.icons", 2), ("knowledge.microscope", 4)):
        monkeypatch.setattr(f"phosphene.{module}.BATCH", size)


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


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


ICONS: dict[str, Any] = {"net": "pocket", "steps": 1, "size": 32, "precision": "float32"}


@pytest.mark.usefixtures("one_thread")
def test_a_microscope_on_workers_of_which_a_batch_fails_is_that_of_one_process(
    tmp_path: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    microscope = {"layers": "low,middle", **ICONS}
    ph.job("microscope", **microscope).save(tmp_path / "one", on_event=lambda _: None)
    monkeypatch.setattr(Backwards, "poisoned", ("low:4",))
    with pytest.raises(WorkerError, match=r"the batch of the icon of low:4 failed 3 times"):
        ph.job("microscope", workers=1, **microscope).save(tmp_path / "two", on_event=lambda _: None)
    assert len(backwards[0].tried) == 4 + TRIES
    monkeypatch.setattr(Backwards, "poisoned", ())
    ph.job("microscope", workers=1, **microscope).save(tmp_path / "two", on_event=lambda _: None)
    assert backwards[1].tried == ["the batch of the icon of low:4"]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.usefixtures("one_thread")
def test_an_atlas_on_workers_of_which_a_batch_fails_is_that_of_one_process(
    tmp_path: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.knowledge.atlas.STEPS", 20)
    (tmp_path / "photos").mkdir()
    for index in range(16):
        PIL.Image.effect_noise((24, 24), 10 * index + 1).convert("RGB").save(tmp_path / "photos" / f"{index}.png")
    atlas = {"source": tmp_path / "photos", "layer": "middle", "columns": 3, "least": 1, **ICONS}
    ph.job("atlas", **atlas).save(tmp_path / "one", on_event=lambda _: None)
    monkeypatch.setattr(Backwards, "poisoned", ("cell 0",))
    with pytest.raises(WorkerError, match=r"the batch of the icon of direction\(cell 0, middle\) failed 3 times"):
        ph.job("atlas", workers=1, **atlas).save(tmp_path / "two", on_event=lambda event: event.preview())
    stages = []
    ph.job("atlas", **atlas).save(tmp_path / "two", on_event=lambda event: stages.append(event.stage))
    assert {stage.split(" of ")[0] for stage in stages if stage.startswith("icons")} == {"icons 1 to 2"}
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


VIDEO: dict[str, Any] = {"net": "pocket", "target": "0s: low; 0.3s: high", "octaves": 1, "steps": 1, "first_steps": 2}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of three scenes, of 5, 3 and 4 frames."""
    photos = [torch.from_numpy(each).permute(2, 0, 1)[None] / 255 for each in (data.astronaut(), data.chelsea())]
    with Film(tmp_path / "clip.mkv", FilmSettings((36, 64), Fraction(25), codec="ffv1")) as film:
        for which, frames in ((0, 5), (1, 3), (0, 4)):
            for index in range(frames):
                film.write(photos[which][:, :, 40 + index : 184 + index, 60 : 60 + 256][:, :, ::4, ::4])
        film.finish()
    return tmp_path / "clip.mkv"


@pytest.mark.usefixtures("one_thread")
def test_scenes_of_a_clip_on_workers_are_those_of_one_process_also_after_a_stop(
    tmp_path: Path, clip: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.loops.scenes.AT_ONCE", 2)
    for path in ("one.mkv", "two.mkv"):
        workers = None if path == "one.mkv" else 1
        ph.job("video", clip, workers=workers, **VIDEO).save(tmp_path / path, on_event=lambda _: None)
    assert sorted(int(each.split()[-1]) for each in backwards[0].tried) == [1, 3, 5, 6, 8, 9, 11]
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "two.mkv").read_bytes()
    for workers, stop in ((1, 4), (None, 7), (1, 12)):
        for number, _ in enumerate(ph.job("video", clip, workers=workers, **VIDEO).writing(tmp_path / "three.mkv"), 1):
            if number == stop:
                break
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "three.mkv").read_bytes()


@pytest.mark.usefixtures("one_thread")
def test_a_worker_makes_a_film_each_of_several_clips(
    tmp_path: Path, clip: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.mkv", "b.mkv"):
        shutil.copy(clip, tmp_path / "in" / name)
    (tmp_path / "in" / "bad.mp4").write_bytes(b"not a film")
    monkeypatch.chdir(tmp_path)
    quick = [word for name, value in VIDEO.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    one = run("video", "in", "-o", "one", *quick)
    assert (one.exit_code, one.stdout.split()) == (1, ["one/a-dream.mp4", "one/b-dream.mp4"])
    assert one.stderr.splitlines()[-1] == "2 done; 1 failed: in/bad.mp4"
    two = run("video", "in/*.m*", "-o", "two", "--workers", "1", *quick)
    assert (two.stdout, two.stderr) == (one.stdout.replace("one", "two"), one.stderr)
    assert sorted(backwards[0].tried) == ["in/a.mkv", "in/b.mkv", "in/bad.mp4"]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert run("video", "in", "-o", "two", *quick).stderr.splitlines()[-1].startswith("0 done; 2 there already")
    (tmp_path / "none").mkdir()
    assert "the folder none has no videos" in run("video", "none", *quick).stderr


@pytest.mark.usefixtures("one_thread")
def test_tiles_of_a_zoom_on_workers_are_those_of_one_process_also_after_a_stop(
    tmp_path: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.loops.zoom.REHEARSAL", 2)
    zoom: dict[str, Any] = {"net": "pocket", "tile": 32, "seconds": 0.08, "octaves": 1, "steps": 1}
    zoom["target"] = f"0s: low; 0.05s: {tiny_net().card.labels[0][0]}"  # the second needs the sums of all tiles first

    def made(name: str, workers: int | None, stop: int = -1) -> bytes:
        job = ph.job("zoom", Noise(noise=(48, 64)), workers=workers, **zoom)
        for number, _ in enumerate(job.writing(tmp_path / name)):
            if number == stop:
                return b""
        return (tmp_path / name).read_bytes()

    one = made("one.mkv", None)
    assert made("two.mkv", 1) == one
    assert len(set(backwards[0].tried)) > 3
    assert not made("three.mkv", 1, stop=3)
    assert made("three.mkv", None) == one


def test_errors_keep_what_they_carry_on_their_way_back() -> None:
    error = pickle.loads(pickle.dumps(UnknownNameError("layer", "mixed4C", ["mixed4c"])))
    assert (type(error), str(error)) == (UnknownNameError, "no layer named 'mixed4C'; did you mean 'mixed4c'?")
    assert error.nearest == ["mixed4c"]


QUICK = ("--net", "pocket", "--target", "low", "--octaves", "1", "--steps", "1")


@pytest.mark.usefixtures("one_thread")
def test_photos_on_workers_are_those_of_one_process(photos: Path, backwards: list[Backwards]) -> None:
    one = run("dream", "in", "-o", "one", *QUICK)
    two = run("dream", "in", "-o", "two", "--workers", "1", *QUICK)
    assert (two.exit_code, two.stderr) == (1, one.stderr)
    assert two.stdout == one.stdout.replace("one", "two")
    assert sorted(backwards[0].tried) == ["in/bad.jpg", "in/p0.jpg", "in/p1.jpg", "in/p2.jpg"]
    for path in (photos / "one").iterdir():
        assert path.read_bytes() == (photos / "two" / path.name).read_bytes()
    assert len(list((photos / "two").iterdir())) == 3
    assert (
        run("dream", "in", "-o", "two", "--workers", "1", *QUICK)
        .stderr.splitlines()[-1]
        .startswith("0 done; 3 there already")
    )


def test_a_photo_that_always_fails_is_told_and_the_others_are_done(
    photos: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backwards, "poisoned", ("p1",))
    result = run("dream", "in", "-o", "out", "--workers", "1", "--json", *QUICK)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record.get("path", record.get("source")) for record in records] == [
        *("in/bad.jpg", "out/p0-dream.png", "in/p1.jpg", "out/p2-dream.png")
    ]
    assert records[2]["type"] == "WorkerError"
    assert records[2]["error"].startswith("in/p1.jpg failed 3 times (poisoned)")
    assert backwards[0].tried.count("in/p1.jpg") == TRIES


def test_a_batch_on_workers_has_no_preview(photos: Path, backwards: list[Backwards]) -> None:
    result = run("dream", "in", "-o", "out", "--workers", "1", "--preview", "now.png", *QUICK)
    assert (result.exit_code, backwards) == (2, [])
    assert "--preview is of one photo at a time" in result.stderr


def test_many_small_photos_have_workers_by_default(
    photos: Path, backwards: list[Backwards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    for index in range(3, 7):
        shutil.copy(photos / "in" / "p0.jpg", photos / "in" / f"p{index}.jpg")
    small = ("--size", "16")
    assert len(list((photos / "in").iterdir())) == 8
    run("dream", "in", "-o", "out", *small, *QUICK)
    assert len(backwards[0].tried) == 8
    for path in (photos / "out").iterdir():
        path.unlink()
    run("dream", "in", "-o", "out", "--preview", "now.png", *small, *QUICK)
    (photos / "in" / "p6.jpg").unlink()
    run("dream", "in", "-o", "out", *small, *QUICK)
    monkeypatch.setattr(batch, "SMALL", 8)
    shutil.copy(photos / "in" / "p0.jpg", photos / "in" / "p7.jpg")
    run("dream", "in", "-o", "out", *small, *QUICK)
    assert len(backwards) == 1


@pytest.mark.usefixtures("one_thread")
def test_photos_are_seen_on_workers_as_by_one_process(photos: Path, backwards: list[Backwards]) -> None:
    one, two = run("see", "in", "--json"), run("see", "in", "--json", "--workers", "1")
    assert (two.exit_code, two.stdout, two.stderr) == (1, one.stdout, one.stderr)
    assert len(backwards[0].tried) == 4
    refused = run("see", "in/p0.jpg", "--workers", "1")
    assert (refused.exit_code, "--workers do a photo each of several" in refused.stderr) == (2, True)


@pytest.mark.usefixtures("backwards")
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("zoom --noise 40x32 --seconds 0.1 --target low", "a frame of 40x32 is one tile of 256 pixels, and smaller"),
        ("zoom --noise 40x32 --seconds 0.1 --target low --tile 0", "without tiles, all of a frame is done by one"),
        ("morph low:1 low:2", "what a morph shows is imagined all together"),
        ("imagine low:1", "a picture in memory is done by one process, one above 24 megapixels by workers"),
        ("sheet low:1 low:2 --print 60x60px", "the print of a sheet is done by one process"),
    ],
    ids=lambda text: text.split()[0] + text.split()[-1],
)
def test_what_cannot_be_shared_says_why(command: str, why: str) -> None:
    result = run(*command.split(), "--net", "pocket", "--workers", "1")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"Error: workers cannot share this: {why}")
