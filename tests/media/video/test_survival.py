"""Nothing that was rendered is lost: a film goes on after any end, and comes out as if there had been none."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from phosphene.errors import OutputError
from phosphene.media.video import film as films
from phosphene.media.video.clip import open_clip
from phosphene.media.video.film import Film, FilmSettings
from phosphene.media.video.identify import read_film_recipe
from tests import forked
from tests.media.video.clips import expected, number
from tests.media.video.film_worker import render

KILLED, DONE, REFUSED = -9, 0, 3
Order = Callable[..., int]


@pytest.fixture
def ram(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: there, a hundred renders wait for no disk."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    import tempfile

    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def order() -> Iterator[Order]:
    """Have a film rendered in a process of its own; gives its exit status."""
    orders, ours = os.pipe()
    worker = forked.Program("from tests.media.video.film_worker import main; main()", stdin=orders)
    os.close(orders)
    with open(ours, "w") as stdin:

        def give(path: Path, **settings: Any) -> int:
            stdin.write(json.dumps({"path": str(path), "count": 16, **settings}) + "\n")
            stdin.flush()
            return int(worker.stdout.readline())

        yield give
    worker.communicate()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def empty(folder: Path) -> None:
    import shutil

    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(("name", "stride"), [("a.mp4", 6), ("a.webm", 16), ("a.mkv", 16), ("a.gif", 16), ("a", 16)])
def test_killed_at_any_file_operation_it_ends_the_same(order: Order, ram: Path, name: str, stride: int) -> None:
    assert order(ram / name) == DONE
    whole = contents(ram)
    kills = 0
    for kill_at in range(1 + len(name) % stride, 1000, stride):
        empty(ram)
        if order(ram / name, kill_at=kill_at) == DONE:
            break
        kills += 1
        assert order(ram / name) == DONE, kill_at
        assert contents(ram) == whole, kill_at
    assert kills > 70 // stride


def test_killed_again_and_again_at_random_moments_it_ends_the_same(order: Order, ram: Path) -> None:
    assert order(ram / "a.mp4", count=60) == DONE
    whole = contents(ram)
    empty(ram)
    rng = random.Random(5)
    for _ in range(12):
        status = order(ram / "a.mp4", count=60, kill_after=rng.uniform(0.01, 0.1))
        if status == DONE:
            break
        assert status == KILLED
    assert order(ram / "a.mp4", count=60) == DONE
    assert contents(ram) == whole


@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_how_often_a_loop_says_its_state_does_not_show(tmp_path: Path, step: int) -> None:
    render(tmp_path / "a.mp4", every=5)
    render(tmp_path / "b.mp4", every=step)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


SETTINGS = FilmSettings((48, 64), Fraction(6))  # parts of 12 frames


def begin(path: Path, frames: int = 30, **settings: Any) -> None:
    """Write some frames of a film, and stop."""
    with Film(path, SETTINGS, recipe="one", **settings) as film:
        for index in range(film.frames, frames):
            film.write(expected(index))
        film.checkpoint(f"after {frames}".encode())


def test_what_is_done_can_be_watched(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with Film(path, SETTINGS, recipe="one") as film:
        assert film.preview_path is None
        for index in range(29):
            film.write(expected(index))
            if film.due:
                film.checkpoint(b"")
            assert not path.exists()
            if index >= 12:
                assert film.preview_path is not None
        assert film.preview_path is not None
        seen = [number(frame.image) for frame in open_clip(film.preview_path).frames()]
        assert seen == list(range(24))
        assert read_film_recipe(film.preview_path) == "one"
        for part, begun in (("part-00000.mp4", 0), ("part-00001.mp4", 12)):
            frames = list(open_clip(tmp_path / "a.mp4.work" / part).frames())
            assert [number(frame.image) for frame in frames] == list(range(begun, begun + 12))
        film.finish()
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert [number(frame.image) for frame in open_clip(path).frames()] == list(range(29))


def test_it_goes_on_from_the_last_state(tmp_path: Path) -> None:
    begin(tmp_path / "a.mp4", 20)
    with Film(tmp_path / "a.mp4", SETTINGS, recipe="one") as film:
        assert (film.frames, film.state) == (20, b"after 20")
        film.write(expected(20))  # not counted by any state
    with Film(tmp_path / "a.mp4", SETTINGS, recipe="one") as film:
        assert (film.frames, film.state) == (20, b"after 20")
        for index in range(20, 26):
            film.write(expected(index))
        film.finish()
    assert [number(frame.image) for frame in open_clip(tmp_path / "a.mp4").frames()] == list(range(26))


def test_another_render_does_not_go_on_from_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    begin(path)
    for recipe, settings, differs in (
        ("two", SETTINGS, "recipe"),
        ("one", FilmSettings((48, 64), Fraction(6), crf=20), "crf"),
        ("one", FilmSettings((48, 66), Fraction(6)), "size"),
    ):
        with pytest.raises(OutputError, match=rf"has other unfinished work \({differs} differ") as caught:
            Film(path, settings, recipe=recipe)
        assert "\n" not in str(caught.value)
    with Film(path, SETTINGS, recipe="two", identity="one") as film:  # the identity counts, where there is one
        assert film.frames == 30
    with Film(path, SETTINGS, recipe="two", fresh=True) as film:
        assert (film.frames, film.state) == (0, None)
        film.write(expected(0))
    assert os.listdir(tmp_path) == []  # nothing that could be gone on from
    with Film(path, SETTINGS, recipe="three") as film:
        film.write(expected(0))
        film.finish()


def test_two_do_not_render_one_film(tmp_path: Path) -> None:
    with Film(tmp_path / "a.mp4", SETTINGS) as film:
        film.write(expected(0))
        film.checkpoint(b"")
        with pytest.raises(OutputError, match="is being made by another process"):
            Film(tmp_path / "a.mp4", SETTINGS)
        film.finish()


def test_what_is_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.mp4.work").mkdir()
    (tmp_path / "a.mp4.work" / "diary.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(OutputError, match="is not a work folder of this phosphene"):
            Film(tmp_path / "a.mp4", SETTINGS, fresh=fresh)
    assert contents(tmp_path) == {"a.mp4.work/diary.txt": b"mine"}


def test_a_work_folder_that_lost_a_frame_is_not_gone_on_from(tmp_path: Path) -> None:
    begin(tmp_path / "a.mp4", 20)
    (tmp_path / "a.mp4.work" / "frame-00000015").unlink()
    with pytest.raises(OutputError, match="has lost frame 15"):
        Film(tmp_path / "a.mp4", SETTINGS, recipe="one")
    begin(tmp_path / "a.mp4", 20, fresh=True)


def test_an_old_film_stays_until_the_new_one_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    begin(path, 1)
    assert path.read_bytes() == b"old"
    with Film(path, SETTINGS, recipe="one") as film:
        assert film.frames == 1
        film.finish()
    assert open_clip(path).frame_count == 1


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_links_planted_in_unfinished_work_are_not_followed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    begin(path, 13)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (f".making{suffix}", f".making{suffix}.bare"):
        (tmp_path / f"a{suffix}.work" / name).symlink_to(victim)
    with Film(path, SETTINGS, recipe="one") as film:
        film.write(expected(film.frames))
        film.finish()
    assert victim.read_text() == "precious"
    assert open_clip(path).size == SETTINGS.size


def test_through_a_link_the_work_is_beside_the_film(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.mp4").symlink_to(tmp_path / "elsewhere" / "b.mp4")
    begin(tmp_path / "a.mp4", 13)
    assert os.listdir(tmp_path / "elsewhere") == ["b.mp4.work"]
    with Film(tmp_path / "a.mp4", SETTINGS, recipe="one") as film:
        film.finish()
    assert (tmp_path / "a.mp4").is_symlink()
    assert os.listdir(tmp_path / "elsewhere") == ["b.mp4"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1.2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.webm", "a.gif", "a"])
def test_a_full_disk_is_an_error_after_which_it_goes_on(
    small_disk: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 40
    render(tmp_path / name, count)
    ballast = small_disk / "ballast"
    room = os.statvfs(small_disk)
    monkeypatch.setattr(Film, "_check_room", lambda self, part: None)
    errors = 0
    for free in (*range(30, 500, 25), 1100):  # thousands of bytes; the disk is full at many moments
        available = room.f_bfree * room.f_bsize - sum(
            path.stat().st_blocks * 512 for path in small_disk.rglob("*") if path.is_file() and path != ballast
        )
        ballast.unlink(missing_ok=True)
        ballast.write_bytes(bytes(max(0, available - free * 1000)))
        try:
            render(small_disk / name, count)
        except OutputError as problem:
            errors += 1
            assert "the disk is full" in str(problem)  # noqa: PT017
            assert "\n" not in str(problem)  # noqa: PT017
            assert not (small_disk / name).is_file()
            continue
        break
    assert errors >= 2
    ballast.unlink()
    made, wanted = contents(small_disk), contents(tmp_path)
    assert made == {path: data for path, data in wanted.items() if not path.startswith("disk/")}


def test_a_limit_on_files_is_told_too(tmp_path: Path) -> None:
    """What `ulimit -f` and quotas do; a disk need not be full."""
    code = (
        "import resource, signal, sys\n"
        "from tests.media.video.film_worker import render, OutputError, Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))\n"
        "try: render(Path(sys.argv[1])); sys.exit(1)\n"
        "except OutputError as problem:\n"
        "    assert 'cannot continue' in str(problem) and '\\n' not in str(problem), problem\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "render(Path(sys.argv[1]))\n"
    )
    result = forked.run(code, tmp_path / "a.mp4")
    assert result.returncode == 0, result.stderr
    render(tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_too_little_room_is_said_before_the_first_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1_000_000

    monkeypatch.setattr(films.shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(OutputError, match=r"needs at least 373 MB while it is made, but the disk has 1 MB left"):
        Film(tmp_path / "a.mp4", FilmSettings((1080, 1920), Fraction(30)))
    assert os.listdir(tmp_path) == []


def test_memory_is_flat(ram: Path) -> None:
    code = (
        "import sys, torch\n"
        "from fractions import Fraction\n"
        "from pathlib import Path\n"
        "from phosphene.media.video.clip import open_clip\n"
        "from phosphene.media.video.film import Film, FilmSettings\n"
        "def resident(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])\n"
        "def work(name, count):\n"
        "    with Film(Path(sys.argv[1]) / name, FilmSettings((48, 64), Fraction(30))) as film:\n"
        "        for index in range(count):\n"
        "            film.write(torch.full((1, 3, 48, 64), index % 50 / 50))\n"
        "            if film.due: film.checkpoint(b'')\n"
        "        film.finish()\n"
        "    assert sum(1 for _ in open_clip(Path(sys.argv[1]) / name).frames()) == count\n"
        "work('a.mp4', 100)\n"
        "before = resident()\n"
        "work('b.mp4', 400)\n"
        "assert resident() - before < 6_000, (before, resident())\n"
    )
    result = forked.run(code, ram)
    assert result.returncode == 0, result.stderr
