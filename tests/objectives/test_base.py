"""Expressions are linear in their leaves, and are resolved on a net or say why they cannot be."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.errors import ExpressionError, PhospheneError, SettingError, UnknownNameError
from phosphene.objectives import Channel, Class, Guide, Layer, Neuron, Objective, Scaled, Sum, Word, parse, resolve
from phosphene.objectives.base import DEEPEST
from tests.objectives.expressions import CHANNELS, card, names, objectives

CARD = card()


def test_scales_of_sums_multiply_out() -> None:
    objective = parse("2*(a - 3*(b + c)) - b")
    assert objective.terms() == ((2.0, Word("a")), (-6.0, Word("b")), (-6.0, Word("c")), (-1.0, Word("b")))


@given(objectives())
def test_terms_have_the_leaves_in_the_order_of_the_text(objective: Objective) -> None:
    seen = []
    objective.with_leaves(lambda leaf: (seen.append(leaf), leaf)[1])
    assert [leaf for _, leaf in objective.terms()] == seen
    assert objective.with_leaves(lambda leaf: leaf) == objective


@given(objectives())
def test_expressions_can_be_kept_in_sets_and_pickled(objective: Objective) -> None:
    assert {objective, pickle.loads(pickle.dumps(objective))} == {objective}


def test_the_score_is_the_sum_of_scaled_leaves() -> None:
    activations = {name: torch.rand(2, channels, 3, 4) for name, channels in CHANNELS.items()}
    activations["logits"] = torch.rand(2, CHANNELS["logits"])
    objective = resolve(parse("mixed4c - 0.5*(conv1:2 + 2*banana) + 3x3:0@0,1"), CARD)
    assert objective.layers() == {"mixed4c", "conv1", "logits", "3x3"}
    by_hand = sum(k * leaf.score(activations[leaf.layer]) for k, leaf in objective.terms())
    torch.testing.assert_close(objective(activations), by_hand)
    assert objective(activations).shape == (2,)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("mixed4c", Layer("mixed4c")),
        ("banana", Class("banana")),
        ("Golden_Retriever", Class("Golden_Retriever")),
        ("go-kart - jack-o'-lantern", Class("go-kart") - Class("jack-o'-lantern")),
        ("class", Layer("class")),
        ("class:1", Class("1")),
        ('class:"Petri dish, 10 cm"', Class("Petri dish, 10 cm")),
        ("logits", Layer("logits")),
        ("logits:3", Channel("logits", 3)),
    ],
)
def test_words_are_layers_or_else_classes(text: str, resolved: Objective) -> None:
    assert resolve(parse(text), CARD) == resolved


@given(st.sampled_from([*CHANNELS]) | names)
def test_a_layer_made_in_python_means_what_its_text_means(name: str) -> None:
    made = resolved_or_error(Layer(name))
    if isinstance(made, Layer):
        assert resolved_or_error(parse(str(Layer(name)))) == made


def resolved_or_error(objective: Objective) -> Objective | PhospheneError:
    """What `resolve` gives, or what it says."""
    try:
        return resolve(objective, CARD)
    except PhospheneError as error:
        return error


@given(objectives())
def test_any_expression_resolves_or_is_answered_in_one_line(objective: Objective) -> None:
    answer = resolved_or_error(objective)
    if isinstance(answer, PhospheneError):
        assert len(str(answer).splitlines()) == 1
    else:
        assert resolve(parse(str(answer)), CARD) == answer


def test_leaves_carry_the_usual_level_of_their_layer() -> None:
    objective = resolve(parse("mixed4c + mixed4c:1 + mixed4c:1@0,0 + conv1"), CARD)
    usuals = [leaf.statistics for _, leaf in objective.terms()]
    assert all(statistics is CARD.layers["mixed4c"].statistics for statistics in usuals[:3])
    assert usuals[3] is None
    plain = resolve(objective, CARD, normalised=False)
    assert all(leaf.statistics is None for _, leaf in plain.terms())
    assert plain == objective


def test_an_unknown_word_is_answered_from_layers_and_labels() -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve(parse("mixed4d + banana"), CARD)
    assert caught.value.nearest[0] == "mixed4c"
    with pytest.raises(UnknownNameError) as caught:
        resolve(parse("golden retreiver"), CARD)
    assert caught.value.nearest[0] == "golden retriever"
    with pytest.raises(UnknownNameError) as caught:
        resolve(parse("mixed4d:2"), CARD)
    assert caught.value.nearest[0] == "mixed4c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mixed4c:900", "mixed4c has channels 0 to 5, 900 was asked for"),
        ("mixed4c:6@0,0", "mixed4c has channels 0 to 5, 6 was asked for"),
        ("logits:3@0,0", "'logits:3'"),
        ("guide(a.jpg, logits)", "no positions"),
        ("class:5", "classes 0 to 4, 5 was asked for"),
        ("mixed4c-banana", "'mixed4c - banana'"),
        ("go-kart-jack-o'-lantern", "'go-kart - jack-o'-lantern'"),
        ("1e200*(1e200*mixed4c)", "inf"),
    ],
)
def test_what_a_net_cannot_score(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        resolve(parse(text), CARD)
    assert said in str(caught.value)


def test_a_net_without_classes_says_so() -> None:
    with pytest.raises(ExpressionError, match="no classes"):
        resolve(parse("class:banana"), card(classes=False))
    with pytest.raises(UnknownNameError, match="no layer named 'banana'"):
        resolve(parse("banana"), card(classes=False))


@pytest.mark.parametrize("objective", [Word("banana"), Class("banana"), Layer("mixed4c") + Class("banana")])
def test_before_it_is_resolved_a_class_has_no_layer(objective: Objective) -> None:
    with pytest.raises(ExpressionError, match="resolve"):
        objective.layers()
    with pytest.raises(ExpressionError, match="resolve"):
        objective({"mixed4c": torch.rand(1, 6, 2, 2)})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Layer("a") * math.nan,
        lambda: math.inf * Layer("a"),
        lambda: Channel("a", -1),
        lambda: Channel("a", 10**30),
        lambda: Neuron("a", 0, 1.5, 0.5),
        lambda: Neuron("a", 0, 0.5, math.nan),
        lambda: Layer(""),
        lambda: Word(""),
        lambda: Class(""),
        lambda: Guide("", "a"),
        lambda: Sum((Layer("a"),)),
    ],
)
def test_nodes_refuse_what_means_nothing(make: object) -> None:
    with pytest.raises(SettingError):
        make()


def test_nodes_refuse_to_be_deeper_than_can_be_read_back() -> None:
    objective: Objective = Word("a")
    for _ in range(DEEPEST):
        objective = Scaled(2.0, objective)
    assert parse(str(objective)) == objective
    with pytest.raises(SettingError, match="deep"):
        Scaled(2.0, objective)
