from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene.errors import SettingError, UnknownNameError
from phosphene.gradients.engine import Engine
from phosphene.loops.dream import DreamSettings, choose_octaves, octave_sizes, octave_steps
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from tests.tinynet import tiny_net

SETTINGS = DreamSettings(
    octaves=3,
    octave_scale=1.4,
    steps=4,
    step_size=0.02,
    jitter=5,
    shaping="laplacian",
    natural_colour=1.0,
    headroom=0.1,
    resampling="bicubic",
    seed=7,
)


def engine_for(target: str, **options: object) -> Engine:
    net = tiny_net()
    return Engine(net, resolve(parse(target), net.card), **{"precision": "float32", **options})


def dream(engine: Engine, photo: Tensor, settings: DreamSettings = SETTINGS) -> Tensor:
    image = photo
    for step in octave_steps(engine, photo, settings):
        image = step.image
    return image


@pytest.mark.parametrize("target", ["low", "high", "middle:3", "dog", "high - 0.5*low"])
def test_a_dream_raises_its_objective(target: str) -> None:
    photo = torch.rand(1, 3, 60, 44) * 0.6 + 0.2
    engine = engine_for(target)
    before, _ = engine(photo)
    after, _ = engine(dream(engine, photo))
    assert after > before


def test_dreams_stay_in_range_and_keep_their_size() -> None:
    for size in [(31, 77), (1, 1), (3, 90), (64, 64)]:
        photo = torch.rand(1, 3, *size)
        image = dream(engine_for("high"), photo, replace(SETTINGS, step_size=0.2))
        assert image.shape == photo.shape
        assert image.min() >= 0
        assert image.max() <= 1


def test_the_photograph_is_left_alone() -> None:
    photo = torch.rand(1, 3, 40, 40)
    kept = photo.clone()
    dream(engine_for("high"), photo)
    assert torch.equal(photo, kept)


def test_no_steps_give_the_photograph() -> None:
    photo = torch.rand(1, 3, 40, 40)
    assert torch.equal(dream(engine_for("high"), photo, replace(SETTINGS, steps=0)), photo)


def test_the_photographs_detail_is_kept() -> None:
    """With steps too small to see, the dream is the photograph, not what is left of it after enlarging."""
    photo = torch.rand(1, 3, 48, 48)  # noise has nothing but detail
    image = dream(engine_for("high"), photo, replace(SETTINGS, step_size=1e-5))
    assert (image - photo).abs().max() < 1e-3


def test_what_small_octaves_dreamt_reaches_the_full_size() -> None:
    photo = torch.full((1, 3, 64, 64), 0.5)
    engine = engine_for("high")
    steps = list(octave_steps(engine, photo, SETTINGS))
    last_small = [step for step in steps if step.octave == SETTINGS.octaves - 2][-1]
    first_full = next(step for step in steps if step.octave == SETTINGS.octaves - 1)
    small = torch.nn.functional.interpolate(last_small.image - 0.5, (64, 64), mode="bicubic").flatten()
    full = (first_full.image - 0.5).flatten()
    assert torch.nn.functional.cosine_similarity(small, full, dim=0) > 0.8


def test_a_step_has_the_length_that_was_asked_for() -> None:
    photo = torch.full((1, 3, 64, 64), 0.5)
    for headroom in (0.0, 0.1):
        chosen = replace(SETTINGS, octaves=1, step_size=0.004, headroom=headroom)
        step = next(octave_steps(engine_for("high"), photo, chosen))
        assert (step.image - photo).abs().mean().item() == pytest.approx(0.004, rel=0.1)


def test_headroom_keeps_a_dream_from_clipping() -> None:
    photo = torch.rand(1, 3, 64, 64) * 0.4 + 0.3
    clipped = []
    for headroom in (0.0, 0.1):
        image = dream(engine_for("high"), photo, replace(SETTINGS, headroom=headroom, step_size=0.05))
        clipped.append(((image < 1 / 255) | (image > 254 / 255)).float().mean())
    assert clipped[1] < 0.7 * clipped[0]


@given(stop=st.integers(1, 11))
@settings(max_examples=6, deadline=None)
def test_a_resumed_dream_is_the_same_to_the_byte(stop: int) -> None:
    photo = torch.rand(1, 3, 33, 52, generator=torch.Generator().manual_seed(1))
    engine = engine_for("high")
    unbroken = list(octave_steps(engine, photo, SETTINGS))
    assert len(unbroken) == 12
    *_, stopped = islice(octave_steps(engine, photo, SETTINGS), stop)
    resumed = list(octave_steps(engine, photo, SETTINGS, state=stopped.state))
    assert len(resumed) == 12 - stop
    for ours, theirs in zip(resumed, unbroken[stop:], strict=True):
        assert torch.equal(ours.image, theirs.image)
        assert (ours.octave, ours.step, ours.score) == (theirs.octave, theirs.step, theirs.score)


def test_the_seed_decides() -> None:
    photo = torch.rand(1, 3, 40, 40)
    engine = engine_for("high")
    assert torch.equal(dream(engine, photo), dream(engine, photo))
    assert not torch.equal(dream(engine, photo), dream(engine, photo, replace(SETTINGS, seed=8)))


def test_steps_report_the_way_they_have_come() -> None:
    photo = torch.rand(1, 3, 40, 40)
    steps = list(octave_steps(engine_for("high"), photo, SETTINGS))
    progress = [step.progress for step in steps]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1)
    assert [step.octave for step in steps] == [0] * 4 + [1] * 4 + [2] * 4
    kept = steps[5].image.clone()
    assert torch.equal(steps[5].image, kept)


def test_tiles_dream_the_same_picture() -> None:
    photo = torch.rand(1, 3, 72, 96)
    whole = dream(engine_for("high", tile=0), photo)
    tiled = dream(engine_for("high", tile=24), photo)
    assert (whole - tiled).abs().mean() < 1e-3


def test_octaves_are_chosen_by_the_shorter_side() -> None:
    assert choose_octaves((100, 2000), 1.4) == 1
    assert choose_octaves((480, 640), 2.0) == 3
    for size in [(1, 1), (500, 300), (6000, 4000)]:
        octaves = choose_octaves(size, 1.4)
        sizes = octave_sizes(size, octaves, 1.4)
        assert len(sizes) == octaves
        assert sizes[-1] == size
        assert min(sizes[0]) < 1.4 * 121


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"octaves": 0}, {"octave_scale": 1.0}, {"steps": -1}, {"step_size": -0.1}, {"jitter": -1}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            replace(SETTINGS, **wrong)
    with pytest.raises(UnknownNameError, match="laplacian"):
        replace(SETTINGS, shaping="laplacan")
