"""WordNet over the labels: every label has its synset, words stand above the right ones, and networks share labels."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import pytest

from phosphene import nets
from phosphene.errors import UnknownNameError
from phosphene.nets import wordnet
from phosphene.nets.card import Card
from phosphene.nets.weights import package

CRANES = MappingProxyType({"bird": "n02012849", "machine": "n03126707"})


@cache
def card(name: str) -> Card:
    return nets.describe(name)


def first_names(card: Card, word: str) -> set[str]:
    return {card.labels[index][0] for index in card.find_labels(word)}


@pytest.mark.parametrize("name", ["pocket", "lite", "googlenet", "resnet50"])
def test_every_label_has_its_synset_whose_words_are_its_names(name: str) -> None:
    assert len(set(card(name).synsets)) == len(card(name).labels)
    for names, id in zip(card(name).labels, card(name).synsets, strict=True):
        assert names == wordnet.synsets()[id].words


def test_counts() -> None:
    lite = card("lite")
    counts = {"dog": 118, "bird": 59, "car": 10, "cat": 7, "fruit": 16, "fish": 16, "snake": 17, "insect": 27}
    assert {word: len(lite.find_labels(word)) for word in counts} == counts
    assert len(card("pocket").find_labels("dog")) == 6
    assert len(card("inception5h").find_labels("dog")) == 118


def test_spot_checks() -> None:
    pocket = card("pocket")
    assert first_names(pocket, "cat") == {"tabby", "Persian cat", "Egyptian cat", "cougar"}  # no lion: a big cat
    assert first_names(pocket, "car") == {"beach wagon", "convertible", "limousine", "sports car"}  # no freight car
    assert first_names(pocket, "Fruit") == {"orange", "lemon", "banana", "pomegranate", "acorn"}
    assert {"hotdog", "dogsled", "African hunting dog"}.isdisjoint(first_names(card("lite"), "dog"))


@pytest.mark.parametrize("name", ["lite", "inception5h"])
def test_one_crane_is_a_bird_and_the_other_a_machine(name: str) -> None:
    cranes = [index for index, names in enumerate(card(name).labels) if names == ("crane",)]
    bird, machine = (card(name).synsets.index(CRANES[kind]) for kind in ("bird", "machine"))
    assert {bird, machine} == set(cranes)
    assert bird in card(name).find_labels("wading bird")
    assert machine in card(name).find_labels("lifting device")
    assert machine not in card(name).find_labels("bird")


def test_a_label_is_found_before_a_word_above_labels() -> None:
    lite = card("lite")
    assert lite.find_labels("tabby") == (lite.find_label("tabby"),)
    assert lite.find_labels("amphibian") == (lite.find_label("amphibious vehicle"),)  # although a newt is one too
    assert lite.find_labels("7") == (7,)


def test_a_word_without_labels_here_is_told_from_one_that_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="no label named 'zebra' in net 'pocket', nor any label of that kind"):
        card("pocket").find_labels("zebra")
    with pytest.raises(UnknownNameError, match=r"no label named 'xyzzy' in net 'pocket'$"):
        card("pocket").find_labels("xyzzy")
    with pytest.raises(UnknownNameError, match="did you mean 'bird'"):
        card("pocket").find_labels("bidr")


@pytest.mark.parametrize("form", ["all", "one text", "first", "id"])
def test_imagenets_labels_are_recognised_however_they_are_written(form: str) -> None:
    ids, names = package.synsets("labels/imagenet.tsv"), package.labels("labels/imagenet.tsv")
    labels = {
        "all": names,
        "one text": tuple((", ".join(each),) for each in names),
        "first": tuple((each[0].replace(" ", "_"),) for each in names),
        "id": tuple((id,) for id in ids),
    }
    assert wordnet.match(labels[form]) == ids


def test_other_labels_have_no_words_above_them() -> None:
    assert not card("googlenet-places205").hypernyms
    assert wordnet.match((("golden retriever",), ("a",), ("b",))) == ("", "", "")
    assert wordnet.match((("golden retriever",), ("crane",))) == ("n02099601", "")  # which of the two cranes?
    assert wordnet.match(()) == ()


def test_networks_share_labels_by_synset() -> None:
    pocket, lite = card("pocket"), card("lite")
    shared = wordnet.shared_labels(pocket, lite)
    assert set(shared) == set(range(200))
    assert all(pocket.synsets[one] == lite.synsets[other] for one, other in shared.items())
    assert lite.synsets[shared[pocket.find_label("crane")]] == CRANES["machine"]  # not the first of that name
    assert len(wordnet.shared_labels(lite, pocket)) == 200
    assert wordnet.shared_labels(pocket, card("googlenet-places205")) == {}
