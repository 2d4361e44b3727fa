"""Where it is seen: what is planted in a picture is found there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from jaxtyping import Float
from skimage import data
from torch import Tensor

from phosphene.attribution import evidence, heatmap, see
from phosphene.attribution.heat import contributions
from phosphene.attribution.view import view
from phosphene.errors import ExpressionError, UnknownNameError
from phosphene.nets.base import Net
from phosphene.nets.zoo import pocket
from phosphene.objectives import Channel, Class, parse, resolve
from tests.tinynet import tiny_net

CUP = PIL.Image.fromarray(data.coffee()).resize((120, 80))


@pytest.fixture(scope="module")
def net() -> Net:
    return pocket.load()


def planted(left: int, top: int, canvas: tuple[int, int] = (300, 200)) -> PIL.Image.Image:
    """A cup of espresso somewhere on a grey canvas of (width, height)."""
    picture = PIL.Image.new("RGB", canvas, (128, 128, 128))
    picture.paste(CUP, (left, top))
    return picture


def centre(light: Float[Tensor, "1 1 h w"]) -> tuple[float, float]:
    """The centre of mass, x and y in pixels."""
    height, width = light.shape[-2:]
    weight = light[0, 0] / light.sum()
    across = (weight.sum(0) * (torch.arange(width) + 0.5)).sum()
    return across.item(), (weight.sum(1) * (torch.arange(height) + 0.5)).sum().item()


@pytest.mark.parametrize("corner", [(0, 0), (180, 0), (0, 120), (180, 120), (90, 60)])
def test_a_class_is_found_where_it_was_planted(net: Net, corner: tuple[int, int]) -> None:
    left, top = corner
    light = evidence(planted(left, top), "class:espresso", net=net)
    assert light.shape == (1, 1, 200, 300)
    assert (light.min(), light.max()) == (0, pytest.approx(1, abs=0.05))
    x, y = centre(light)
    assert left < x < left + 120
    assert top < y < top + 80


@pytest.mark.parametrize("target", ["mixed3b", "mixed4c", "mixed4c - 0.1*mixed3b", "conv2:66"])
def test_other_targets_are_found_there_too(net: Net, target: str) -> None:
    x, y = centre(evidence(planted(180, 120), target, net=net))
    assert x > 150
    assert y > 100


def test_a_neuron_is_found_at_its_place(net: Net) -> None:
    light = evidence(data.coffee(), see(data.coffee(), net=net, count=1).channels[0].neuron, net=net)
    assert light.max() > 0
    rows, columns = torch.nonzero(light[0, 0] > 0.5, as_tuple=True)
    assert columns.max() - columns.min() < 300
    assert rows.max() - rows.min() < 200


def test_what_speaks_against_is_dark(net: Net) -> None:
    """Two pictures side by side: the difference of what each is lights up one of them."""
    picture = np.concatenate([data.coffee()[:300, 100:400], data.chelsea()[:300, 100:400]], axis=1)
    (cup, _), (cat, _) = (
        centre(evidence(picture, f"{a} - {b}", net=net)) for a, b in (("espresso", "lion"), ("lion", "espresso"))
    )
    assert cup < 300 < cat


def test_evidence_for_a_class_is_its_class_activation_map(net: Net) -> None:
    """Zhou et al. (2016): the class's weights on the pooled layer, at each position."""
    shown = view(torch.from_numpy(data.coffee()).permute(2, 0, 1)[None] / 255, net.card)
    index = net.card.find_label("espresso")
    (found,) = contributions(net, resolve(Channel("logits", index), net.card), shown)
    with torch.no_grad():
        pooled = net(shown, ["mixed5b"])["mixed5b"]
        at_each = net.head(pooled[0].flatten(1).t())[:, index] - net.head(torch.zeros(1, 1024))[0, index]
    statistics = net.card.layers["logits"].statistics
    assert statistics is not None
    expected = (at_each / statistics.std[index]).view(found.shape)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_channels_map_is_its_response(net: Net) -> None:
    shown = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    objective = resolve(parse("mixed4c:13 - 2*mixed3a:1"), net.card)
    maps = list(contributions(net, objective, shown.clone()))
    with torch.no_grad():
        activations = net(shown, objective.layers())
        total = sum(each.mean() for each in maps)
        torch.testing.assert_close(total, objective(activations)[0], rtol=1e-4, atol=1e-5)
        response = activations["mixed4c"][:, 13:14]
    torch.testing.assert_close(maps[0] / maps[0].max(), response / response.max())


