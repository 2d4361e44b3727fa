"""How long work will take: what the network is said to see, against what it does see."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import phosphene as ph
from phosphene.recipe import Noise
from phosphene.render import estimate

WORK: dict[str, dict[str, Any]] = {
    "dream": {"source": Noise(noise=(150, 100)), "target": '"2"', "octaves": 3, "steps": 4},
    "imagine": {"target": '"2":3', "size": 64, "steps": 8, "count": 2, "sketches": 1},
    "sheet": {"targets": ['"2":0', '"2":5'], "size": 64, "steps": 8},
    "zoom": {"source": Noise(noise=(96, 128)), "target": '"2"', "seconds": 0.3, "octaves": 2},
}


class Counting(nn.Sequential):
    """Counts the pixels of what it is shown."""

    pixels = 0

    def forward(self, image: Tensor) -> Tensor:
        if image.device.type != "meta":
            Counting.pixels += math.prod(image.shape[-2:]) * len(image)
        return super().forward(image)


@pytest.fixture
def net() -> Any:
    torch.manual_seed(0)
    module = Counting(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    return ph.wrap(module, input_size=32, name="counting")


@pytest.mark.parametrize("kind", WORK)
def test_the_load_is_what_the_network_sees(kind: str, net: Any) -> None:
    job = ph.job(kind, net=net, precision="float32", **WORK[kind])
    load = job.work.load
    assert load is not None
    Counting.pixels = 0
    for _ in job:
        pass
    assert load.pixels == pytest.approx(Counting.pixels, rel=0.25)


def test_the_estimate_grows_with_the_work(net: Any) -> None:
    short, long = (estimate.Load.of(pixels, ["2"], torch.float32) for pixels in (1e6, 1e12))
    assert 0 < estimate.seconds(net, short) < 60
    assert estimate.seconds(net, long) > 100 * estimate.seconds(net, short)
    assert estimate.seconds(net, estimate.Load.of(0, ["2"], torch.float32)) == 0
    job = ph.job("dream", Noise(noise=(9, 9)), net=net, target='"2"', steps=0)
    assert job.expected_seconds() == 0
