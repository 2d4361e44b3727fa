"""Networks whose input is not an RGB image go through the same engine, tiles and dream loop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import shapings
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import dream_steps
from phosphene.loops.imagine import imagine_steps
from phosphene.nets.base import ChainNet
from phosphene.nets.card import Card, InputSpec, LayerCard
from phosphene.nets.receptive import Field
from phosphene.nets.zoo.pocket import ConvReLU
from phosphene.objectives.base import resolve
from phosphene.objectives.features import Layer
from phosphene.recipe.stills import DreamSettings, ImagineSettings

GREY = InputSpec(channels=1, mean=(0.4,), std=(0.2,), size=32)
SPECTROGRAM = InputSpec(channels=2, mean=(0.3, 0.6), std=(0.1, 0.2), axes=("time", "frequency"), size=64)
SETTINGS = DreamSettings(
    octaves=2,
    octave_scale=1.5,
    steps=4,
    step_size=0.02,
    jitter=3,
    shaping="laplacian",
    natural_colour=1.0,
    headroom=0.1,
    resampling="bicubic",
    seed=0,
)


def net_for(spec: InputSpec) -> ChainNet:
    """Two convolutions, the second with a stride, for inputs of this kind."""
    torch.manual_seed(1)
    stages: dict[str, nn.Module] = {
        "low": ConvReLU(spec.channels, 8, 3, padding=1),
        "high": ConvReLU(8, 12, 4, stride=2, padding=1),
    }
    low = Field().through(3, padding=1)
    layers = {
        "low": LayerCard("low", 8, low),
        "high": LayerCard("high", 12, low.through(4, stride=2, padding=1)),
        "logits": LayerCard("logits", 2, None),
    }
    card = Card(
        name="tiny",
        title="a seeded network for tests",
        input=spec,
        layers=layers,
        labels=(("speech",), ("music",)),
        classes="logits",
        pooled="high",
        default_target="high",
        source="made up",
        sha256="0" * 64,
        licence="Apache-2.0",
    )
    return ChainNet(card, stages, nn.Linear(12, 2)).for_dreaming()


def engine_for(spec: InputSpec, tile: int = 0) -> Engine:
    net = net_for(spec)
    return Engine(net, resolve(Layer("high"), net.card), precision="float32", tile=tile)


@pytest.mark.parametrize("spec", [GREY, SPECTROGRAM])
def test_tiles_give_the_gradient_of_the_whole(spec: InputSpec) -> None:
    image = torch.rand(2, spec.channels, 37, 58)
    whole_scores, whole = engine_for(spec)(image)
    scores, tiled = engine_for(spec, tile=16)(image)
    torch.testing.assert_close(scores, whole_scores, rtol=1e-4, atol=1e-6)
    assert whole.shape == image.shape
    assert (tiled - whole).norm() < 1e-4 * whole.norm()


@pytest.mark.parametrize("shaping", shapings)
@pytest.mark.parametrize("spec", [GREY, SPECTROGRAM])
def test_a_dream_rises(spec: InputSpec, shaping: str) -> None:
    engine = engine_for(spec)
    image = torch.rand(1, spec.channels, 48, 40)
    settings = SETTINGS.model_copy(update={"shaping": shaping})
    *_, last = dream_steps(engine, image, settings, arithmetic=Arithmetic(0))
    assert last.image.shape == image.shape
    assert last.image.min() >= 0
    assert last.image.max() <= 1
    before, after = engine(image)[0], engine(last.image)[0]
    assert after > 1.05 * before


def test_each_channel_is_normalised_by_its_own_mean_and_std() -> None:
    image = torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)
    torch.testing.assert_close(SPECTROGRAM.normalise(image).flatten(), torch.tensor([2.0, -0.5]))


@pytest.mark.parametrize(("name", "numbers"), [("mean", (0.5,)), ("std", (1.0, 1.0, 1.0))])
def test_every_channel_needs_a_mean_and_a_std(name: str, numbers: tuple[float, ...]) -> None:
    with pytest.raises(SettingError, match=f"{name} must have a number for each of 2 channels, but has {len(numbers)}"):
        replace(SPECTROGRAM, **{name: numbers})


@pytest.mark.parametrize("spec", [GREY, SPECTROGRAM])
def test_what_is_imagined_has_the_channels_of_the_net(spec: InputSpec) -> None:
    net = net_for(spec)
    objective = resolve(Layer("high"), net.card)
    settings = ImagineSettings(steps=12, views=2, channel_dropout=0.0, smooth=0.0)
    steps = list(imagine_steps(net, objective, settings, arithmetic=Arithmetic(0), size=(30, 40), precision="float32"))
    assert steps[-1].image.shape == (1, spec.channels, 30, 40)
    engine = engine_for(spec)
    assert engine(steps[11].image)[0] > engine(steps[0].image)[0]
