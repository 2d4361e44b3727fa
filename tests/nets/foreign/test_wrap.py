"""Anyone's own module as a network: layers found, values exact, no hooks left over."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import phosphene as ph
from phosphene.errors import SettingError, UnknownNameError
from phosphene.gradients.engine import Engine
from phosphene.nets.foreign.layout import ActivationFormat, recognise
from phosphene.nets.receptive import Field
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse


class Small(nn.Module):
    """With what makes watching hard: work in place, a module that is used twice, a shared ReLU, a dead end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.MaxPool2d(2), nn.Dropout(0.5))
        self.unused = nn.Conv2d(3, 3, 1)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(x)))
        x = x + self.again(self.relu(self.again(x)))
        x.mul_(2)
        return self.head(self.block(x))


@pytest.fixture
def module() -> Small:
    torch.manual_seed(0)
    module = Small()
    assert isinstance(module.norm.running_mean, Tensor)
    module.norm.running_mean.normal_()
    return module


def hooks(module: nn.Module) -> int:
    return sum(len(each._forward_hooks) for each in module.modules())


def test_layers_are_the_modules_whose_output_has_positions(module: Small) -> None:
    net = ph.wrap(module, input_size=64, labels=["a", "b", "c", "d"])
    layers = net.card.layers
    assert {"stem", "norm", "relu", "again", "block.0", "block.1", "block", "head.0"} <= set(layers)
    assert "unused" not in layers
    assert (layers["block"].channels, layers["block"].receptive) == (16, Field(-7, 17, 4))
    assert layers["stem"].receptive == Field(-1, 3, 2)
    assert layers["head.0"].receptive is None
    assert layers["logits"].channels == 4
    assert net.card.labels == (("a",), ("b",), ("c",), ("d",))
    assert net.card.default_target == "block"
    assert layers["stem"].cost == pytest.approx(3 * 8 * 9 / 4)
    with pytest.raises(UnknownNameError, match="did you mean 'block'"):
        net.card.layer("blok")


def test_weights_are_known_again(module: Small) -> None:
    digest = ph.wrap(module, input_size=64).card.sha256
    assert ph.wrap(copy.deepcopy(module), input_size=64).card.sha256 == digest
    with torch.no_grad():
        module.stem.weight[0, 0, 0, 0] += 1
    assert ph.wrap(module, input_size=64).card.sha256 != digest


def test_values_are_the_modules_own(module: Small) -> None:
    """Even where what follows works in place on them, and where a module is called twice: then the last time."""
    net = ph.wrap(module, mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.25), input_size=64)
    image = torch.rand(2, 3, 30, 44)
    found = net(image, ["stem", "norm", "relu", "again", "block", "logits"])
    module.eval()
    x = net.card.normalise(image)
    stem = module.stem(x)
    norm = module.norm(stem)
    first = norm.relu()
    second = module.again(first).relu()
    again = module.again(second)
    block = module.block((first + again) * 2)
    expected = {
        "stem": stem,
        "norm": norm,
        "relu": second,
        "again": again,
        "block": block,
        "logits": module.head(block),
    }
    assert set(found) == set(expected)
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each)


def test_the_module_is_left_as_it_was(module: Small) -> None:
    module.train()
    module.stem.weight.requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    net = ph.wrap(module, input_size=64)
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    net(image, ["block"])["block"].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert module.training
    assert module.norm.training
    assert not module.stem.weight.requires_grad
    assert module.again.weight.requires_grad
    assert all(each.grad is None for each in module.parameters())
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    assert hooks(module) == 0


def test_weights_keep_their_storage_and_strides(module: Small) -> None:
    def facts() -> list[object]:
        return [
            (name, id(each), each.data_ptr(), each.stride(), each.dtype, each.requires_grad, each._version)
            for name, each in module.named_parameters()
        ]

    before = facts()
    net = ph.wrap(module, input_size=64)
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    net(image, ["logits"])["logits"].sum().backward()
    assert facts() == before


def test_a_module_may_take_one_channel_and_other_axes() -> None:
    module = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3))
    net = ph.wrap(module, mean=(0.5,), std=(0.25,), axes=("time", "frequency"), input_size=64)
    assert (net.card.input.channels, net.card.input.axes) == (1, ("time", "frequency"))
    assert net.card.layer("3").receptive == Field(-1, 8, 2)
    sound = torch.rand(1, 1, 40, 64)
    torch.testing.assert_close(net(sound, ["3"])["3"], module((sound - 0.5) / 0.25))
    with pytest.raises(SettingError, match="std must have a number for each of 1 channels, but has 3"):
        ph.wrap(module, mean=(0.5,), input_size=64)


def test_nothing_is_left_behind_by_an_error(module: Small) -> None:
    net = ph.wrap(module, input_size=64)
    module.train()
    with pytest.raises(RuntimeError):
        net(torch.rand(1, 3, 1, 1), ["block"])
    assert hooks(module) == 0
    assert module.training
    assert module.again.weight.requires_grad


def test_runs_no_further_than_asked(module: Small) -> None:
    net = ph.wrap(module, input_size=64)
    ran = []
    handle = module.block.register_forward_hook(lambda *_: ran.append("block"))
    net(torch.rand(1, 3, 32, 32), ["norm", "again"])
    assert not ran
    net(torch.rand(1, 3, 32, 32), ["block"])
    assert ran
    handle.remove()


def test_code_that_catches_exceptions_is_stopped_all_the_same() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            try:
                x = self.a(x)
            except Exception:
                x = torch.zeros(1, 4, 8, 8)
            return self.b(x)

    module = Careful()
    net = ph.wrap(module, input_size=32)
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(net(image, ["a"])["a"], module.a(image))


