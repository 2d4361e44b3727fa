"""A thinned network is another network each time, and the network itself stays as it was."""

from __future__ import annotations

import torch

from phosphene.nets.ops.channel_dropout import apply_channel_dropout
from tests.tinynet import tiny_net

LAYERS = ["middle", "logits"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_a_share_it_is_the_network_itself() -> None:
    net, image = tiny_net(), torch.rand(2, 3, 16, 16, generator=rng())
    plain, thin = net(image, LAYERS), apply_channel_dropout(net, image, LAYERS, 0.0, generator=rng())
    assert all(torch.equal(plain[name], thin[name]) for name in LAYERS)


def test_each_draw_is_another_network_and_the_weights_are_left_alone() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 16, generator=rng())
    before = [weight.clone() for weight in net.parameters()]
    drawn = rng()
    first, second = (apply_channel_dropout(net, image, LAYERS, 0.5, generator=drawn)["logits"] for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, apply_channel_dropout(net, image, LAYERS, 0.5, generator=rng())["logits"])
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


def test_colours_are_never_left_out() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 16, generator=rng())
    assert torch.equal(
        net(image, ["low"])["low"], apply_channel_dropout(net, image, ["low"], 0.9, generator=rng())["low"]
    )


def test_on_average_it_responds_as_the_network() -> None:
    net, image = tiny_net(), torch.rand(1, 3, 16, 16, generator=rng())
    plain, drawn = net(image, ["low", "middle"]), rng()
    many = [apply_channel_dropout(net, image, ["middle"], 0.2, generator=drawn)["middle"] for _ in range(200)]
    assert abs(torch.stack(many).mean() / plain["middle"].mean() - 1) < 0.15


def test_the_gradient_reaches_the_image() -> None:
    image = torch.rand(1, 3, 16, 16, generator=rng()).requires_grad_()
    apply_channel_dropout(tiny_net(), image, ["high"], 0.2, generator=rng())["high"].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
