"""The endless zoom: levels over many frames, motion, keys, loops, and going on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.symmetric import symmetrise
from phosphene.errors import RecipeError, SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.levels import keep_level, measure
from phosphene.loops.step import State, Step, pack, unpack
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.loops.zoom import moved, zoom_steps
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.films import ZoomSettings
from phosphene.recipe.keyframes import at, read_keys, read_track
from tests.tinynet import tiny_net

SETTINGS = ZoomSettings(seconds=0.6, fps="10", octaves=2, jitter=4)
SHORT = {"octaves": 1}


def targets(text: str = "high") -> TargetSchedule:
    net = tiny_net()
    keys = read_keys(text).map(lambda target: resolve(parse(target), net.card))
    return TargetSchedule(Engine(net, keys.values[0], precision="float32"), keys)


def changed(**changes: object) -> ZoomSettings:
    return ZoomSettings(**{**SETTINGS.model_dump(), **changes})


def photo(height: int = 36, width: int = 64) -> Tensor:
    whole = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(whole[:, :, :288], (height, width), mode="bilinear", antialias=True)


def steps_of(text: str = "high", settings: ZoomSettings = SETTINGS, state: State | None = None) -> Iterator[Step]:
    return zoom_steps(targets(text), photo(), settings, arithmetic=Arithmetic(3), state=state)


def trip(text: str = "high", settings: ZoomSettings = SETTINGS) -> list[Step]:
    """Return the steps that finish a frame."""
    return [step for step in steps_of(text, settings) if step.frame is not None]


def sharpness(image: Tensor) -> float:
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    return float(F.conv2d(image.mean(dim=1, keepdim=True), kernel).abs().mean())


def test_frames_are_numbered_timed_and_in_range() -> None:
    frames = trip()
    assert [step.frame and step.frame.index for step in frames] == list(range(6))
    assert [step.frame and step.frame.time for step in frames] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert frames[-1].progress == 1
    for frame in frames:
        assert frame.image.shape == (1, 3, 36, 64)
        assert frame.image.min() >= 0
        assert frame.image.max() <= 1


@pytest.mark.parametrize(("target", "loop"), [("high", False), ("0s: low; 0.3s: dog; 0.6s: middle:2", True)])
def test_it_goes_on_to_the_same_bytes(target: str, loop: bool) -> None:
    settings = changed(loop=loop)
    whole = list(steps_of(target, settings))
    assert [step.stage for step in whole] == ["rehearsal"] * 12 + ["frame"] * 6
    for stop in (1, 12, 16):
        kept = pack(next(islice(steps_of(target, settings), stop - 1, None)).state)
        rest = list(steps_of(target, settings, unpack(kept)))
        assert [step.step for step in rest] == [step.step for step in whole[stop:]]
        assert all(torch.equal(a.image, b.image) for a, b in zip(whole[stop:], rest, strict=True))


def test_it_stays_level_over_hundreds_of_frames() -> None:
    settings = changed(seconds=10, fps="30", **SHORT)
    early: list[Tensor] = []
    late: list[Tensor] = []
    for step in steps_of(settings=settings):
        if step.frame is not None and 50 <= step.frame.index < 80:
            early.append(step.image)
        elif step.frame is not None and step.frame.index >= 270:
            late.append(step.image)
    for measure_of in (sharpness, lambda image: float(image.std()), lambda image: float(image.mean())):
        before, after = (sum(map(measure_of, images)) / 30 for images in (early, late))
        assert after == pytest.approx(before, rel=0.2)
    clipped = torch.cat(late)
    assert ((clipped < 0.01) | (clipped > 0.99)).float().mean() < 0.2


def test_without_level_it_drifts_more() -> None:
    first = photo()
    kept, left = (trip(settings=changed(seconds=4, level=level, **SHORT))[-1].image for level in (0.3, 0.0))
    off = [float((image.mean(dim=(0, 2, 3)) - first.mean(dim=(0, 2, 3))).abs().mean()) for image in (kept, left)]
    assert off[0] < off[1] + 0.01


def test_a_closed_trip_ends_where_it_begins() -> None:
    open_ended, closed = (trip(settings=changed(seconds=2.4, speed="2", loop=loop)) for loop in (False, True))

    def gap(frames: list[Step]) -> float:
        return float((frames[-1].image - frames[0].image).abs().mean())

    statistics = float((closed[1].image - closed[0].image).abs().mean())
    assert gap(closed) < 1.5 * statistics
    assert gap(closed) < gap(open_ended) / 2


def test_pictures_move_as_they_are_told() -> None:
    image = photo(40, 40)
    still = torch.eye(3, dtype=torch.float64)
    assert moved(image, still) is image
    right = still.clone()
    right[0, 2] = 3.0  # the camera moves to the right: what was at x is at x - 3
    assert torch.allclose(moved(image, right)[..., 2:-6], image[..., 5:-3], atol=1e-4)
    half = torch.diag(torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64))
    there_and_back = moved(moved(image, torch.linalg.inv(half)), half)
    assert (there_and_back - image)[..., 12:-12, 12:-12].abs().mean() < 0.06


def test_levels_are_brought_back() -> None:
    image, levels = photo(), measure(photo())
    assert keep_level(image, levels, 0.0) is image
    assert torch.allclose(keep_level(image, levels, 1.0), image, atol=2e-2)
    flat = (image * 0.3 + 0.5).clamp(0, 1)
    for _ in range(20):
        flat = keep_level(flat, levels, 0.5)
    assert float(flat.std()) == pytest.approx(float(image.std()), rel=0.1)
    assert torch.isfinite(keep_level(torch.full_like(image, 0.4), levels, 1.0)).all()


def test_keys() -> None:
    assert read_keys("0s: mixed4c:13; 6s: class:banana - 0.5*conv2").values == (
        "mixed4c:13",
        "class:banana - 0.5*conv2",
    )
    track = read_track("1s: 2; 3s: 4")
    assert [at(track, time)[0] for time in (0, 1, 2, 3, 9)] == [2, 2, 3, 4, 4]
    assert read_keys("a").weights(5.0) == (1.0,)
    for text in ("0s: 1; x", "3s: 1; 2s: 2", "0s: one", "1,2", "0s:", "1e999"):
        with pytest.raises(SettingError):
            read_track(text)


def test_both_targets_are_followed_between_keys() -> None:
    both = targets("0s: low; 2s: dog")
    both.measure(photo())
    assert both.at(0.0).layers == ["low"]
    assert both.at(1.0).layers == ["logits", "low"]
    assert both.at(2.0).layers == ["logits"]


def test_what_is_no_state_is_answered() -> None:
    assert unpack(pack({"a": torch.arange(3)}))["a"].tolist() == [0, 1, 2]
    with pytest.raises(RecipeError, match="cannot be read"):
        unpack(b"no state")


@pytest.mark.parametrize("symmetry", ["mirror", "p4m", "rotate:6"])
def test_every_frame_is_symmetric(symmetry: str) -> None:
    for step in trip(settings=changed(symmetry=symmetry, seconds=0.3)):
        folded = symmetrise(step.image, symmetry)
        assert (folded - step.image).abs().mean() < (1e-6 if symmetry != "rotate:6" else 2 / 255)
