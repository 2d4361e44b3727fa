"""Where networks run, and in which format.

There is no graphics card here. PyTorch's meta device stands for one: what is on it cannot be mixed with what is on the
processor, and has no values that the host could wait for.
"""

from __future__ import annotations

import pytest
import torch

from phosphene.errors import SettingError
from phosphene.gradients import device, precision
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import dream_steps
from phosphene.nets.zoo import pocket
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe import DreamSettings

OCTAVES, STEPS = 2, 2
SETTINGS = DreamSettings(octaves=OCTAVES, steps=STEPS)


@pytest.mark.parametrize("target", ["mixed4c", "goldfish", "mixed4c - 0.5*mixed3a:2@0.2,0.3"])
@pytest.mark.parametrize("tile", [0, 96])
def test_an_octave_never_waits_for_a_graphics_card(target: str, tile: int) -> None:
    net = pocket.load().to("meta")
    engine = Engine(net, resolve(parse(target), net.card), tile=tile, precision="bfloat16")
    steps = list(dream_steps(engine, torch.rand(1, 3, 160, 160), SETTINGS, arithmetic=Arithmetic(0)))
    assert len(steps) == OCTAVES * STEPS
    for step in steps:
        assert step.image.device.type == step.scores.device.type == "meta"
    with pytest.raises(RuntimeError, match="meta"):  # so a value that is asked for would have been noticed
        _ = steps[0].score


def test_each_device_has_its_format(monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision.choose_dtype("auto", torch.device("mps")) == torch.float16
    for capability, dtype in (((9, 0), torch.bfloat16), ((7, 5), torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
        assert precision.choose_dtype("auto", torch.device("cuda")) == dtype


@pytest.mark.parametrize("amx", [False, True])
@pytest.mark.parametrize("avx512", [False, True])
def test_a_processor_without_bfloat16_computes_in_float32(
    amx: bool, avx512: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    net = pocket.load()
    engine = Engine(net, resolve(parse("mixed3a"), net.card))
    assert engine.dtype == (torch.bfloat16 if amx or avx512 else torch.float32)
    _, gradient = engine(torch.rand(1, 3, 48, 48))
    assert gradient.any()


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device.choose_device("auto") == device.choose_device("cpu") == torch.device("cpu")
    with pytest.raises(SettingError, match="device must be auto or cpu with this machine"):
        device.choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose_device("auto") == device.choose_device("cuda") == torch.device("cuda")
