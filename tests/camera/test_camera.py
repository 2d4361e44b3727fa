"""The camera: frames that fail and come back, a live dream, and words that it is taught."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from phosphene import nets
from phosphene.attribution import labels_of
from phosphene.camera import capture
from phosphene.camera.capture import View, views
from phosphene.camera.eye import watch
from phosphene.camera.live import LiveDream
from phosphene.camera.things import LIKE, Things, features_of
from phosphene.cli.root import phosphene
from phosphene.errors import SettingError, WeightsError
from phosphene.nets.base import Net
from phosphene.nets.weights.vector import read_vector
from phosphene.nets.weights.words import pack_words, read_words
from tests.tinynet import tiny_net

FRAME = np.full((24, 32, 3), (255, 0, 0), np.uint8)  # blue: OpenCV's pictures are BGR


class Unreliable:
    """A camera that gives so many frames each time that it is opened."""

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.opened = frames > 0

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        return (True, FRAME) if self.left >= 0 else (False, None)

    def get(self, what: int) -> float:
        return 10.0  # frames per second

    def release(self) -> None:
        self.opened = False


def test_a_camera_that_dies_is_tried_again_and_says_so_once() -> None:
    lives = iter([0, 0, 2, 0, 0, 3])
    waited: list[float] = []
    found = views("rtsp://garden", opens=lambda _: Unreliable(next(lives)), sleep=waited.append)
    seen = list(itertools.islice(found, 7))
    assert [each.image is not None for each in seen] == [False, True, True, False, True, True, True]
    assert [each.index for each in seen if each.image is not None] == [0, 1, 2, 3, 4]
    assert seen[0].problem == "the camera rtsp://garden gives no pictures: tried again every 5 s"
    assert "has stopped" in seen[3].problem
    assert waited == [5.0] * 5
    assert seen[1].image is not None
    assert seen[1].image[0, :, 0, 0].tolist() == [0, 0, 1]


def test_a_film_ends_and_a_missing_one_is_one_line() -> None:
    assert len(list(views("cup.mp4", opens=lambda _: Unreliable(3)))) == 3
    (only,) = views("cup.mp4", opens=lambda _: Unreliable(0))
    assert only.problem.startswith("cup.mp4 is no film")


def frames_of(count: int, size: tuple[int, int] = (24, 32)) -> Iterator[View]:
    for index in range(count):
        yield View(index, torch.full((1, 3, *size), (index % 100) / 100))


def test_a_slow_dream_holds_up_neither_the_camera_nor_what_is_seen() -> None:
    dreamt, all_seen = threading.Event(), threading.Event()

    def dream(image: Tensor) -> Tensor:
        assert all_seen.wait(20)  # this dream takes as long as all looks together
        dreamt.set()
        return image

    def camera_views() -> Iterator[View]:
        for view in frames_of(8):
            yield view
            time.sleep(0.01)
        assert dreamt.wait(20)

    seen = []
    for sight in watch(camera_views(), lambda image: image.mean(), dream, in_turn=False, see_every=0):
        if sight.seen is not None:
            seen.append(sight.view.index)
            if seen[-1] == 7:
                all_seen.set()
    assert seen == sorted(set(seen))
    assert seen[-1] == 7  # the newest


def test_a_film_s_frames_wait_until_they_are_dreamt_on() -> None:
    found = watch(frames_of(6), lambda image: 1, lambda image: image + 1, in_turn=True)
    assert [each.view.index for each in found if each.dream is not None] == [0, 1, 2, 3, 4, 5]
    only_seen = watch(frames_of(6), lambda image: float(image.mean()), in_turn=True)
    assert [each.view.index for each in only_seen] == [0, 1, 2, 3, 4, 5]


def test_what_fails_in_a_dream_is_raised_and_leaving_early_ends_the_threads() -> None:
    def fails(image: Tensor) -> Tensor:
        raise SettingError("no", setting="net")

    with pytest.raises(SettingError):
        list(watch(frames_of(9), lambda image: 1, fails, in_turn=False))
    before = threading.active_count()
    endless = watch((View(i, torch.zeros(1, 3, 8, 8)) for i in itertools.count()), lambda image: 1, in_turn=True)
    next(endless)
    endless.close()
    assert threading.active_count() <= before


def test_a_film_played_live_comes_at_its_own_speed() -> None:
    waited: list[float] = []
    film = views("cup.mp4", opens=lambda _: Unreliable(3), sleep=waited.append, paced=True)
    assert len(list(film)) == 3
    assert waited == pytest.approx([0, 0.1, 0.2], abs=0.05)  # as nobody really waits, from the beginning on


def test_a_stream_that_says_nothing_has_died_after_seconds(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setattr(capture, "SILENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 9):  # where nobody speaks, and where nobody is
            began = time.monotonic()
            (only,) = itertools.islice(views(f"rtsp://127.0.0.1:{port}/garden", sleep=lambda _: None), 1)
            assert only.problem.endswith("gives no pictures: tried again every 5 s")
            assert time.monotonic() - began < 20  # not the half minute that FFmpeg waits
    assert capfd.readouterr().err == ""  # FFmpeg would say it each time


def resident() -> int:
    """The kilobytes of memory that this process has."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells how much memory a process has")
    (line,) = [each for each in status.read_text().splitlines() if each.startswith("VmRSS")]
    return int(line.split()[1])


