from __future__ import annotations

import random
from itertools import islice

import pytest
import torch

from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.lucid import lucid_steps, picture, transformed
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from tests.tinynet import tiny_net

PUBLISHED = {"rate": 0.05, "decay": 1.0}


def engine_for(target: str) -> Engine:
    net = tiny_net()
    return Engine(net, resolve(parse(target), net.card), precision="float32", tile=0)


@pytest.mark.parametrize("target", ["high:2", "dog", "low"])
def test_what_is_looked_for_rises(target: str) -> None:
    scores = [step.score for step in lucid_steps(engine_for(target), steps=40, size=(48, 48), **PUBLISHED)]
    assert sum(scores[-8:]) > sum(scores[:8])


def test_a_resumed_run_is_the_same_to_the_byte() -> None:
    engine = engine_for("high:2")
    unbroken = list(lucid_steps(engine, steps=6, size=(33, 40), count=2, seed=4, **PUBLISHED))
    *_, stopped = islice(lucid_steps(engine, steps=6, size=(33, 40), count=2, seed=4, **PUBLISHED), 2)
    resumed = list(lucid_steps(engine, steps=6, size=(33, 40), count=2, seed=4, state=stopped.state, **PUBLISHED))
    assert len(resumed) == 4
    assert torch.equal(resumed[-1].image, unbroken[-1].image)
    assert unbroken[-1].image.shape == (2, 3, 33, 40)


def test_it_begins_as_a_faint_grey() -> None:
    spectrum = 0.01 * torch.randn(1, 3, 64, 33, 2)
    image = picture(spectrum, (64, 64), 1.0)
    assert (image.mean() - 0.5).abs() < 0.05
    assert image.std() < 0.05


def test_the_first_step_of_adam_moves_every_parameter_by_the_rate() -> None:
    first = next(lucid_steps(engine_for("low"), steps=1, size=(32, 32), **PUBLISHED))
    start = 0.01 * torch.randn(first.state.spectrum.shape, generator=torch.Generator().manual_seed(0))
    moved = (first.state.spectrum - start).abs()
    assert moved.median().item() == pytest.approx(0.05, rel=1e-3)


def test_views_differ_in_size_place_and_turn_and_stay_in_range() -> None:
    image = torch.rand(1, 3, 128, 128)
    sizes = set()
    for seed in range(60):
        seen = transformed(image, random.Random(seed))
        sizes.add(seen.shape[-1])
        assert seen.min() >= 0
        assert seen.max() <= 1
    # 128 and a border of 12, less 8, times 0.9 to 1.1, less 4
    assert sizes == {round(144 * (1 + (i - 5) / 50)) - 4 for i in range(11)}


def test_what_is_too_small_is_refused() -> None:
    with pytest.raises(SettingError, match="size"):
        next(lucid_steps(engine_for("low"), steps=1, size=(8, 40), **PUBLISHED))