def test_classes_follow_from_a_mean_where_they_do(module: Small) -> None:
    net = ph.wrap(module, input_size=64)
    assert net.card.pooled == "block"
    found = net(torch.rand(2, 3, 48, 64), ["block", "logits"])
    torch.testing.assert_close(net.head(found["block"].mean(dim=(2, 3))), found["logits"])


@pytest.mark.parametrize("target", ["block", "stem:3 - 0.5*block.0:2", "class:2"])
def test_dreams_and_tiles(module: Small, target: str) -> None:
    net = ph.wrap(module.eval(), input_size=64)
    objective = resolve(parse(target), net.card)
    image = torch.rand(1, 3, 96, 130)
    whole = Engine(net, objective, precision="float32", tile=0)(image)
    tiled = Engine(net, objective, precision="float32", tile=40)(image)
    torch.testing.assert_close(whole[0], tiled[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(whole[1], tiled[1], rtol=1e-4, atol=1e-4 * float(whole[1].abs().max()))


def test_without_a_mean_classes_are_seen_in_the_whole() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 5))
    net = ph.wrap(module, input_size=32)
    assert net.card.pooled is None
    objective = resolve(parse("class:1"), net.card)
    with pytest.raises(SettingError, match="tile must be auto or 0"):
        Engine(net, objective, precision="float32", tile=16)
    score, gradient = Engine(net, objective, precision="float32")(torch.rand(1, 3, 40, 40))
    assert score.shape == (1,)
    assert gradient.abs().sum() > 0


class ChannelsLast(nn.Module):
    """As in ConvNeXt: part of the way channels stand last; then a token for each place, and one for none."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 40, 4, stride=4)
        self.norm, self.wide = nn.LayerNorm(40), nn.Linear(40, 56)
        self.narrow = nn.Linear(56, 12)
        self.token = nn.Parameter(torch.randn(1, 1, 12))
        self.mix = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(self.stem(x), 2).permute(0, 2, 3, 1)
        x = self.narrow(F.gelu(self.wide(self.norm(x)))).flatten(1, 2)
        return self.mix(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))


def test_other_layouts_are_shown_as_they_are_seen() -> None:
    net = ph.wrap(ChannelsLast(), input_size=224)
    image = torch.rand(2, 3, 64, 104)
    found = net(image, ["stem", "wide", "narrow", "mix"])
    assert {name: tuple(each.shape[1:]) for name, each in found.items()} == {
        "stem": (40, 16, 26),
        "wide": (56, 8, 13),
        "narrow": (12, 8, 13),
        "mix": (12, 8, 13),
    }
    torch.testing.assert_close(
        net.module.narrow(F.gelu(found["wide"].permute(0, 2, 3, 1))), found["narrow"].permute(0, 2, 3, 1)
    )  # type: ignore[operator, union-attr]
    assert net.card.layer("wide").receptive == Field(0, 8, 8)
    assert net.card.layer("mix").receptive is None


@pytest.mark.parametrize(
    ("shape", "other", "layout"),
    [
        ((1, 64, 56, 40), (1, 64, 112, 120), ActivationFormat("first")),
        ((1, 40, 56, 40), (1, 40, 112, 120), ActivationFormat("first")),
        ((1, 56, 40, 56), (1, 112, 120, 56), ActivationFormat("last")),
        ((1, 512, 1, 1), (1, 512, 1, 1), ActivationFormat("first")),
        ((1, 141, 192), (1, 841, 192), ActivationFormat("tokens", 16)),
        ((1, 10), (1, 10), ActivationFormat("vector")),
        ((1, 10), (1, 90), None),
        ((1, 3, 140, 140), (1, 3, 840, 840), None),
        ((1, 64, 56), None, None),
        ((), None, None),
    ],
)
def test_layouts(shape: tuple[int, ...], other: tuple[int, ...] | None, layout: ActivationFormat | None) -> None:
    assert recognise(shape, (224, 160), other) == layout


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (nn.Sequential(nn.ReLU()), "must have weights"),
        (nn.Sequential(nn.Flatten(), nn.Linear(10, 2)), "cannot run on an image of 64 x 64"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)), None),
        (nn.Conv2d(1, 2, 3), "cannot run on an image"),
    ],
)
def test_what_is_no_network_is_told(module: nn.Module, says: str | None) -> None:
    if says is None:
        assert ph.wrap(module, input_size=64).card.classes == "logits"
        return
    with pytest.raises(SettingError, match=says):
        ph.wrap(module, input_size=64)


def test_labels_must_be_as_many_as_classes(module: Small) -> None:
    with pytest.raises(SettingError, match="has 4 classes, but there are 2 labels"):
        ph.wrap(module, labels=["a", "b"], input_size=64)


def test_zero_weights_and_shut_relus_hide_nothing() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 5, padding=2), nn.ReLU(), nn.Conv2d(2, 2, 3, stride=3), nn.ReLU())
    for each in module.parameters():
        nn.init.constant_(each, 0.0 if each.dim() > 1 else -1.0)
    assert ph.wrap(module, input_size=60).card.layer("3").receptive == Field(-2, 7, 3)


def test_what_mixes_all_places_has_no_field() -> None:
    class Squeeze(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.a(x)
            return self.norm(self.b(x) * x.mean(dim=(2, 3), keepdim=True).sigmoid())

    net = ph.wrap(Squeeze(), input_size=32)
    assert net.card.layer("a").receptive == Field(-1, 3, 1)
    assert net.card.layer("b").receptive == Field(-1, 3, 1)
    assert net.card.layer("norm").receptive is None
