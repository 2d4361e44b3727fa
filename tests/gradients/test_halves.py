"""A canvas that is gone through in two halves of the network has the score and the gradient of the whole."""

from __future__ import annotations

import pytest
import torch

from phosphene.gradients.engine import Engine
from phosphene.nets.zoo import catalogue
from phosphene.nets.zoo.graph import GraphNet
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse

BUDGET = 8 << 20
"""Bytes that a canvas of these sizes exceeds."""


@pytest.fixture(scope="module")
def lite() -> GraphNet:
    net = catalogue.load("lite")
    assert isinstance(net, GraphNet)
    return net


def engine_for(net: GraphNet, target: str, **options: int) -> Engine:
    return Engine(net, resolve(parse(target), net.card), precision="float32", **options)


@pytest.mark.parametrize(
    ("target", "size"),
    [
        ("block12/expand:3 - 0.5*block8", (165, 195)),
        ("banana", (160, 191)),
    ],
)
def test_they_are_exact(lite: GraphNet, target: str, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    halves = engine_for(lite, target, budget=BUDGET)
    assert halves.traversal(size).middle == "block4"
    scores, gradient = halves(image)
    expected_scores, expected = engine_for(lite, target, tile=0)(image)
    torch.testing.assert_close(scores, expected_scores)
    assert float((gradient - expected).abs().max() / expected.abs().max()) < 1e-5


def test_what_suits_better_whole_or_in_tiles_is_not_split(lite: GraphNet) -> None:
    assert engine_for(lite, "block13", budget=BUDGET).traversal((96, 96)).middle is None
    assert engine_for(lite, "block3", budget=BUDGET).traversal((165, 195)).middle is None
    assert engine_for(lite, "block13", budget=BUDGET, tile=128).traversal((165, 195)).middle is None


def test_twenty_four_megapixels_are_split_by_default(lite: GraphNet) -> None:
    engine = engine_for(lite, "block15")
    assert engine.traversal((4000, 6000)).middle == "block4"
    assert engine.traversal((512, 512)).middle is None


def test_another_target_of_the_same_engine_has_halves_of_its_own(lite: GraphNet) -> None:
    image = torch.rand(1, 3, 160, 192, generator=torch.Generator().manual_seed(1))
    first = engine_for(lite, "block11", budget=BUDGET)
    first(image)
    other = first.towards(resolve(parse("block11:5"), lite.card))
    expected = engine_for(lite, "block11:5", tile=0)(image)[1]
    assert float((other(image)[1] - expected).abs().max() / expected.abs().max()) < 1e-5
