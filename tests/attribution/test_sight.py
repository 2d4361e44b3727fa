"""The results of `see`: labels that fit, z-scores, and targets that can be pasted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

import phosphene
from phosphene.attribution import Sight, see
from phosphene.attribution.view import view, view_size
from phosphene.errors import ImageError, SettingError, UnknownNameError
from phosphene.nets.base import ChainNet, Net
from phosphene.nets.card import Card
from phosphene.nets.zoo import pocket
from phosphene.objectives import parse, resolve
from tests.tinynet import tiny_net

CATS = {"tabby", "Persian cat", "Egyptian cat"}


@pytest.fixture(scope="module")
def net() -> Net:
    return pocket.load()


@pytest.fixture(scope="module")
def cup(net: Net) -> Sight:
    return see(data.coffee(), net=net)


def with_card(net: ChainNet, **changes: object) -> Net:
    """The net with a card that knows less."""
    net.card = dataclasses.replace(net.card, **changes)  # type: ignore[arg-type]
    return net


def targets(sight: Sight) -> list[str]:
    each = (*sight.labels, *sight.layers, *sight.channels)
    return [*(one.target for one in each), *(one.neuron for one in sight.channels)]


def test_a_cup_of_espresso(cup: Sight) -> None:
    assert cup.labels[0][:2] == ("espresso", "class:espresso")
    assert cup.labels[0].probability > 0.5
    assert cup.net == "pocket"
    assert cup.has_statistics


def test_a_cat_is_among_the_first_five(net: Net) -> None:
    assert CATS & {each.label for each in see(data.chelsea(), net=net).labels}


def test_a_cat_of_no_certain_breed_is_a_cat() -> None:
    (cat,) = see(data.chelsea(), net="lite-clean").hypernyms
    assert cat.label in ("cat", "domestic cat", "feline")
    assert cat.target == f"class:{cat.label}"
    assert cat.probability > 0.7


def test_words_are_told_that_say_more_than_their_labels(cup: Sight, net: Net) -> None:
    assert not cup.hypernyms  # it is an espresso: beverage would say less
    assert not see(data.coffee(), net=with_card(pocket.load(), identifiers=("",) * 200)).hypernyms


def test_every_kind_falls_from_the_most_to_the_least(cup: Sight) -> None:
    for found in (
        [each.probability for each in cup.labels],
        [each.relative_response for each in cup.layers],
        [each.z_score for each in cup.channels],
    ):
        assert len(found) == 5
        assert found == sorted(found, reverse=True)
        assert found[-1] > 0
    assert sum(each.probability for each in cup.labels) < 1


def test_every_target_is_one(cup: Sight, net: Net) -> None:
    assert len(set(targets(cup))) == 20
    for text in targets(cup):
        assert str(parse(text)) == text
        resolve(parse(text), net.card)


def test_a_neuron_is_where_its_channel_is_strongest(net: Net) -> None:
    image = torch.from_numpy(data.rocket()).permute(2, 0, 1)[None] / 255
    shown = view(image, net.card)
    for each in see(image[0], net=net, count=20).channels:
        neuron, channel = (resolve(parse(text), net.card) for text in (each.neuron, each.target))
        (layer,) = channel.layers()
        features = net(torch.cat((shown, shown.flip(3))), [layer])[layer]
        average = (features[:1] + features[1:].flip(3)) / 2
        index = int(each.target.rpartition(":")[2])
        strongest = torch.full_like(average, 0)
        strongest[:, index] = average[:, index].max()
        assert neuron({layer: average}) == pytest.approx(channel({layer: strongest}).item(), rel=1e-4)


def test_what_is_seen_can_be_dreamt(cup: Sight) -> None:
    picture = data.coffee()[::8, ::8].copy()
    for text in (cup.labels[0].target, cup.layers[0].target, cup.channels[0].target, cup.channels[0].neuron):
        assert phosphene.dream(picture, target=text, net=cup.net, octaves=1, steps=1).size == (50, 75)


def test_a_mirror_image_is_seen_alike(net: Net) -> None:
    one, other = (see(np.ascontiguousarray(each), net=net) for each in (data.rocket(), data.rocket()[:, ::-1]))
    assert [each.label for each in one.labels] == [each.label for each in other.labels]
    assert {each.target for each in one.channels} == {each.target for each in other.channels}
    assert one.channels[0].x == pytest.approx(1 - other.channels[0].x, abs=0.002)


def test_size_hardly_matters(net: Net) -> None:
    photo = PIL.Image.fromarray(data.coffee())
    large = see(photo.resize((3000, 2000)), net=net, count=1)
    assert large.labels[0].label == "espresso"
    assert large.labels[0].probability == pytest.approx(see(photo, net=net).labels[0].probability, abs=0.1)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (64, 64), (40, 900)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_empty_tiny_and_long_pictures(net: Net, size: tuple[int, int], value: int) -> None:
    sight = see(np.full((*size, 3), value, np.uint8), net=net, count=2)
    assert len(sight.labels) == len(sight.layers) == 2
    assert all(0 <= each.probability <= 1 for each in sight.labels)
    for text in targets(sight):
        resolve(parse(text), net.card)


def test_transparent_parts_are_not_seen(net: Net) -> None:
    clear = np.zeros((64, 64, 4), np.uint8)
    hidden = clear.copy()
    hidden[..., :3] = data.coffee()[:64, :64]
    assert see(clear, net=net) == see(hidden, net=net)


def test_a_net_without_usual_levels_compares_channels_with_one_another() -> None:
    sight = see(data.coffee(), net=tiny_net(statistics=False), count=3)
    assert (sight.has_statistics, sight.layers) == (False, ())
    assert len(sight.channels) == 3
    assert len(sight.labels) == 3


def test_a_net_without_classes_has_no_labels() -> None:
    net = tiny_net()
    net = with_card(net, classes=None, pooled=None, labels=(), layers={"low": net.card.layers["low"]})
    sight = see(data.coffee(), net=net)
    assert sight.labels == ()
    assert {each.target for each in sight.layers} == {"low"}


def test_a_label_that_two_classes_share_is_asked_for_by_another_name() -> None:
    net = with_card(tiny_net(), labels=(("crane",), ("crane", "hoist"), ("crane", "Crane")))
    found = {each.target for each in see(data.coffee(), net=net).labels}
    assert found == {"class:crane", "class:hoist", "class:2"}


def test_silent_channels_are_left_out() -> None:
    net = tiny_net()
    layers = dict(net.card.layers)
    statistics = layers["low"].statistics
    assert statistics is not None
    std = statistics.std.clone()
    std[1:] = 0
    layers["low"] = dataclasses.replace(layers["low"], statistics=dataclasses.replace(statistics, std=std))
    sight = see(data.coffee(), net=with_card(net, layers=layers), count=100)
    assert {each.target for each in sight.channels if each.target.startswith("low")} <= {"low:0"}


def test_mistakes_are_answered(net: Net, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'pocket'"):
        see(data.coffee(), net="poket")
    with pytest.raises(SettingError, match="count must be 1 or more, but is 0"):
        see(data.coffee(), net=net, count=0)
    with pytest.raises(SettingError, match="not a batch of 2"):
        see(torch.zeros(2, 3, 8, 8), net=net)
    with pytest.raises(ImageError, match="there is no file"):
        see(tmp_path / "nowhere.jpg", net=net)


def test_seeing_leaves_no_trace(net: Net) -> None:
    before = torch.random.get_rng_state()
    picture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))
    kept = picture.clone()
    phosphene.see(picture)
    assert torch.equal(picture, kept)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize("size", [(1, 1), (300, 451), (4000, 6000), (10, 1000), (1000, 10)])
@pytest.mark.parametrize("factor", [1.0, 1.25, 3.0])
def test_sizes_shown_keep_proportions_and_cover_all_positions(net: Net, size: tuple[int, int], factor: float) -> None:
    card: Card = net.card
    height, width = view_size(size, card, factor)
    assert height % 16 == width % 16 == 0
    assert height * width == pytest.approx((card.input.size * factor) ** 2, rel=0.25)
    proportion = min(max(size[0] / size[1], 1 / 4), 4)
    assert height / width == pytest.approx(proportion, rel=0.25)
