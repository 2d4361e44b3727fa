from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from phosphene.errors import SettingError, UnknownNameError
from phosphene.nets.statistics import measure_statistics
from tests.tinynet import tiny_net


def test_batches_of_several_sizes_give_the_statistics_of_all_positions() -> None:
    net = tiny_net(statistics=False)
    batches = [torch.rand(2, 3, 16, 16), torch.rand(1, 3, 24, 40), torch.rand(3, 3, 16, 20)]
    for name in ("middle", "logits"):
        every = torch.cat([net(batch, [name])[name].transpose(0, 1).flatten(1) for batch in batches], dim=1).double()
        found = measure_statistics(net, iter(batches))[name]
        torch.testing.assert_close(found.mean, every.mean(dim=1).float())
        torch.testing.assert_close(found.std, every.std(dim=1, correction=0).float())
        assert torch.equal(found.maximum, every.amax(dim=1).float())


def test_a_small_spread_far_from_zero_is_not_lost_to_rounding() -> None:
    net = tiny_net(statistics=False)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            parameter.fill_(1e3)
        else:
            parameter.mul_(1e-2)
    batches = torch.rand(6, 3, 16, 16).split(1)
    found = measure_statistics(net, batches, ["low"])["low"]
    every = torch.cat([net(batch, ["low"])["low"] for batch in batches]).double()
    torch.testing.assert_close(found.std, every.std(dim=(0, 2, 3), correction=0).float())


def test_statistics_are_attached_by_name() -> None:
    net = tiny_net(statistics=False)
    found = measure_statistics(net, [torch.rand(2, 3, 16, 16)], ["high"])
    card = net.card.with_statistics(found)
    assert card.layer("high").statistics is found["high"]
    assert card.layer("low").statistics is None
    assert card.layer("high") == replace(net.card.layer("high"), statistics=found["high"])
    with pytest.raises(UnknownNameError, match="high"):
        net.card.with_statistics({"hihg": found["high"]})


def test_no_images_are_refused() -> None:
    with pytest.raises(SettingError, match="at least one image"):
        measure_statistics(tiny_net(), [])
