"""Files that someone sent, and work that does not fit: one line, at once, and nothing else happens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phosphene.cli.root import phosphene
from phosphene.media import atomic


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(phosphene, list(map(str, args)))


@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.gif", "pipe.png", "pipe.json"])
@pytest.mark.parametrize("command", ["show", "again"])
def test_pipes_are_not_waited_for(name: str, command: str) -> None:
    os.mkfifo(name)
    result = run(command, name)
    assert (result.exit_code, "is a device or pipe" in result.stderr) == (1, True)


@pytest.mark.parametrize("clip", ["pipe", "/dev/zero"])
def test_a_clip_that_never_ends_is_not_read(clip: str, folder: Path) -> None:
    os.mkfifo("pipe")
    result = run("video", clip, "-o", "x.mp4")
    assert (result.exit_code, "is a device or pipe" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "args",
    [
        ["imagine", "banana", "--count", "64", "--size", "16384"],
        ["sheet", "mixed4c:0..255", "--size", "4000"],
    ],
    ids=" ".join,
)
def test_what_does_not_fit_into_memory_is_refused_at_once(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 1
    assert "of memory, but" in result.stderr
    assert "choose a longest side of at most" in result.stderr


def test_control_characters_do_not_reach_the_terminal() -> None:
    result = run("dream", "\x1b]0;owned\x07.png")
    assert "\x1b" not in result.stderr
    assert "\\x1b]0;owned\\x07.png" in result.stderr


def test_planted_links_are_not_followed(folder: Path) -> None:
    victim = folder / "victim"
    victim.write_text("precious")
    for name in (".out.png.trial", ".out.png.part", "out.png.work"):
        (folder / name).symlink_to(victim)
    atomic.check(folder / "out.png")
    with atomic.replacing(folder / "out.png") as file:
        file.write(b"new")
    result = run("imagine", "conv2:3", "--size", "32", "--steps", "1", "-o", "out.png", "--force")
    assert victim.read_text() == "precious"
    assert result.exit_code == 0 or "link" in result.stderr
