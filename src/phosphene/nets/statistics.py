"""Activation statistics: how each channel of a network responds to natural images, measured from such images."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.nets.base import Net
from phosphene.nets.card import ActivationStatistics
from phosphene.types import Image


def measure_statistics(
    net: Net, images: Iterable[Image], layers: Collection[str] | None = None
) -> dict[str, ActivationStatistics]:
    """Measure each channel's mean, std and maximum over all positions of all images.

    Images go through the network one batch at a time, and only sums are kept (in float64), so there may be any number
    of them, of several sizes. `Card.with_statistics` attaches the result to a card.

    >>> from phosphene.nets.zoo import pocket
    >>> batches = (torch.rand(2, 3, 64, 64) for _ in range(3))
    >>> measure_statistics(pocket.load(), batches, ["mixed4a"])["mixed4a"].mean.shape
    torch.Size([512])

    Args:
        net: the network, in evaluation mode.
        images: batches of images in [0, 1].
        layers: names of layers; by default all on the card.

    Returns:
        Float32 statistics by layer, under the layer's own name.

    Raises:
        SettingError: if there are no images.
        UnknownNameError: for a layer that the network does not have.
    """
    names = sorted({net.card.layer(name).name for name in (net.card.layers if layers is None else layers)})
    sums = {name: _Sums() for name in names}
    device = next(net.parameters()).device
    with torch.no_grad():
        for batch in images:
            for name, activation in net(batch.to(device), names).items():
                sums[name].add(activation)
    if not all(each.count for each in sums.values()):
        raise SettingError("images must hold at least one image, but hold none", setting="images")
    return {name: each.statistics() for name, each in sums.items()}


class _Sums:
    """The count, mean, sum of squared deviations and maximum of each channel, so far.

    Batches are merged as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979): sums of squares would cancel.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._squares = torch.zeros((), dtype=torch.float64)
        self._maximum = torch.full((), -torch.inf, dtype=torch.float64)

    def add(self, activation: Tensor) -> None:
        """Add a batch of activations, `n c h w` or `n c`."""
        values = activation.transpose(0, 1).flatten(1).double().cpu()
        count = values.shape[1]
        if not count:
            return
        mean = values.mean(dim=1)
        squares = (values - mean[:, None]).square().sum(dim=1)
        total = self.count + count
        shift = mean - self._mean
        self._squares = self._squares + squares + shift.square() * (self.count * count / total)
        self._mean = self._mean + shift * (count / total)
        self._maximum = torch.maximum(self._maximum, values.amax(dim=1))
        self.count = total

    def statistics(self) -> ActivationStatistics:
        """Return what was added so far; the std is that of the population."""
        std = (self._squares / self.count).sqrt()
        return ActivationStatistics(self._mean.float(), std.float(), self._maximum.float())
