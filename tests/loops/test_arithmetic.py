"""Arithmetic: random numbers depend on their place alone; Adam resumes; version 1 derives as 0.1.0 did."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from phosphene.errors import RecipeError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.step import number, pack, unpack
from phosphene.loops.version1 import Version1, arithmetic_for

PLACES = st.integers(0, 50)
KINDS = pytest.mark.parametrize("kind", [Arithmetic, Version1])


@KINDS
@given(seed=st.integers(0, 2**32 - 1), octave=PLACES, step=PLACES)
def test_numbers_depend_on_their_place_alone(kind: type[Arithmetic], seed: int, octave: int, step: int) -> None:
    def numbers(seed: int, octave: int, step: int) -> list[object]:
        arithmetic = kind(seed)
        rng = arithmetic.rng("views", octave, step)
        return [arithmetic.integers(-9, 9, 12, "jitter", octave, step), torch.rand(4, generator=rng).tolist()]

    first = numbers(seed, octave, step)
    assert first == numbers(seed, octave, step)
    assert first != numbers(seed, octave, step + 1)
    assert first != numbers(seed, octave + 1, step)
    assert first != numbers(seed + 1, octave, step)


@KINDS
def test_whole_numbers_reach_both_limits(kind: type[Arithmetic]) -> None:
    assert set(kind(0).integers(-2, 2, 200, "jitter", 0, 0)) == {-2, -1, 0, 1, 2}


@KINDS
def test_parts_of_the_work_have_numbers_of_their_own(kind: type[Arithmetic]) -> None:
    arithmetic = kind(5)
    seeds = {arithmetic.at("frame", index).seed for index in range(-12, 50)}
    assert len(seeds | {arithmetic.seed}) == 63


def test_purposes_have_numbers_of_their_own() -> None:
    arithmetic = Arithmetic(0)
    labels = ("views", "canvas", "sketches", "noise", "jitter")
    assert len({arithmetic.rng(label, 0, 0).initial_seed() for label in labels}) == len(labels)


def test_version_1_derives_as_it_did() -> None:
    old = Version1(9)
    drawn = random.Random("9/2/7")
    assert old.integers(-16, 16, 2, "jitter", 2, 7) == [drawn.randint(-16, 16), drawn.randint(-16, 16)]
    assert old.rng("views", 2, 7).initial_seed() == random.Random("9/2/7").getrandbits(63)
    assert old.rng("canvas").initial_seed() == random.Random("9/0/-1").getrandbits(63)
    assert old.rng("noise").initial_seed() == 9
    assert old.at("frame", -3).seed == random.Random("9/-3").getrandbits(32)
    assert old.at("batch", 0).seed == 9
    assert old.at("batch", 2).seed == random.Random("9/2").getrandbits(63)


def test_the_version_decides() -> None:
    assert isinstance(arithmetic_for(1, 0), Version1)
    assert not isinstance(arithmetic_for(2, 0), Version1)


def gradients(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, 2, generator=generator) for _ in range(count)]


@KINDS
def test_steps_are_those_of_adam_uphill(kind: type[Arithmetic]) -> None:
    parameter, reference = (nn.Parameter(torch.ones(3, 2)) for _ in range(2))
    ours = kind(0).optimizer(parameter, (0.9, 0.99))
    theirs = torch.optim.Adam([reference], betas=(0.9, 0.99), maximize=True)
    for i, gradient in enumerate(gradients(8)):
        rate = 0.3 / (i + 1)
        ours.step(gradient, rate)
        theirs.param_groups[0]["lr"] = rate
        reference.grad = gradient
        theirs.step()
    torch.testing.assert_close(parameter, reference, rtol=1e-5, atol=1e-5)


@KINDS
def test_scaled_gradients_take_the_same_steps(kind: type[Arithmetic]) -> None:
    results = []
    for scale in (1.0, 1e-12, 1e6):
        parameter = nn.Parameter(torch.zeros(3, 2))
        optimizer = kind(0).optimizer(parameter, (0.9, 0.999))
        for gradient in gradients(5):
            optimizer.step(scale * gradient, 0.1)
        results.append(parameter.detach())
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(results[2], results[0], rtol=1e-4, atol=1e-5)


@KINDS
def test_each_row_may_have_a_rate_of_its_own(kind: type[Arithmetic]) -> None:
    parameter = nn.Parameter(torch.zeros(3, 2))
    kind(0).optimizer(parameter, (0.9, 0.99)).step(gradients(1)[0], torch.tensor([[0.0], [0.1], [0.2]]))
    torch.testing.assert_close(parameter.detach().abs(), torch.tensor([[0.0], [0.1], [0.2]]).expand(3, 2))


@KINDS
@pytest.mark.parametrize("stop", [0, 1, 4])
def test_a_resumed_optimizer_takes_the_same_steps(kind: type[Arithmetic], stop: int) -> None:
    parameter = nn.Parameter(torch.ones(3, 2))
    optimizer = kind(0).optimizer(parameter, (0.9, 0.99))
    for gradient in gradients(6)[:stop]:
        optimizer.step(gradient, 0.1)
    saved, other = pack(optimizer.state()), nn.Parameter(parameter.detach().clone())
    resumed = kind(0).optimizer(other, (0.9, 0.99))
    resumed.resume(unpack(saved))
    for gradient in gradients(6)[stop:]:
        for each in (optimizer, resumed):
            each.step(gradient, 0.1)
    assert torch.equal(parameter, other)
    assert pack(optimizer.state()) == pack(resumed.state())


@given(whole=st.integers(-(2**62), 2**62), real=st.floats(allow_nan=False, allow_infinity=False))
def test_a_state_keeps_numbers_exactly(whole: int, real: float) -> None:
    state = unpack(pack({"whole": number(whole), "real": number(real), "view": torch.arange(6.0).view(2, 3).T}))
    assert int(state["whole"]) == whole
    assert float(state["real"]) == real
    assert torch.equal(state["view"], torch.arange(6.0).view(2, 3).T)


@pytest.mark.parametrize("data", [b"", b"nonsense", pack({"a": torch.zeros(3)})[:-1]])
def test_bytes_that_are_no_state_are_refused(data: bytes) -> None:
    with pytest.raises(RecipeError, match="saved state"):
        unpack(data)
