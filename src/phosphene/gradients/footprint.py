"""Measures the memory that a step will hold, by a step on a small canvas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from phosphene.gradients import allocator
from phosphene.nets.base import Net


@dataclass(frozen=True)
class Footprint:
    """Bytes for each pixel of the canvas: the `peak` of a step, that of a tile's whose masks are kept as bits, and what
    is `kept` of a tile that waits for its way back.
    """

    peak: float
    tile: float
    kept: float


def footprint(net: Net, layers: Collection[str], side: int) -> Footprint:
    """Measure what a step towards `layers` holds on a canvas of `side` x `side` pixels.

    The meta device, where nothing is computed, would cost more: its first operation imports PyTorch's compiler, which
    takes some seconds, and it does not know which way a convolution goes.
    """
    device = next(net.parameters()).device
    image = torch.zeros(1, net.card.input.channels, side, side, device=device, requires_grad=True)
    with torch.enable_grad():
        _back(net(image, layers), image)  # what is computed only once, such as flipped weights, is there afterwards
        with _Ledger() as ledger:
            _back(net(image, layers), image)
        with allocator.apart(), _Ledger() as tiled:
            activations = net(image, layers)
            kept = tiled.alive()
            _back(activations, image)
    return Footprint(ledger.peak / side**2, tiled.peak / side**2, kept / side**2)


def _back(activations: Mapping[str, Tensor], image: Tensor) -> None:
    torch.autograd.grad([each.sum() for each in activations.values()], image)


class _Ledger(TorchDispatchMode):
    """Keeps account of the tensors that are made while it is entered, and not yet gone."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing the compiler only to skip it takes seconds

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def alive(self) -> int:
        """Return the bytes of all tensors that are alive."""
        self._storages = {key: each for key, each in self._storages.items() if not each[0].expired()}
        return sum(size for _, size in self._storages.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor) and not each.is_mkldnn:  # those are packed weights, which tell no size
                storage = each.untyped_storage()
                self._storages.setdefault(storage._cdata, (StorageWeakRef(storage), storage.nbytes()))
        self.peak = max(self.peak, self.alive())
        return result
