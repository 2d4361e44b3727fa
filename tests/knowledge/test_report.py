"""Reports of labels: a planted mark is found, and none is where none was planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import phosphene as ph
from phosphene.errors import PhospheneError
from phosphene.knowledge.report import Report
from phosphene.render.report import ReportWork
from tests.cli.program import run

SIDE, MARK = 48, 12
LEARN = {
    "epochs": 5,
    "width": 8,
    "batch": 16,
    "precision": "float32",
    "attack": 0,
    "side": SIDE,
    "rotate": 0,
    "tint": 0,
}
SMALL = {"steps": 2, "views": 1, "size": 32, "parts": 3, "most": 8, "precision": "float32"}


def photos(folder: Path, *, marked: bool) -> Path:
    """Two classes of soft noise: of one, each picture has a magenta mark somewhere, or else all of it is brighter."""
    rng = np.random.default_rng(0)
    for name in ("plain", "thing"):
        (folder / name).mkdir(parents=True)
        for index in range(48):
            coarse = rng.integers(60, 160, (6, 6, 3), dtype=np.uint8)
            pixels = np.asarray(PIL.Image.fromarray(coarse).resize((SIDE, SIDE))).copy()
            y, x = rng.integers(0, SIDE - MARK, 2)
            if name == "thing" and marked:
                pixels[y : y + MARK, x : x + MARK] = (255, 0, 255)
            elif name == "thing":
                pixels = (pixels // 2 + 110).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def reported(folder: Path, *, marked: bool) -> tuple[Path, Path]:
    """A network that has learnt the classes, and the report of the label `thing`."""
    seen = photos(folder / "photos", marked=marked)
    net = folder / "net.pt2"
    ph.job("learn", seen, **LEARN).save(net)  # type: ignore[arg-type]
    path = folder / "report"
    ph.job("report", target="thing", dataset=str(seen), net=str(net), **SMALL).save(path)  # type: ignore[arg-type]
    return net, path


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return reported(tmp_path_factory.mktemp("planted"), marked=True)


def told(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((path / "report.json").read_text())
    return found


def firing_parts(path: Path) -> list[str]:
    """The sentences of the verdict that say of a part that it fires the label."""
    lines: list[str] = told(path)["verdict"]  # type: ignore[assignment]
    return [line for line in lines if line.startswith("Part ") and "alone fires thing" in line]


def measured(net: Path, seen: Path) -> Report:
    job = ph.job("report", target="thing", dataset=str(seen), net=str(net), **SMALL)  # type: ignore[arg-type]
    work = job.work
    assert isinstance(work, ReportWork)
    *_, last = work.steps(None)
    return work.loop.report(last)


def test_planted_mark_is_what_fires_the_label(planted: tuple[Path, Path]) -> None:
    net, path = planted
    report = measured(net, path.parent / "photos")
    assert report.whole > 0.9
    firing = [each for each in report.parts if each.fires and each.area < 0.5]
    assert firing
    magenta = (report.pictures[:, 0] > 0.9) & (report.pictures[:, 1] < 0.1)
    for part in firing:
        inside = (part.maps[:, 0] * magenta).sum() / magenta.sum()
        outside = (part.maps[:, 0] * ~magenta).sum() / (~magenta).sum()
        assert inside > 2 * outside
    assert firing_parts(path)
    assert all(part["argues"][0][0] == "thing" for part in told(path)["parts"][:1])  # type: ignore[index]


def test_without_a_mark_no_part_is_named(tmp_path: Path) -> None:
    _, path = reported(tmp_path, marked=False)
    assert told(path)["first"] > 0.9  # type: ignore[operator]
    assert not firing_parts(path)


def test_stopped_report_goes_on_to_the_same_bytes(planted: tuple[Path, Path], tmp_path: Path) -> None:
    net, path = planted
    seen = str(path.parent / "photos")
    again = path.parent / "report-2"
    for stage in ("looking for the label", "imagining the label", "imagining its parts"):
        events = ph.job("report", target="thing", dataset=seen, net=str(net), **SMALL).writing(again)  # type: ignore[arg-type]
        next(event for event in events if event.stage.startswith(stage))
        events.close()  # type: ignore[attr-defined]
    ph.job("report", target="thing", dataset=seen, net=str(net), **SMALL).save(again)  # type: ignore[arg-type]
    files = [each.relative_to(path) for each in path.rglob("*")]
    assert all((path / each).read_bytes() == (again / each).read_bytes() for each in files)


def test_without_photos_it_says_so(planted: tuple[Path, Path], tmp_path: Path) -> None:
    net, _ = planted
    options = ["--net", str(net), "--steps", "1", "--size", "32", "--parts", "2", "--views", "1", "-q"]
    result = run("report", "thing", *options, "-o", str(tmp_path / "r"))
    assert result.exit_code == 0, result.output
    assert "No photos were given" in told(tmp_path / "r")["notes"][0]  # type: ignore[index]
    assert told(tmp_path / "r")["pictures"] == 64


def test_unknown_label_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PhospheneError, match="goldfsh"):
        ph.job("report", target="goldfsh", net="pocket")
