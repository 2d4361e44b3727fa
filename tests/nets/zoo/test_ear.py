"""The ear agrees with an independent reading of its structure, and its front end is differentiable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from phosphene import nets
from phosphene.nets.base import Net
from phosphene.nets.ops.log_mel import LogMel
from phosphene.nets.zoo.ear import SOUND

VECTORS = Path(__file__).parent / "ear_vectors.safetensors"
NAMES = ("ambi_choir", "loop_tabla", "noise")


@pytest.fixture(scope="module")
def ear() -> Net:
    return nets.load("ear")


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_vectors(ear: Net, name: str) -> None:
    vectors = load_file(VECTORS)
    log_mel = LogMel(SOUND)(vectors[f"{name}.wave"][None])[:, :, : SOUND.frames]
    assert (log_mel[0, 0] - vectors[f"{name}.logmel"]).abs().max() < 1e-3
    tags = ear(log_mel, ["tags"])["tags"].sigmoid()[0]
    assert (tags - vectors[f"{name}.tags"]).abs().max() < 1e-3


def test_the_card_says_that_it_hears(ear: Net) -> None:
    spec = ear.card.input
    assert (spec.axes, spec.channels, spec.sound) == (("time", "frequency"), 1, SOUND)
    assert nets.load("pocket").card.input.sound is None
    assert ear.card.find_label("female voice") == 48
    assert ear.card.licence == "ISC"


def test_a_longer_sound_is_judged_by_the_same_layers(ear: Net) -> None:
    found = ear(torch.rand(2, 1, 187 * 2, 96), ["conv4", "tags"])
    assert found["tags"].shape == (2, 50)
    assert found["conv4"].shape == (2, 128, 46, 12)


def test_the_front_end_is_differentiable() -> None:
    wave = torch.randn(1, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).mul_(0.1)
    wave.requires_grad_()
    front = LogMel(SOUND).double()
    (gradient,) = torch.autograd.grad(front(wave).sum(), wave)
    step = torch.randn(wave.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 1e-6
    with torch.no_grad():
        change = (front(wave + step) - front(wave - step)).sum() / 2
    assert torch.isclose(change, (gradient * step).sum(), rtol=1e-4)


def test_usual_responses_are_known(ear: Net) -> None:
    for name in ("conv1", "conv5"):
        statistics = ear.card.layer(name).statistics
        assert statistics is not None
        assert (statistics.std >= 0).all()
        assert (statistics.std > 0).any()
