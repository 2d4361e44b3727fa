"""Hypothesis strategies for expressions and their texts, and a small net's card to resolve them on."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from phosphene.nets.card import ActivationStatistics, Card, InputSpec, LayerCard
from phosphene.nets.receptive import Field
from phosphene.objectives.base import Leaf, Objective, Scaled, Sum
from phosphene.objectives.features import Channel, Class, Neuron, Word
from phosphene.objectives.functions.guide import Guide
from phosphene.objectives.functions.like import Like

CHANNELS = {
    "conv1": 4,
    "mixed4c": 6,
    "inception_4c/output": 6,
    "odd + name": 3,
    "class": 5,
    "3x3": 2,
    "logits": 5,
}
LABELS = (
    ("banana",),
    ("golden retriever", "retriever"),
    ("go-kart",),
    ("jack-o'-lantern",),
    ("Petri dish, 10 cm",),
)


def card(*, classes: bool = True) -> Card:
    """A card of layers and labels with odd names; `conv1` has no statistics."""
    layers = {}
    for number, (name, channels) in enumerate(CHANNELS.items()):
        std = torch.linspace(0.5, 2.0, channels) * (number + 1)
        statistics = None if name == "conv1" else ActivationStatistics(std * 0.5, std, std * 8)
        layers[name] = LayerCard(name, channels, None if name == "logits" else Field(), statistics)
    return Card(
        name="small",
        title="a net that is only a card",
        input=InputSpec(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), size=16),
        layers=layers,
        labels=LABELS if classes else (),
        classes="logits" if classes else None,
        pooled="mixed4c" if classes else None,
        default_target="mixed4c",
        source="this file",
        sha256="",
        licence="",
    )


_usual_names = st.sampled_from([*CHANNELS, *(name for names in LABELS for name in names)])
_odd_names = st.text(min_size=1, max_size=8) | st.text("aZ9_/.' -+*():@,\"\\\n1e", min_size=1, max_size=8)
names = _usual_names | _odd_names
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float)
_indices = st.integers(0, 10**9 - 1)
_places = st.floats(0, 1)


def leaves() -> st.SearchStrategy[Leaf]:
    """Every leaf that a text can say."""
    return st.one_of(
        st.builds(Word, names, any=st.booleans()),
        st.builds(Class, names, any=st.booleans()),
        st.builds(Channel, names, _indices),
        st.builds(Neuron, names, _indices, _places, _places),
        st.builds(Guide, names, names),
        st.builds(Like, names, names),
    )


def objectives() -> st.SearchStrategy[Objective]:
    """Every expression that a text can say."""
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.builds(Scaled, numbers, inner),
            st.lists(inner, min_size=2, max_size=4).map(tuple).map(Sum),
        ),
        max_leaves=8,
    )