def test_36000_frames_leave_nothing_behind() -> None:
    days = iter([20_000, 0, 16_000])  # in between it died
    camera = views("0", opens=lambda _: Unreliable(next(days)), sleep=lambda _: None)
    frames = itertools.takewhile(lambda view: view.index < 36_000, camera)
    net, problems, before = torch.nn.AvgPool2d(8), 0, 0
    with contextlib.closing(watch(itertools.islice(frames, 36_001), net, in_turn=True)) as watched:
        for each in watched:
            problems += bool(each.problem)
            if each.view.index == 1000:
                before = resident()
    assert each.view.index == 35_999
    assert problems == 1
    assert resident() - before < 20_000  # kept frames would take 300 000


def moving(count: int, size: tuple[int, int] = (48, 64)) -> Iterator[Tensor]:
    scene = torch.rand(1, 3, size[0], size[1] + 40, generator=torch.Generator().manual_seed(1))
    scene = torch.nn.functional.avg_pool2d(scene, 5, 1, 2)
    for index in range(count):
        left = index % 40
        yield scene[..., left : left + size[1]]


def test_the_dream_goes_on_and_is_carried_along() -> None:
    live = LiveDream(tiny_net(), "high", size=(48, 64))
    changes = [float((live(frame) - frame).abs().mean()) for frame in moving(6)]
    assert min(changes) > 0.005
    assert changes[-1] < 5 * changes[0]  # it does not pile up


def test_a_live_dream_holds_no_more_after_many_frames() -> None:
    live = LiveDream(tiny_net(), "high", size=(16, 16))
    held = []
    for index, frame in enumerate(moving(80, (16, 16))):
        live(frame)
        if index in (19, 79):
            held.append(resident())
    assert held[1] - held[0] < 20_000


def test_things_are_told_apart_kept_and_forgotten(tmp_path: Path) -> None:
    net = nets.load("pocket")
    assert isinstance(net, Net)
    scene = {
        name: torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        for name, seed in (("a", 1), ("b", 2))
    }
    scene["b"] = torch.nn.functional.avg_pool2d(scene["b"], 9, 1, 4)
    things = Things()
    for name, image in scene.items():
        things.learn(name, [features_of(image, net), features_of(image.roll(3, dims=3), net)])
    (tmp_path / "things.safetensors").write_bytes(pack_words(things.sums))
    kept = Things(read_words(tmp_path / "things.safetensors"))
    for name, image in scene.items():
        found = kept.recognise(features_of(image.roll(-4, dims=2), net))
        assert found is not None
        assert found.word == name
        assert found.likeness > LIKE
    kept.forget("a")
    assert list(kept.sums) == ["b"]
    assert kept.recognise(torch.ones(5)) is None  # another network's
    with pytest.raises(SettingError, match="another network"):
        kept.learn("c", [torch.ones(5)])
    with pytest.raises(SettingError, match="1 to 80"):
        kept.learn(" ", [torch.ones(3)])
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError):
        read_words(tmp_path / "broken.safetensors")
    (seen,) = labels_of(scene["a"], net, 1)
    assert 0 < seen.probability <= 1


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "cup.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))  # type: ignore[attr-defined]
    for frame in moving(8):
        writer.write((frame[0].permute(1, 2, 0).numpy()[..., ::-1] * 255).astype(np.uint8))
    writer.release()
    return path


def test_a_film_is_a_camera_on_the_command_line(film: Path, tmp_path: Path) -> None:
    def run(args: list[str]) -> Result:
        return CliRunner().invoke(phosphene, ["camera", *args])

    done = run([str(film), "--target", "block4", "--diary", str(tmp_path / "diary"), "--json", "--frames", "4"])
    assert done.exit_code == 0, done.output
    first = json.loads(done.stdout.splitlines()[0])
    assert (tmp_path / "diary" / first["picture"]).is_file()
    assert re.match(r"\d+ frames seen.*, 4 frames dreamt", done.stderr)
    things = str(tmp_path / "things.safetensors")
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".things.safetensors.part").symlink_to(tmp_path / "victim")
    assert run([str(film), "--learn", "my cup", "--known", things]).output == "my cup: 5 views\n"
    assert (tmp_path / "victim").read_text() == "precious"
    assert '"my cup"' in run([str(film), "--known", things, "--json"]).output
    cup = tmp_path / "my cup.safetensors"
    written = ["--direction", "my cup", "--known", things, "-o", str(cup)]
    assert run(written).output == f"direction({cup}, head)\n"
    vector, _ = read_vector(cup)
    assert vector.norm() > 0
    assert run(written).stderr.endswith("is there already: choose another name\n")
    assert run(["--forget", "my cup", "--known", things]).exit_code == 0
    cup.unlink()
    assert run(written).stderr == "Error: it was not taught 'my cup'\n"
    assert read_words(Path(things)) == {}
    missing = run(["nothing.avi"])
    assert missing.stderr.startswith("nothing.avi is no film")
