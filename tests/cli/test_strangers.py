"""Files that someone sent, and work that does not fit: one line, at once, and nothing else happens."""

from __future__ import annotations

import json
import os
import re
import resource
import struct
import time
import zipfile
from pathlib import Path

import PIL.Image
import pytest
import torch
from click.testing import CliRunner, Result

from phosphene.cli import follow
from phosphene.cli.root import phosphene
from phosphene.media import atomic, memory
from phosphene.media.image import decode
from tests.media.video.clips import make_clip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(phosphene, list(map(str, args)))


@pytest.mark.parametrize(
    "name", ["pipe.mp4", "pipe.gif", "pipe.png", "pipe.json", "pipe.wav", "pipe.m4a", "pipe.pt2", "pipe"]
)
@pytest.mark.parametrize("command", ["show", "again", "hear"])
def test_pipes_are_not_waited_for(name: str, command: str) -> None:
    os.mkfifo(name)
    result = run(command, name)
    assert (result.exit_code, "is a device or pipe" in result.stderr) == (1, True)


def test_a_network_that_is_a_pipe_is_not_waited_for() -> None:
    os.mkfifo("pipe.pt2")
    result = run("dream", "--noise", "32x32", "--net", "pipe.pt2", "-o", "x.png")
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
        ["sheet", "block11/expand:0..255", "--size", "4000"],
    ],
    ids=" ".join,
)
def test_what_does_not_fit_into_memory_is_refused_at_once(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 1
    assert "of memory, but" in result.stderr
    assert "choose a longest side of at most" in result.stderr


@pytest.mark.parametrize(("name", "command"), [("photo.png", "dream"), ("clip.mp4", "video")])
def test_a_source_that_does_not_fit_into_memory_is_not_decoded(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "clip.mp4":
        make_clip(Path(name), 2)
    else:
        PIL.Image.effect_noise((64, 48), 50).save(name)
    data = Path(name).read_bytes()
    at = data.index(b"mdat" if name == "clip.mp4" else b"IDAT")
    size = int.from_bytes(data[at - 4 : at], "big") - 8
    Path(name).write_bytes(data[: at + 4] + bytes(size) + data[at + 4 + size :])  # to decode that would fail
    assert "too large" not in run(command, name, "-o", f"x{Path(name).suffix}").stderr
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    monkeypatch.setattr(decode, "FITS", 1000)
    result = run(command, name, "-o", f"x{Path(name).suffix}")
    assert result.exit_code == 1
    assert re.match(rf"Error: .*{name} is too large: a picture .* needs .* of memory", result.stderr.replace("\n", " "))


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
    result = run("imagine", "block1:3", "--size", "32", "--steps", "1", "-o", "out.png", "--force")
    assert victim.read_text() == "precious"
    assert result.exit_code == 0 or "link" in result.stderr


HUGE = [
    '{"kind": "dream", "source": {"noise": [2000, 2000]}, "steps": 10000}',
    '{"kind": "dream", "source": {"noise": [9, 9]}, "octaves": 1000, "octave_scale": 4.0, "steps": 9999, "size": 8000}',
    '{"kind": "imagine", "target": "banana", "count": 64, "steps": 100000}',
    '{"kind": "sheet", "targets": ["stem"], "steps": 100000, "views": 256}',
    '{"kind": "zoom", "source": {"noise": [200, 200]}, "seconds": 36000, "fps": "1000"}',
    '{"kind": "morph", "ideas": ["banana", "teapot"], "seconds": 36000, "fps": "1000"}',
]


@pytest.mark.parametrize("text", HUGE, ids=[json.loads(each)["kind"] for each in HUGE])
def test_years_of_work_need_a_yes(text: str, folder: Path) -> None:
    Path("sent.json").write_text(text)
    began, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run("again", "sent.json")
    assert time.process_time() - began < 3  # of the processor, on any machine; a second on one that is not busy
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100 * 1024
    assert result.exit_code == 1
    assert re.search(r"takes about [\d.e+]+ (hours|days|years) on this machine: add --yes", result.stderr)
    assert [each.name for each in folder.iterdir()] == ["sent.json"]


def test_a_yes_begins_long_work_and_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "ASK_OF_FILES", 0.0)
    monkeypatch.setattr(follow, "TELL", 0.0)
    Path("sent.json").write_text('{"kind": "imagine", "target": "block1:3", "size": 24, "steps": 1, "sketches": 1}')
    assert "add --yes" in run("again", "sent.json").stderr
    result = run("again", "sent.json", "--yes")
    assert result.exit_code == 0
    assert re.fullmatch(r"this takes about .* ?seconds?\n", result.stderr)
    assert run("again", "sent.json", "--yes", "-q").stderr == ""


def test_noise_is_not_made_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn", lambda *_, **__: pytest.fail("it was made"))
    Path("sent.json").write_text('{"kind": "dream", "source": {"noise": [10000, 10000]}, "steps": 1000}')
    assert "add --yes" in run("again", "sent.json").stderr


@pytest.mark.parametrize("octaves", [["--octave-scale", "1.03"], ["--octave-scale", "1.01"]], ids=lambda each: each[1])
def test_what_phosphene_writes_it_reads(octaves: list[str]) -> None:
    assert run("dream", "--noise", "400x400", *octaves, "--steps", "0", "-o", "x.png").exit_code == 0
    assert json.loads(run("show", "x.png").stdout)["octaves"] > 40
    assert run("again", "x.png", "-o", "y.png").exit_code == 0


def test_a_guide_that_was_replaced_is_not_used(photo: Path) -> None:
    Path("guide.jpg").write_bytes(photo.read_bytes())
    quick = ["--octaves", "1", "--steps", "1", "-o", "x.png"]
    assert run("dream", "--noise", "32x32", "-t", "guide(guide.jpg, block1)", *quick).exit_code == 0
    assert json.loads(run("show", "x.png").stdout)["guides"]["guide.jpg"]
    PIL.Image.new("RGB", (32, 32)).save("guide.jpg")
    result = run("again", "x.png", "-o", "y.png")
    assert result.exit_code == 1
    assert re.match("Error: .*guide.* has changed", result.stderr.replace("\n", " "))


def test_bombs_and_locked_archives_are_one_line() -> None:
    screen = struct.pack("<HH", 65535, 65535)
    block = b"\x02\x02\x4c\x01\x00"
    Path("bomb.gif").write_bytes(
        b"GIF89a" + screen + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + b"," + b"\0" * 4 + screen + b"\0" + block + b";"
    )
    with zipfile.ZipFile("locked.pt2", "w") as archive:
        archive.writestr("archive_format", "pt2")
    data = bytearray(Path("locked.pt2").read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1  # encrypted
    Path("locked.pt2").write_bytes(data)
    for args in (["dream", "bomb.gif"], ["layers", "locked.pt2"]):
        result = run(*args)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        assert "unexpected" not in result.stderr


def test_a_network_that_cannot_be_verified_needs_the_users_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOSPHENE_CACHE", str(folder / "cache"))
    result = run("nets", "fetch", "googlenet-places365")
    assert result.exit_code == 1
    assert "phosphene nets fetch googlenet-places365 --unverified" in result.stderr


def test_a_result_without_its_recipe_says_nothing_of_its_source(photo: Path) -> None:
    assert run("dream", photo, "--octaves", "1", "--steps", "1", "--no-recipe", "-o", "x.png").exit_code == 0
    assert photo.name.encode() not in Path("x.png").read_bytes()
    assert "carries no recipe" in run("show", "x.png").stderr
