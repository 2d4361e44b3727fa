"""Several networks score the same images, each with views of its own size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ensemble import Ensemble, Member
from phosphene.loops.imagine import imagine_steps
from phosphene.loops.scorer import Scorer, ViewSpec, unit_length
from phosphene.loops.step import Step, pack, unpack
from phosphene.nets.base import Net
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import ImagineSettings
from tests.tinynet import tiny_net

SETTINGS = ImagineSettings(steps=8, sketches=2, sketch_steps=3, views=2, diversity=0.0)
ONE, OTHER = ViewSpec(2, (16, 16), (0.8, 1.0)), ViewSpec(3, (20, 20), (0.8, 1.0))


def member(seed: int = 0, text: str = "dog") -> Member:
    net = tiny_net()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += seed * 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    return Member(net, resolve(parse(text), net.card))


def image() -> torch.Tensor:
    return torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(5))


def ensemble(*members: Member) -> Ensemble:
    return Ensemble(members, SETTINGS, torch.float32, flip=True)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_one_network_is_its_scorer() -> None:
    only = member()
    scorer = Scorer(only.net, only.objective, SETTINGS, torch.float32, flip=True)
    for found, expected in zip(ensemble(only)(image(), [(ONE,)], rng()), scorer(image(), (ONE,), rng()), strict=True):
        assert found.equal(expected)


def test_directions_of_the_same_length_are_added() -> None:
    looks = [(ONE,), (OTHER,)]
    scores, direction = ensemble(member(), member(1))(image(), looks, rng())
    assert scores.shape == (2,)
    assert torch.allclose(direction.square().mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-4)
    louder = member(1)
    louder = Member(louder.net, 1000.0 * louder.objective)
    _, same = ensemble(member(), louder)(image(), looks, rng())
    assert torch.allclose(direction, same, atol=1e-3)  # no network drowns out another


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_networks_side_by_side_are_those_one_after_the_other(dropout: float) -> None:
    settings = SETTINGS.model_copy(update={"channel_dropout": dropout})
    members, looks = [member(), member(1), member(2)], [(ONE, OTHER), (OTHER,), (ONE,)]
    generator = rng()
    alone = [
        Scorer(each.net, each.objective, settings, torch.float32, flip=True)(image(), views, generator)
        for each, views in zip(members, looks, strict=True)
    ]
    together = Ensemble(members, settings, torch.float32, flip=True)
    scores, direction = together(image(), looks, rng())
    assert torch.get_num_threads() == 2
    assert torch.allclose(scores, torch.stack([each for each, _ in alone]).mean(dim=0), atol=1e-5)
    expected = unit_length(torch.stack([each for _, each in alone]).sum(dim=0))
    assert torch.allclose(direction, expected, atol=1e-4)
    again = together(image(), looks, rng())
    assert again[0].equal(scores)
    assert again[1].equal(direction)


@pytest.mark.parametrize("text", ["dog", "high:3"])
def test_an_imagined_picture_scores_higher_in_every_network(text: str) -> None:
    first, second = member(0, text), member(2, text)
    settings = SETTINGS.model_copy(update={"steps": 24, "smooth": 0.0, "noise": 0.0})
    steps = list(
        imagine_steps(
            first.net, first.objective, settings, arithmetic=Arithmetic(0), others=[second], size=(24, 24),
            precision="float32",
        )
    )  # fmt: skip
    shape = [step for step in steps if step.stage == "shape"]
    for each in (first, second):
        assert score(each, shape[-1]) > score(each, shape[0])


def score(each: Member, step: Step) -> float:
    net: Net = each.net
    with torch.no_grad():
        return float(each.objective(net(step.image, each.objective.layers())).mean())


def test_it_resumes_to_the_same_bytes() -> None:
    first, second = member(), member(1)

    def steps(state: bytes | None = None) -> list[Step]:
        return list(
            imagine_steps(
                first.net, first.objective, SETTINGS, arithmetic=Arithmetic(0), others=[second], size=(20, 28),
                precision="float32", state=None if state is None else unpack(state),
            )
        )  # fmt: skip

    whole = steps()
    for at in (1, 5, len(whole) - 2):
        assert steps(pack(whole[at].state))[-1].image.equal(whole[-1].image)