def test_by_default_the_top_label_is_shown_or_else_the_top_channel(net: Net) -> None:
    assert torch.equal(evidence(data.coffee(), net=net), evidence(data.coffee(), Class("espresso"), net=net))
    tiny = tiny_net()
    layers = {name: layer for name, layer in tiny.card.layers.items() if name != "logits"}
    tiny.card = dataclasses.replace(tiny.card, classes=None, pooled=None, labels=(), layers=layers)
    assert evidence(data.coffee(), net=tiny).max() > 0


def test_a_layer_without_positions_is_explained_at_the_last_that_has_some() -> None:
    tiny = tiny_net()
    tiny.card = dataclasses.replace(tiny.card, pooled=None)
    assert evidence(data.coffee(), "class:dog", net=tiny).shape == (1, 1, 400, 600)


def test_a_guide_is_found(net: Net, tmp_path: Path) -> None:
    CUP.save(tmp_path / "cup.png")
    x, y = centre(evidence(planted(180, 120), parse(f"guide({tmp_path}/cup.png, mixed4c)"), net=net))
    assert x > 150
    assert y > 100


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (30, 700)])
@pytest.mark.parametrize("target", ["class:banana", "mixed3a", "mixed4c:13@1,1"])
def test_any_size_is_answered_in_that_size(net: Net, size: tuple[int, int], target: str) -> None:
    light = evidence(np.full((*size, 3), 128, np.uint8), target, net=net)
    assert light.shape == (1, 1, *size)
    assert light.isfinite().all()
    assert light.min() >= 0
    assert light.max() <= 1


def test_the_heatmap_keeps_colours_where_it_is_and_veils_the_rest(net: Net) -> None:
    picture = planted(180, 120)
    whole = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None] / 255
    shown = heatmap(picture, "class:espresso", net=net)
    assert shown.shape == whole.shape
    light = evidence(picture, "class:espresso", net=net)
    torch.testing.assert_close(shown * (light > 0.999), whole * (light > 0.999), atol=2e-3, rtol=0)
    nothing = (light == 0).expand_as(shown)
    assert nothing.any()
    assert shown[nothing].std() < 0.05
    assert shown[nothing].max() < 0.5


def test_a_picture_without_evidence_is_veiled_whole(net: Net) -> None:
    light = evidence(data.coffee(), "-1*mixed4c", net=net)
    assert light.isfinite().all()
    assert not evidence(data.coffee(), "-1*mixed4c:13", net=net).any()


def test_mistakes_are_answered(net: Net) -> None:
    with pytest.raises(UnknownNameError, match="espresso"):
        evidence(data.coffee(), "expresso", net=net)
    with pytest.raises(ExpressionError):
        evidence(data.coffee(), "a +", net=net)
    with pytest.raises(UnknownNameError, match="pocket"):
        heatmap(data.coffee(), net="poket")


def test_heat_before_a_linear_head_sums_to_the_logit_less_its_bias() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        logit = net(image, ["logits"])["logits"][0, 1]
        bias = net.head(torch.zeros(1, 16))[0, 1]
    logit_of_dog = Channel("logits", 1)  # without statistics: the logit itself
    (heat,) = contributions(net, logit_of_dog, image)
    assert float(heat.mean()) == pytest.approx(float(logit - bias), abs=1e-4)
