"""A thinned network is another network each time, and the network itself stays as it was."""

from __future__ import annotations

import torch

from phosphene.nets.ops.channel_dropout import thinned
from tests.tinynet import tiny_net

LAYERS = ["middle", "logits"]


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_a_share_it_is_the_network_itself() -> None:
    net, image = tiny_net(), torch.rand(2, 3, 16, 16, generator=chance())
    plain, thin = net(image, LAYERS), thinned(net, image, LAYERS, 0.0, generator=chance())
    assert all(torch.equal(plain[name], thin[name]) for name in LAYERS)


def test_each_draw_is_another_network_and_the_weights_are_left_alone() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 16, generator=chance())
    before = [weight.clone() for weight in net.parameters()]
    drawn = chance()
    first, second = (thinned(net, image, LAYERS, 0.5, generator=drawn)["logits"] for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, thinned(net, image, LAYERS, 0.5, generator=chance())["logits"])
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


def test_colours_are_never_left_out() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 16, generator=chance())
    assert torch.equal(net(image, ["low"])["low"], thinned(net, image, ["low"], 0.9, generator=chance())["low"])


def test_on_average_it_responds_as_the_network() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 16, generator=chance())
    plain, drawn = net(image, ["low", "middle"]), chance()
    many = [thinned(net, image, ["middle"], 0.2, generator=drawn)["middle"] for _ in range(200)]
    assert abs(torch.stack(many).mean() / plain["middle"].mean() - 1) < 0.15


def test_the_gradient_reaches_the_image() -> None:
    image = torch.rand(1, 3, 16, 16, generator=chance()).requires_grad_()
    thinned(tiny_net(), image, ["high"], 0.2, generator=chance())["high"].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
