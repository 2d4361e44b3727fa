"""A seeded network small enough for exact arithmetic, built from the same parts as the real ones."""

from __future__ import annotations

import torch
from torch import nn

from phosphene.nets.base import ChainNet
from phosphene.nets.card import ActivationStatistics, Card, InputSpec, LayerCard
from phosphene.nets.receptive import Field
from phosphene.nets.zoo.pocket import ConvReLU

LABELS = (("cat", "puss"), ("dog",), ("golden retriever",))


class PoolThen(nn.Sequential):
    """An average pool by 2, then a 3x3 convolution."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(nn.AvgPool2d(2), ConvReLU(channels_in, channels, 3, padding=1))


def tiny_net(*, statistics: bool = True, dtype: torch.dtype = torch.float32) -> ChainNet:
    """Layers low (stride 2), middle (2), high (4) and the logits of three labels."""
    torch.manual_seed(3)
    stages: dict[str, nn.Module] = {
        "low": ConvReLU(3, 8, 4, stride=2, padding=1),
        "middle": ConvReLU(8, 12, 3, padding=1),
        "high": PoolThen(12, 16),
    }
    low = Field().through(4, stride=2, padding=1)
    middle = low.through(3, padding=1)
    fields = {
        "low": low,
        "middle": middle,
        "high": middle.through(2, stride=2).through(3, padding=1),
        "logits": None,
    }
    channels = {"low": 8, "middle": 12, "high": 16, "logits": 3}
    layers = {
        name: LayerCard(name, channels[name], field, _statistics(channels[name]) if statistics else None)
        for name, field in fields.items()
    }
    card = Card(
        name="tiny",
        title="a seeded network for tests",
        input=InputSpec(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), size=16),
        layers=layers,
        labels=LABELS,
        classes="logits",
        pooled="high",
        default_target="high",
        source="made up",
        sha256="0" * 64,
        licence="Apache-2.0",
    )
    net = ChainNet(card, stages, nn.Linear(16, 3)).for_dreaming().to(dtype)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            parameter.fill_(0.3)  # so that no channel is silent
    return net


def _statistics(channels: int) -> ActivationStatistics:
    return ActivationStatistics(torch.rand(channels), 0.2 + torch.rand(channels), 3 + torch.rand(channels))
