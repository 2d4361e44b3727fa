"""Dreaming on a clip: steadiness against a known motion, cuts, times, and going on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.dream import DreamSettings, octave_steps
from phosphene.loops.frames import Targets
from phosphene.loops.step import unpack
from phosphene.loops.video import ClipSettings, clip_frames
from phosphene.nets.base import Net
from phosphene.nets.zoo import pocket
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.keyframes import read_keys
from tests.loops.scenes import Scene, Shown
from tests.tinynet import tiny_net

DREAM = DreamSettings(
    octaves=1,
    octave_scale=1.6,
    steps=1,
    step_size=0.012,
    jitter=16,
    shaping="laplacian",
    natural_colour=1.2,
    headroom=0.1,
    resampling="bicubic",
    seed=0,
)
SETTINGS = ClipSettings(size=(72, 128), keep=0.98, renew=0.3, first_steps=12, dream=DREAM)
SMALL = replace(SETTINGS, size=(36, 64), first_steps=3, dream=replace(DREAM, jitter=4))
SCENE = Scene()


def targets(net: Net, text: str) -> Targets:
    keys = read_keys(text).map(lambda target: resolve(parse(target), net.card))
    return Targets(Engine(net, keys.values[0], precision="float32"), keys)


def test_it_is_three_times_as_steady_as_frames_by_themselves() -> None:
    clip = SCENE.shown(7)
    aims = targets(pocket.load(), "mixed4c")
    steady = [frame.image for frame in clip_frames(aims, clip, SETTINGS)]
    alone = []
    for shown in clip:
        for step in octave_steps(aims.at(0.0), shown.image, replace(DREAM, steps=SETTINGS.first_steps)):
            last = step.image
        alone.append(last)
    assert SCENE.change(steady) <= SCENE.change(alone) / 3
    dreamt = [float((image - shown.image).std()) for image, shown in zip(steady, clip, strict=True)]
    assert dreamt[-1] == pytest.approx(dreamt[0], rel=0.25)  # and is as much of a dream at the end


@pytest.mark.parametrize("target", ["high", "0s: low; 0.1s: dog"])
def test_it_goes_on_to_the_same_bytes(target: str) -> None:
    net, clip = tiny_net(), SCENE.shown(5)
    whole = list(clip_frames(targets(net, target), clip, SMALL, frames=5))
    assert [(frame.index, frame.pts, frame.duration) for frame in whole] == [(i, i, 1) for i in range(5)]
    assert whole[-1].progress == 1
    for stop in (1, 3):
        state = unpack(whole[stop - 1].saved())
        rest = list(clip_frames(targets(net, target), clip[stop:], SMALL, frames=5, state=state))
        assert all(torch.equal(a.image, b.image) for a, b in zip(whole[stop:], rest, strict=True))


def test_a_cut_begins_a_new_scene() -> None:
    net = tiny_net()
    cat = F.interpolate(torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None] / 255.0, (72, 128), mode="area")
    clip = [*SCENE.shown(2), Shown(2, 2, 1, Fraction(2, 25), cat)]
    *_, last = clip_frames(targets(net, "high"), clip, SMALL)
    (alone,) = clip_frames(targets(net, "high"), clip[2:], SMALL)
    assert torch.equal(last.image, alone.image)


def test_times_are_kept_as_they_are() -> None:
    ticks = [0, 3, 4, 11]
    clip = [Shown(i, pts, 2, Fraction(pts, 90), SCENE.frame(i)) for i, pts in enumerate(ticks)]
    frames = list(clip_frames(targets(tiny_net(), "low"), clip, SMALL))
    assert [frame.pts for frame in frames] == ticks
    assert [frame.time for frame in frames] == [pts / 90 for pts in ticks]
    assert {frame.progress for frame in frames} == {0.0}  # of a clip that does not tell its length


def test_a_still_clip_stands_still() -> None:
    still: Tensor = SCENE.frame(0)
    clip = [Shown(i, i, 1, Fraction(i, 25), still) for i in range(6)]
    images = [frame.image for frame in clip_frames(targets(tiny_net(), "high"), clip, SMALL)]
    assert (images[-1] - images[-2]).abs().mean() < 0.02


@pytest.mark.parametrize("change", [{"keep": 1.0}, {"keep": -0.1}, {"renew": 0.0}, {"renew": 1.5}])
def test_settings_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        replace(SETTINGS, **change)
