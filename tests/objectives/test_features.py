"""Layers, channels, neurons, classes and guides: their scores, gradients, and sums over tiles."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene import nets
from phosphene.errors import ExpressionError, UnknownNameError
from phosphene.nets.card import ActivationStatistics
from phosphene.objectives import Channel, Class, Guide, Layer, Leaf, Neuron, parse, resolve
from phosphene.types import Region

C, H, W = 4, 7, 9
USUAL = ActivationStatistics(
    mean=torch.full((C,), 0.3), std=torch.tensor([0.5, 1.0, 2.0, 0.0]), maximum=torch.full((C,), 9.0)
)


def random(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Seeded responses of both signs."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


SPATIAL: list[Leaf] = [
    leaf
    for statistics in (None, USUAL)
    for leaf in (
        Layer("a", statistics=statistics),
        Layer("a", summed=True),
        Channel("a", 1, statistics=statistics),
        Channel("a", 3, statistics=statistics),
        Neuron("a", 2, 0.5, 0.99, statistics=statistics),
        Neuron("a", 2, 1.0, 0.0, statistics=statistics),
        Guide("g.jpg", "a", statistics=statistics, columns=random(C, 5, dtype=torch.float32, seed=1)),
    )
]
CLASSES: list[Leaf] = [Class("banana", "logits", (2,)), Class("banana", "logits", (1,), USUAL)]
NAMED = [pytest.param(leaf, id=f"{leaf}{'-normalised' * bool(leaf.statistics)}") for leaf in SPATIAL]


def test_a_layer_scores_the_mean_log_response_of_its_channels() -> None:
    a = random(2, C, H, W)
    unit = (a[:, :3] / USUAL.std[:3, None, None]).square()  # channel 3 never responds, and is left out
    expected = 0.5 * (0.05 + unit.mean(dim=(2, 3))).log().mean(dim=1)
    torch.testing.assert_close(Layer("a", USUAL).score(a), expected)
    torch.testing.assert_close(Layer("a", summed=True).score(a), 0.5 * a.square().sum(dim=(1, 2, 3)))


def test_no_channel_outweighs_another_by_being_loud() -> None:
    a = random(1, C, H, W)
    loud = a.clone()
    loud[:, 2] *= 100
    for statistics in (USUAL, None):
        shares = []
        for activation in (a, loud):
            activation = activation.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(Layer("a", statistics).score(activation).sum(), activation)
            shares.append((gradient * activation).sum(dim=(0, 2, 3)))  # what growing by 1 % brings, channel by channel
        assert shares[1][2] < 2 * shares[1][0]
        assert shares[1][2] < 2 * shares[0][2]


def test_a_nearly_silent_channel_does_not_rule_the_layer() -> None:
    nearly = replace(USUAL, std=torch.tensor([0.5, 1.0, 2.0, 1e-6]))
    a = random(2, C, H, W)
    torch.testing.assert_close(Layer("a", nearly).score(a), Layer("a", USUAL).score(a))
    assert Channel("a", 3, nearly).score(a).abs().max() < 10
    silent = replace(USUAL, std=torch.zeros(C))
    assert Layer("a", silent).score(a).isfinite().all()


def test_a_channel_scores_its_mean_and_a_neuron_its_response() -> None:
    a = random(2, C, H, W)
    torch.testing.assert_close(Channel("a", 2, USUAL).score(a), a[:, 2].mean(dim=(1, 2)) / 2)
    torch.testing.assert_close(Neuron("a", 2, 0.0, 0.0).score(a), a[:, 2, 0, 0])
    torch.testing.assert_close(Neuron("a", 2, 1.0, 1.0, USUAL).score(a), a[:, 2, H - 1, W - 1] / 2)
    torch.testing.assert_close(Neuron("a", 2, 0.25, 0.75).score(a), a[:, 2, int(0.75 * H), int(0.25 * W)])


def test_a_class_scores_its_logit_less_half_the_log_sum_exp() -> None:
    logits = random(3, C)
    expected = (logits[:, 2] - 0.5 * logits.exp().sum(dim=1).log()) / 2
    torch.testing.assert_close(Class("x", "logits", (2,), USUAL).score(logits), expected)


def test_a_word_scores_what_its_classes_have_in_common_and_any_of_them_the_one_that_leads() -> None:
    logits = random(3, C)
    less, std = 0.5 * logits.exp().sum(dim=1).log(), (USUAL.std[0] + USUAL.std[2]) / 2
    mean, most = logits[:, [0, 2]].mean(dim=1), logits[:, [0, 2]].exp().sum(dim=1).log()
    torch.testing.assert_close(Class("x", "logits", (0, 2), USUAL).score(logits), (mean - less) / std)
    torch.testing.assert_close(Class("x", "logits", (0, 2), USUAL, any=True).score(logits), (most - less) / std)


def test_a_word_is_resolved_to_its_labels() -> None:
    card = nets.describe("pocket")
    for text, same in (("dog", "class:dog"), ("dog:any", "class:domestic dog:any")):
        one, other = (resolve(parse(each), card) for each in (text, same))
        assert isinstance(one, Class)
        assert isinstance(other, Class)
        assert one.indices == other.indices == card.find_labels("dog")
        assert (one.any, other.any) == (text.endswith("any"),) * 2
        assert parse(str(one)) == Class("dog", any=one.any)
    with pytest.raises(ExpressionError, match="'entity' stands above every label of net 'pocket'"):
        resolve(parse("entity"), card)
    with pytest.raises(ExpressionError, match="'mixed4c' is a layer"):
        resolve(parse("mixed4c:any"), card)
    with pytest.raises(UnknownNameError, match="no layer or label named 'zebra' in net 'pocket', nor any label of"):
        resolve(parse("zebra"), card)


@pytest.mark.parametrize("leaf", [Layer("logits", USUAL), Channel("logits", 1, USUAL)])
def test_a_layer_without_positions_is_a_single_position(leaf: Leaf) -> None:
    logits = random(3, C)
    torch.testing.assert_close(leaf.score(logits), leaf.score(logits[:, :, None, None]))


@pytest.mark.parametrize("leaf", NAMED)
@given(data=st.data())
@settings(max_examples=15)
def test_parts_of_the_positions_add_up_to_the_whole(leaf: Leaf, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    rows = sorted({0, height, *data.draw(st.sets(st.integers(0, height), max_size=3))})
    columns = sorted({0, width, *data.draw(st.sets(st.integers(0, width), max_size=3))})
    whole = random(2, C, height, width).requires_grad_()
    parts: Tensor = torch.zeros((), dtype=torch.float64)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = whole[:, :, top:bottom, left:right]
            sums = leaf.reduce(part, Region(top, left, height, width))
            assert sums.requires_grad  # also where this leaf has nothing to say
            parts = parts + sums
    torch.testing.assert_close(parts, leaf.reduce(whole))
    (expected,) = torch.autograd.grad(leaf.score(whole).sum(), whole)
    (gradient,) = torch.autograd.grad(leaf.finalize(parts).sum(), whole)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("leaf", NAMED)
def test_gradients_of_spatial_leaves_are_true(leaf: Leaf) -> None:
    a = random(2, C, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(leaf.score, (a,))
    assert torch.autograd.gradcheck(lambda a: leaf.reduce(a, Region(4, 3, 5, 9)), (a,))


@pytest.mark.parametrize("leaf", [*CLASSES, Layer("logits", USUAL), Channel("logits", 1)])
def test_gradients_of_leaves_on_logits_are_true(leaf: Leaf) -> None:
    assert torch.autograd.gradcheck(leaf.score, (random(2, C).requires_grad_(),))


@pytest.mark.parametrize("leaf", [*SPATIAL, *CLASSES], ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_every_type_gives_scores_in_float32_and_gradients_in_its_own(leaf: Leaf, dtype: torch.dtype) -> None:
    shape = (2, C, 30, 41) if leaf.spatial else (2, C)
    a = random(*shape, dtype=dtype)
    if leaf.spatial:
        a = a.contiguous(memory_format=torch.channels_last)
    a.requires_grad_()
    score = leaf.score(a)
    assert score.dtype == torch.float32
    exact = a.detach().double().requires_grad_()
    reference = leaf.score(exact)
    # A guide's columns are rounded to the activation's type; all else is summed in float32.
    loose = 1e-5 if dtype == torch.float32 or not isinstance(leaf, Guide) else 1e-2
    torch.testing.assert_close(score.double(), reference, rtol=loose, atol=loose)
    (gradient,) = torch.autograd.grad(score.sum(), a)
    (expected,) = torch.autograd.grad(reference.sum(), exact)
    assert gradient.dtype == dtype
    if not isinstance(leaf, Guide):  # whose choice between near ties may differ
        torch.testing.assert_close(gradient.double(), expected, rtol=2e-2, atol=1e-6)


@pytest.mark.parametrize("leaf", [*SPATIAL, *CLASSES], ids=str)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_every_objective_rises_along_its_gradient(leaf: Leaf, seed: int) -> None:
    image = random(1, 3, 6, 8, seed=seed).requires_grad_()
    weight = random(C, 3, 3, 3, seed=seed + 1)

    def score(image: Tensor) -> Tensor:
        a = torch.nn.functional.conv2d(image, weight, padding=1).tanh()
        return leaf.score(a if leaf.spatial else a.mean(dim=(2, 3)))

    before = score(image)
    (gradient,) = torch.autograd.grad(before.sum(), image)
    assert gradient.norm() > 0
    after = score(image.detach() + 1e-3 * gradient / gradient.norm())
    assert after.item() > before.item()


def test_a_batch_is_scored_picture_by_picture() -> None:
    for leaf in SPATIAL:
        a = random(3, C, H, W)
        torch.testing.assert_close(leaf.score(a), torch.cat([leaf.score(each[None]) for each in a]))


def test_the_layer_keeps_nothing_but_the_activation() -> None:
    kept: list[Tensor] = []
    a = random(1, 8, 64, 64, dtype=torch.bfloat16).requires_grad_()
    statistics = ActivationStatistics(torch.ones(8), torch.ones(8), torch.ones(8))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t), t)[1], lambda t: t):
        Layer("a", statistics).score(a)
    assert [t.dtype for t in kept if t.numel() > 8] == [torch.bfloat16]
