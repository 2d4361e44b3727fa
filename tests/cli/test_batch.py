"""Many photos at once, pipes, JSON and quiet: what scripts need."""

from __future__ import annotations

import io
import json
from pathlib import Path

import PIL.Image
import pytest

from phosphene.media.image import read_image
from tests import forked
from tests.cli.program import run

QUICK = ("--target", "block1", "--octaves", "1", "--steps", "1")


@pytest.fixture(autouse=True)
def folder(photos: Path) -> Path:
    return photos


def test_a_bad_photo_does_not_stop_the_rest_and_done_ones_are_skipped(folder: Path) -> None:
    result = run("dream", "in", "-o", "out", *QUICK)
    assert result.exit_code == 1
    assert sorted(each.name for each in (folder / "out").iterdir()) == [f"p{index}-dream.png" for index in range(3)]
    assert result.stderr.splitlines()[-1] == "3 done; 1 failed: in/bad.jpg"
    assert sum(line.startswith("Error: in/bad.jpg") for line in result.stderr.splitlines()) == 1
    assert read_image(folder / "out" / "p1-dream.png").size == (32, 41)
    before = (folder / "out" / "p0-dream.png").stat().st_mtime_ns
    (folder / "in" / "bad.jpg").unlink()
    (folder / "out" / "p2-dream.png").unlink()
    again = run("dream", "in/*.jpg", "-o", "out", *QUICK)
    assert (again.exit_code, again.stderr.splitlines()[-1]) == (0, "1 done; 2 there already")
    assert (folder / "out" / "p0-dream.png").stat().st_mtime_ns == before


def test_photos_of_one_name_do_not_share_a_result(folder: Path) -> None:
    for place in ("a/x.jpg", "b/x.jpg", "a/x.png"):
        (folder / place).parent.mkdir(exist_ok=True)
        PIL.Image.new("RGB", (32, 32), (90, 120, 60)).save(folder / place)
    assert run("dream", "a", "b", "-o", "out", *QUICK).exit_code == 0
    assert len(list((folder / "out").iterdir())) == 3


def test_an_output_file_for_several_photos_is_refused(folder: Path) -> None:
    result = run("dream", "in/p0.jpg", "in/p1.jpg", "-o", "one.png", *QUICK)
    assert (result.exit_code, "must be a folder" in result.stderr) == (1, True)


def test_a_picture_goes_through_a_pipe(folder: Path) -> None:
    data = (folder / "in" / "p0.jpg").read_bytes()
    result = forked.run(forked.MAIN, "dream", "-", "-o", "-", "--format", "webp", *QUICK, data=data)
    assert result.returncode == 0, result.stderr
    assert PIL.Image.open(io.BytesIO(result.stdout)).format == "WEBP"
    (folder / "piped.webp").write_bytes(result.stdout)
    assert json.loads(run("show", "piped.webp").stdout)["source"].get("path") is None
    assert sorted(each.name for each in folder.iterdir()) == ["in", "piped.webp"]


def test_results_and_errors_as_json(folder: Path) -> None:
    record = json.loads(run("dream", "in/p0.jpg", "-o", "x.png", "--json", *QUICK).stdout)
    assert (record["path"], record["seed"], record["recipe"]["kind"]) == ("x.png", 0, "dream")
    assert record["seconds"] >= 0
    for args in (["dream", "in/bad.jpg", "--json"], ["dream", "in/p0.jpg", "--json", "--octaves", "many"]):
        result = run(*args)
        assert result.exit_code in (1, 2)
        assert json.loads(result.stdout)["error"]
        assert result.stderr == ""


def test_quiet_says_nothing_but_the_path(folder: Path) -> None:
    result = run("dream", "in/p0.jpg", "-q", "-o", "x.png", *QUICK)
    assert (result.stdout, result.stderr) == ("x.png\n", "")


def test_several_photos_are_seen(folder: Path) -> None:
    result = run("see", "in", "--json", "--count", "1")
    found = {Path(each["photo"]).name: each for each in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert "error" in found["bad.jpg"]
    assert all(found[f"p{index}.jpg"]["labels"] for index in range(3))


@pytest.mark.parametrize(
    "args",
    [
        ["imagine", "mixed4c:3", "--net", "pocket", "--count", "2"],
        ["zoom", "--noise", "40x32", "--net", "pocket", "--seconds", "0.1"],
    ],
    ids=lambda args: args[0],
)
def test_what_cannot_go_to_stdout_is_refused_before_the_work(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.render.job import Job

    monkeypatch.setattr(Job, "writing", lambda *_, **__: pytest.fail("the work began"))
    result = run(*args, "-o", "-")
    assert result.exit_code == 1
    assert result.stderr == "Error: only a single picture can be written to stdout: give -o a name\n"


def test_output_that_is_no_terminal_has_plain_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.cli import follow

    assert follow.LOG_EVERY == 10
    monkeypatch.setattr(follow, "LOG_EVERY", 0.0)
    result = run("dream", "in/p0.jpg", "--target", "block1", "--octaves", "1", "--steps", "3", "-o", "x.png")
    assert [line.split(",")[0] for line in result.stderr.splitlines()] == ["octave 1 of 1: 33%", "octave 1 of 1: 67%"]
    assert run("dream", "in/p0.jpg", *QUICK, "-q", "-o", "y.png").stderr == ""


def test_every_command_that_makes_something_can_be_quiet_verbose_and_read_by_programs() -> None:
    from phosphene.kinds import KINDS

    for name in {kind.removesuffix("-sound") for kind in KINDS} | {"again"}:
        text = run(name, "--help").stdout
        for option in ("--quiet", "--verbose", "--json", "--force"):
            assert option in text, (name, option)
