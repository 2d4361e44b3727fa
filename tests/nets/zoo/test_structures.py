"""The famous networks as tables of steps: names, sizes, fields, and running no further than asked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import pytest
import torch

from phosphene.errors import UnknownNameError
from phosphene.nets.card import Card
from phosphene.nets.foreign import probe
from phosphene.nets.ops.modules import Convolution, Join, LocalNorm, ReLU
from phosphene.nets.receptive import Field
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo import googlenet, googlenet_torchvision, inception5h, inception_v3, resnet, vgg
from phosphene.nets.zoo.graph import INPUT, GraphNet, Structure, Table
from tests.nets.modelfiles import random_weights, torchvision_state

STRUCTURES: Mapping[str, Callable[[], Structure]] = {
    "googlenet": lambda: googlenet.structure(1000),
    "inception5h": inception5h.structure,
    "vgg16": lambda: vgg.structure(16),
    "vgg19": lambda: vgg.structure(19),
    "resnet50": resnet.structure,
    "googlenet-torchvision": googlenet_torchvision.structure,
    "inception-v3": inception_v3.structure,
}

# Of the papers and of torchvision's documentation, in millions; batch norm's are folded away.
MILLIONS = {
    "googlenet": 6.998,
    "inception5h": 7.066,
    "vgg16": 138.358,
    "vgg19": 143.667,
    "resnet50": 25.530,
    "googlenet-torchvision": 6.618,
    "inception-v3": 23.817,
}


def net_of(structure: Structure, seed: int = 0) -> GraphNet:
    """The network with random weights."""
    weights = {name: torch.from_numpy(each) for name, each in random_weights(structure.table, seed).items()}
    return structure.net(card_of(structure), weights)


def card_of(structure: Structure) -> Card:
    return structure.card("random", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


@pytest.fixture(scope="module")
def inception() -> GraphNet:
    return net_of(inception5h.structure())


@pytest.mark.parametrize("name", STRUCTURES)
def test_size_is_that_of_the_paper(name: str) -> None:
    table = STRUCTURES[name]().table
    count = sum(each.numel() for operation in table.steps.values() for each in operation.parameters())
    assert count / 1e6 == pytest.approx(MILLIONS[name], abs=1e-3)


@pytest.mark.parametrize("name", STRUCTURES)
def test_without_weights_there_is_a_whole_card(name: str) -> None:
    structure = STRUCTURES[name]()
    cards = structure.table.layer_cards()
    assert cards[structure.default_target].receptive is not None
    assert cards[structure.classes].receptive is None
    costs = [each.cost for each in cards.values()]
    assert all(cost is not None and cost >= 0 for cost in costs)
    assert cards[structure.classes].cost == max(costs)
    for key, each in cards.items():
        assert cards[each.name] is each, f"{key} is itself or an alias"


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("googlenet", ["conv1/7x7_s2", "conv2/norm2", "inception_3b/5x5_reduce", "inception_4c/output"]),
        ("googlenet", ["pool3/3x3_s2", "inception_5b/pool_proj", "loss3/classifier"]),
        ("inception5h", ["mixed4d_3x3_bottleneck_pre_relu", "conv2d2", "localresponsenorm1", "mixed5b"]),
        ("inception5h", ["maxpool10", "inception_4c/output", "inception_3b/5x5_reduce", "conv2/norm2"]),
        ("vgg16", ["conv4_3", "relu4_3", "pool5", "fc6", "relu7", "features.22", "classifier.6"]),
        ("vgg19", ["relu5_4", "features.35"]),
        ("resnet50", ["layer1", "layer3.5", "layer4.2.bn2", "layer2.0.downsample.1", "maxpool", "fc"]),
        ("googlenet-torchvision", ["conv3", "inception4c", "inception4c.branch2.0", "maxpool4"]),
        ("inception-v3", ["Conv2d_4a_3x3", "Mixed_6c.branch7x7_2", "Mixed_7c"]),
    ],
)
def test_the_fields_names_are_known(name: str, layers: list[str]) -> None:
    cards = STRUCTURES[name]().table.layer_cards()
    assert [each for each in layers if each not in cards] == []


def test_fields_match_the_literature() -> None:
    # Araujo et al. 2019, table 1: VGG16's pool5 212, ResNet-50 v1.5's last block 427.
    assert vgg.structure(16).table.layer_cards()["pool5"].receptive == Field(-90, 212, 32)
    assert resnet.structure().table.layer_cards()["layer4"].receptive == Field(-213, 427, 32)


@pytest.mark.parametrize("name", ["inception5h", "resnet50", "googlenet-torchvision", "inception-v3"])
def test_fields_are_those_found_by_trying(name: str) -> None:
    net = net_of(STRUCTURES[name]())
    names = [key for key, each in net.card.layers.items() if each.receptive and each.name == key]
    names = names[: len(names) // 3 : 5]
    assert probe.fields(lambda strip: net(strip, names)) == {key: net.card.layer(key).receptive for key in names}


def test_both_names_of_a_layer_work_together(inception: GraphNet) -> None:
    found = inception(torch.rand(1, 3, 64, 64), ["mixed4c", "inception_4c/output"])
    assert set(found) == {"mixed4c", "inception_4c/output"}
    assert torch.equal(found["mixed4c"], found["inception_4c/output"])


def test_unknown_layer_is_answered_with_the_nearest(inception: GraphNet) -> None:
    with pytest.raises(UnknownNameError, match=r"'mixed4c'"):
        inception(torch.rand(1, 3, 64, 64), ["mixed4cc"])


def test_nothing_runs_that_is_not_needed(inception: GraphNet) -> None:
    ran: list[str] = []
    handles = [
        inception.operation(name).register_forward_hook(lambda *_, name=name: ran.append(name))
        for name in inception.steps
    ]
    inception(torch.rand(1, 3, 64, 64), ["inception_3b/5x5_reduce"])
    for handle in handles:
        handle.remove()
    assert ran[-1] == "mixed3b_5x5_bottleneck"
    assert not [name for name in ran if name.startswith("mixed3b") and "5x5_bottleneck" not in name]
    assert "mixed3a_pool_reduce" in ran


def test_values_before_and_behind_a_relu_can_be_asked_for_together() -> None:
    net = net_of(vgg.structure(16))
    image = torch.rand(1, 3, 32, 48)
    both = net(image, ["conv3_2", "relu3_2", "pool3"])
    assert both["conv3_2"].min() < 0
    assert torch.equal(both["conv3_2"].relu(), both["relu3_2"])
    assert torch.equal(net(image, ["pool3"])["pool3"], both["pool3"])


@pytest.mark.parametrize("name", ["googlenet", "resnet50", "googlenet-torchvision"])
def test_classes_follow_from_the_mean_of_the_pooled_layer(name: str) -> None:
    net = net_of(STRUCTURES[name]())
    classes, pooled = str(net.card.classes), str(net.card.pooled)
    found = net(torch.rand(2, 3, 97, 130), [classes, pooled])
    torch.testing.assert_close(net.head(found[pooled].mean(dim=(2, 3))), found[classes], rtol=1e-4, atol=1e-4)


def test_gradients_reach_the_picture_and_no_weight(inception: GraphNet) -> None:
    image = torch.rand(1, 3, 61, 79, requires_grad=True)
    inception(image, ["mixed4a"])["mixed4a"].square().sum().backward()
    assert image.grad is not None
    assert image.grad.abs().min() >= 0
    assert image.grad.abs().mean() > 0
    assert all(each.grad is None and not each.requires_grad for each in inception.parameters())


def test_every_gradient_agrees_with_float64() -> None:
    """In place or not, what autograd needs is still there: against differences, on all kinds of steps."""
    table = Table()
    table.add("a", Convolution(3, 4, 3, 2, 1, extra=1))
    table.add("relu", ReLU(4))
    table.add("norm", LocalNorm(4, 3, 0.1, 0.75, 1.0))
    table.add("b", Convolution(4, 4, (1, 3), 1, (0, 1), relu=True), "relu")
    table.add("both", Join(4, 4), "norm", "b")
    net = net_of(Structure(table, "both", None, "both", 32)).double()
    image = torch.rand(1, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: net(x.double(), ["both", "a"])["both"], image)


@pytest.mark.parametrize("name", ["googlenet", "inception5h", "vgg16", "resnet50"])
def test_tiles_see_what_they_see_in_the_whole(name: str) -> None:
    """A crop that begins at a multiple of the stride has the whole's values wherever its positions see only
    it.
    """
    net = net_of(STRUCTURES[name]())
    layer = {"googlenet": "inception_3a/output", "inception5h": "mixed3a", "vgg16": "relu3_1", "resnet50": "layer2.0"}
    card = net.card.layer(layer[name])
    field = card.receptive
    assert field is not None
    image = torch.rand(1, 3, 161, 233)
    at, side = 4 * field.stride, 117
    with torch.no_grad():
        whole = net(image, [card.name])[card.name]
        part = net(image[:, :, at : at + side, at : at + side], [card.name])[card.name]
    first = -(field.start // field.stride)  # the first position whose view begins in the crop
    last = (side - field.size - field.start) // field.stride
    assert last > first
    own = slice(first, last + 1)
    there = slice(first + 4, last + 5)
    torch.testing.assert_close(part[:, :, own, own], whole[:, :, there, there], rtol=1e-4, atol=1e-4)


def test_runs_on_meta_in_bfloat16_and_as_a_copy() -> None:
    net = net_of(googlenet.structure(10))
    shapes = copy.deepcopy(net).to("meta")(torch.empty(1, 3, 75, 60, device="meta"), ["inception_4a/output"])
    image = torch.rand(1, 3, 75, 60)
    exact = net(image, ["inception_4a/output"])["inception_4a/output"]
    assert shapes["inception_4a/output"].shape == exact.shape
    rough = copy.deepcopy(net).to(torch.bfloat16)(image, ["inception_4a/output", "loss3/classifier"])
    assert rough["inception_4a/output"].dtype == torch.bfloat16
    correlation = torch.corrcoef(torch.stack([exact.flatten(), rough["inception_4a/output"].float().flatten()]))
    assert correlation[0, 1] > 0.99
    assert rough["loss3/classifier"].dtype == torch.float32


def test_batch_norm_is_folded() -> None:
    """Against the unfolded computation, on torchvision's ResNet names."""
    structure = resnet.structure()
    state = torchvision_state(structure.table, "resnet")
    weights = resnet.torchvision_weights(structure, TensorSource(state, "random.pth"))
    net = structure.net(card_of(structure), weights)
    image = torch.rand(1, 3, 64, 64)
    x = torch.nn.functional.conv2d(net.card.normalise(image), state["conv1.weight"], None, 2, 3)
    x = torch.nn.functional.batch_norm(
        x, state["bn1.running_mean"], state["bn1.running_var"], state["bn1.weight"], state["bn1.bias"], eps=1e-5
    )
    torch.testing.assert_close(net(image, ["bn1"])["bn1"], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("alpha", "beta", "k"), [(1e-4 / 5, 0.75, 1.0), (0.1, 0.5, 2.0)])
