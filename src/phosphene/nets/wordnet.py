"""WordNet 3.0 over a network's labels: which words stand above them, and which labels two networks share.

    animal ── ... ── dog ── hunting dog ── ... ── retriever ── golden retriever (a label)

A synset is a meaning with its words; its hypernyms are the more general meanings directly above it. The table in
`zoo/labels/wordnet.tsv`, which `scripts/wordnet.py` writes, has the synsets of ImageNet's labels and all that is above
them. Networks without synsets on their labels get them by the labels' names.

Source: Fellbaum (ed.), "WordNet: An Electronic Lexical Database" (MIT Press 1998); Princeton University, WordNet 3.0.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeVar

from phosphene.nets.weights import package

if TYPE_CHECKING:
    from phosphene.nets.card import Card

K = TypeVar("K", bound=Hashable)

TABLE, LABELS = "labels/wordnet.tsv", "labels/imagenet.tsv"

KNOWN_SHARE = 0.5
"""Share of a network's labels that must be ImageNet's for their synsets to be told by name. Other networks, such as
those of places, share some names with ImageNet by chance; a word would cover an arbitrary part of their labels."""

_SENSE = re.compile(r"(.*)#([0-9]+)")


@dataclass(frozen=True)
class Synset:
    """A meaning: its id, the ids of those directly above it, and its words, the best known first.

    `senses[i]` says which of the meanings of `words[i]` it is, the most frequent one being 1.
    """

    id: str
    hypernyms: tuple[str, ...]
    words: tuple[str, ...]
    senses: tuple[int, ...]


@dataclass(frozen=True)
class Hypernym:
    """A word above labels of a network, and the indices of the labels that it stands above."""

    word: str
    synset: str
    members: tuple[int, ...]


def fold(name: str) -> str:
    """Return `name` as names are compared: without case, underscores and repeated spaces.

    >>> fold("Golden_retriever")
    'golden retriever'
    """
    return " ".join(name.casefold().replace("_", " ").split())


@cache
def synsets() -> Mapping[str, Synset]:
    """Return the table, by id."""
    found = {}
    for id, above, words in package.rows(TABLE):
        parsed = [_SENSE.fullmatch(each) for each in words.split(", ")]
        names = tuple(match[1] if match else each for match, each in zip(parsed, words.split(", "), strict=True))
        found[id] = Synset(id, tuple(above.split()), names, tuple(int(match[2]) if match else 1 for match in parsed))
    return found


@cache
def above(id: str) -> frozenset[str]:
    """Return the ids of all synsets above one, at any distance.

    >>> "n02084071" in above("n02099601")     # a dog, and a golden retriever
    True
    """
    direct = synsets()[id].hypernyms
    return frozenset(direct).union(*map(above, direct))


@lru_cache(maxsize=16)
def hypernyms(labelled: tuple[str, ...]) -> Mapping[str, Hypernym]:
    """Return the words above these labels, given by their synsets, folded; the most general words come first.

    A word with several meanings has its most frequent one, of those that stand above any of ImageNet's labels, so that
    it means the same for every network: a car is a motor car, not a railway car.
    """
    members: dict[str, list[int]] = {}
    for index, id in enumerate(labelled):
        for each in above(id) if id in synsets() else ():
            members.setdefault(each, []).append(index)
    ranked = sorted(members, key=lambda id: -len(members[id]))
    return {
        fold(word): Hypernym(word, id, tuple(members[id]))
        for id in ranked
        for word in synsets()[id].words
        if _meanings()[fold(word)] == id
    }


@cache
def _meanings() -> Mapping[str, str]:
    """Return the synset that each word above ImageNet's labels stands for."""
    inner = {id for each in synsets().values() for id in each.hypernyms}
    ranked: dict[str, tuple[int, str]] = {}
    for id in inner:
        for word, sense in zip(synsets()[id].words, synsets()[id].senses, strict=True):
            ranked[fold(word)] = min(ranked.get(fold(word), (sense, id)), (sense, id))
    return {word: id for word, (_, id) in ranked.items()}


def is_known(word: str) -> bool:
    """Return whether WordNet's table has this word, above ImageNet's labels or as one of them."""
    return fold(word) in _meanings() or fold(word) in _by_word()


@lru_cache(maxsize=16)
def match(labels: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the synset of each label, found by its names; empty where there is none, or more than one could be meant.

    >>> from phosphene.nets.weights.package import labels
    >>> match(labels("labels/imagenet.tsv"))[:2]
    ('n01440764', 'n01443537')

    Names as they are common for ImageNet are understood: all of a synset's words, separately or in one text, the first
    one alone, or the synset's id. Labels of the same names (two are called crane) are told apart by their order, which
    is ImageNet's. If less than `KNOWN_SHARE` of the labels are found, the network has others, and none has a synset.
    """
    places: dict[tuple[str, ...], list[int]] = {}
    for index, names in enumerate(labels):
        places.setdefault(_names(names), []).append(index)
    found = [""] * len(labels)
    for names, indices in places.items():
        for index, id in zip(indices, _meant(names, len(indices)), strict=False):
            found[index] = id
    known = sum(map(bool, found))
    return tuple(found) if known >= KNOWN_SHARE * len(labels) else ("",) * len(labels)


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fold(each) for name in names for each in name.split(",")))


def _meant(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return the synsets of `count` labels that all have these names; none where it cannot be told.

    All names are compared first, then the first alone, then each with every word.
    """
    if count == 1 and names[0] in _labelled():
        return names[:1]
    ways = [_by_names().get(names, ()), _by_first().get(names[0], ())]
    ways += [_by_word().get(name, ()) for name in names]
    return next((ids for ids in ways if len(ids) == count), ())


@cache
def _labelled() -> Mapping[str, tuple[str, ...]]:
    """Return the names of ImageNet's labels, by synset, in ImageNet's order."""
    return {id: _names([names]) for _, id, names in package.rows(LABELS)}


@cache
def _by_names() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    return _grouped((names, id) for id, names in _labelled().items())


@cache
def _by_first() -> Mapping[str, tuple[str, ...]]:
    return _grouped((names[0], id) for id, names in _labelled().items())


@cache
def _by_word() -> Mapping[str, tuple[str, ...]]:
    return _grouped((name, id) for id, names in _labelled().items() for name in names)


def _grouped(pairs: Iterable[tuple[K, str]]) -> Mapping[K, tuple[str, ...]]:
    found: dict[K, tuple[str, ...]] = {}
    for key, id in pairs:
        found[key] = (*found.get(key, ()), id)
    return found


def shared_labels(one: Card, other: Card) -> dict[int, int]:
    """Return the labels that two networks share: for each class index of `one` that of the same synset in `other`.

    >>> from phosphene import nets
    >>> pocket, googlenet = nets.load("pocket").card, nets.describe("googlenet")
    >>> shared = shared_labels(pocket, googlenet)
    >>> googlenet.labels[shared[pocket.find_label("goldfish")]][0]
    'goldfish'

    A label without a synset is shared with none. Where several classes of `other` have one synset, it is the first.
    """
    places: dict[str, int] = {}
    for index, id in enumerate(other.synsets):
        if id:
            places.setdefault(id, index)
    return {index: places[id] for index, id in enumerate(one.synsets) if id in places}
