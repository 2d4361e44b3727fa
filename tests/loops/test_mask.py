"""A mask says where to dream, and how strongly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import dream_steps
from phosphene.loops.step import pack, unpack
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import DreamSettings
from tests.tinynet import tiny_net

SETTINGS = DreamSettings(octaves=2, octave_scale=1.5, steps=3, step_size=0.02, jitter=3, seed=7)


def engine() -> Engine:
    net = tiny_net()
    return Engine(net, resolve(parse("high"), net.card), precision="float32")


def photo() -> Tensor:
    return 0.3 + 0.4 * torch.rand(1, 3, 48, 60, generator=torch.Generator().manual_seed(1))


def dreamt(mask: Tensor | None, settings: DreamSettings = SETTINGS) -> Tensor:
    return list(dream_steps(engine(), photo(), settings, arithmetic=Arithmetic(7), mask=mask))[-1].image


def left_half() -> Tensor:
    mask = torch.zeros(1, 1, 48, 60)
    mask[..., :30] = 1
    return mask


def test_what_is_masked_out_stays_the_photograph() -> None:
    change = (dreamt(left_half()) - photo()).abs()
    assert change[..., 40:].max() < 1e-5  # beyond the reach of resizing
    assert change[..., :25].mean() > 0.01


def test_a_step_is_as_long_as_without_a_mask() -> None:
    once = SETTINGS.model_copy(update={"octaves": 1, "steps": 1})
    whole, part = (dreamt(mask, once) for mask in (None, left_half()))
    assert torch.equal(whole[..., :30], part[..., :30])


def test_a_mask_of_ones_changes_nothing() -> None:
    assert torch.allclose(dreamt(torch.ones(1, 1, 48, 60)), dreamt(None), atol=1e-4)  # resized ones are rounded


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5])
def test_grey_is_a_shorter_step(strength: float) -> None:
    once = SETTINGS.model_copy(update={"octaves": 1, "steps": 1, "headroom": 0.0})
    whole = dreamt(torch.ones(1, 1, 48, 60), once) - photo()
    part = dreamt(torch.full((1, 1, 48, 60), strength), once) - photo()
    assert torch.allclose(part, strength * whole, atol=1e-6)


def test_a_soft_edge_does_not_show() -> None:
    """Across a mask that fades, the change fades too: no column differs from its neighbours as at a hard edge."""
    ramp = torch.linspace(1, 0, 60).expand(1, 1, 48, 60)
    hard, soft = ((dreamt(mask) - photo()).abs().mean(dim=(0, 1, 2)) for mask in (left_half(), ramp))
    assert soft[:10].mean() > 3 * soft[-10:].mean()
    assert soft.diff().abs().max() < hard.diff().abs().max()


def test_a_masked_dream_resumes_to_the_same_bytes() -> None:
    whole = list(dream_steps(engine(), photo(), SETTINGS, arithmetic=Arithmetic(7), mask=left_half()))
    for stop in (1, 3, 4):
        state = unpack(pack(whole[stop - 1].state))
        *_, last = dream_steps(engine(), photo(), SETTINGS, arithmetic=Arithmetic(7), mask=left_half(), state=state)
        assert torch.equal(last.image, whole[-1].image)