def test_local_normalisation_is_pytorchs(alpha: float, beta: float, k: float) -> None:
    # PyTorch's has no alpha for each, but for the window.
    x = torch.randn(2, 16, 5, 7) * 30
    ours = LocalNorm(16, 5, alpha, beta, k)([x], False)
    theirs = torch.nn.functional.local_response_norm(x, 5, alpha * 5, beta, k)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_tables_refuse_what_cannot_be() -> None:
    table = Table()
    table.add("a", ReLU(3))
    with pytest.raises(AssertionError, match="there already"):
        table.add("a", ReLU(3))
    with pytest.raises(AssertionError, match="in order"):
        table.add("b", ReLU(3), "later")
    assert table.channels(INPUT) == 3


@pytest.mark.parametrize("name", ["googlenet", "inception5h", "resnet50", "inception-v3"])
def test_the_two_halves_of_a_network_are_the_whole(name: str) -> None:
    structure = STRUCTURES[name]()
    net = net_of(structure)
    layers = [structure.default_target, str(net.card.classes)]
    found = net.split(layers, 8)
    assert found is not None
    middle, rest = found
    receptive = net.card.layer(middle).receptive
    assert receptive is not None
    assert receptive.stride >= 8
    image = torch.rand(1, 3, 107, 96)
    whole = net(image, layers)
    halves = rest(net(image, [middle])[middle].clone(), layers)
    for layer in layers:
        torch.testing.assert_close(halves[layer], whole[layer], rtol=1e-4, atol=1e-5)
    deep, seen = net.card.layer(layers[0]).receptive, rest.card.layer(layers[0]).receptive
    assert deep is not None
    assert seen is not None
    assert deep.stride == seen.stride * receptive.stride
    assert deep.size == receptive.size + (seen.size - 1) * receptive.stride


def test_a_network_is_not_split_behind_what_is_asked_for() -> None:
    net = net_of(inception5h.structure())
    assert net.split(["conv2d0", "mixed4c"], 8) is None
    assert net.split(["conv2d2"], 8) is None
