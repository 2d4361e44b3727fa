"""Lucid: published constants, in the ascent that is shared with imagine."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.canvas.lucid import LucidCanvas
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.lucid import lucid_steps, transforms
from phosphene.loops.step import Step, pack, unpack
from phosphene.loops.version1 import Version1
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import ImagineSettings
from phosphene.types import Size
from tests.tinynet import tiny_net


def steps_of(target: str, steps: int, size: Size, arithmetic: Arithmetic | None = None, **given: object) -> list[Step]:
    net = tiny_net()
    engine = Engine(net, resolve(parse(target), net.card), precision="float32", tile=0)
    published = ImagineSettings(steps=steps, rate=0.05, decay=1.0)
    return list(lucid_steps(engine, published, arithmetic=arithmetic or Arithmetic(0), size=size, **given))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["high:2", "dog", "low"])
def test_what_is_looked_for_rises(target: str) -> None:
    scores = [step.score for step in steps_of(target, 40, (48, 48))]
    assert sum(scores[-8:]) > sum(scores[:8])


@given(stop=st.integers(1, 5), arithmetic=st.sampled_from([Arithmetic, Version1]))
@settings(max_examples=8, deadline=None)
def test_a_resumed_run_is_the_same_to_the_byte(stop: int, arithmetic: type[Arithmetic]) -> None:
    unbroken = steps_of("high:2", 6, (33, 40), arithmetic(4), count=2)
    resumed = steps_of("high:2", 6, (33, 40), arithmetic(4), count=2, state=unpack(pack(unbroken[stop - 1].state)))
    assert len(resumed) == 6 - stop
    for ours, theirs in zip(resumed, unbroken[stop:], strict=True):
        assert torch.equal(ours.image, theirs.image)
        assert (ours.step, ours.progress) == (theirs.step, theirs.progress)
    assert unbroken[-1].image.shape == (2, 3, 33, 40)


def test_it_begins_as_a_faint_grey() -> None:
    image = LucidCanvas((64, 64), generator=torch.Generator().manual_seed(0))().detach()
    assert (image.mean() - 0.5).abs() < 0.05
    assert image.std() < 0.05


@pytest.mark.parametrize("arithmetic", [Arithmetic, Version1])
def test_the_first_step_of_adam_moves_every_parameter_by_the_rate(arithmetic: type[Arithmetic]) -> None:
    first, second = (steps_of("low", steps, (32, 32), arithmetic(0))[-1] for steps in (1, 2))
    start = LucidCanvas((32, 32), generator=arithmetic(0).rng("noise")).spectrum.detach()
    moved = (first.state["canvas.spectrum"] - start).abs()
    assert moved.median().item() == pytest.approx(0.05, rel=1e-3)
    assert not torch.equal(first.state["canvas.spectrum"], second.state["canvas.spectrum"])


def test_views_differ_in_size_place_and_rotation_and_stay_in_range() -> None:
    image = torch.rand(1, 3, 128, 128)
    sizes = set()
    for seed in range(60):
        seen = transforms(random.Random(seed).randint)(image)
        sizes.add(seen.shape[-1])
        assert seen.min() >= 0
        assert seen.max() <= 1
    # 128 and a border of 12, less 8, times 0.9 to 1.1, less 4
    assert sizes == {round(144 * (1 + (i - 5) / 50)) - 4 for i in range(11)}


@pytest.mark.parametrize(("given", "message"), [({"size": (8, 40)}, "size"), ({"size": (32, 32), "count": 0}, "count")])
def test_what_is_out_of_range_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        steps_of("low", 1, **given)  # type: ignore[arg-type]
