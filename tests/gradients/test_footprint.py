"""What a step holds is measured, also where the network packs its weights meanwhile."""

from __future__ import annotations

import pytest
import torch

from phosphene import nets
from phosphene.gradients.footprint import footprint
from phosphene.gradients.precision import prepared
from phosphene.nets.ops import derived


def test_weights_that_are_packed_again_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    net = prepared(nets.load("lite"), torch.float32)
    with monkeypatch.context() as patched:
        patched.setattr(derived, "MOST", 0)
        again = footprint(net, ["block5"], 64)
    assert again.peak >= footprint(net, ["block5"], 64).peak > 0
