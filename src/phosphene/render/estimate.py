"""How long work will take: what the network has to see, by what it takes to see a little of it on this machine."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

import torch

from phosphene.gradients.precision import prepared
from phosphene.nets.base import Net
from phosphene.types import Size

TRIAL_SIDE = 192
"""Side in pixels of the canvas that is timed after one of the network's input size, unless that is slow already."""

TRIALS = 3
"""Of which the fastest counts: other programs make some slower."""

SLOW = 0.2
"""Seconds beyond which a trial is long enough."""

SHORT = 10.0
"""Seconds of work that need not be known better; a small canvas, which is slower per pixel, says at most that."""

BESIDES = 1.25
"""All of the work, per time in the network: canvases, resizing, shaping of gradients (measured: 1.1 to 1.4)."""


@dataclass(frozen=True)
class Load:
    """How much a network has to do: `pixels` seen on the way to `layers` and back, in all steps together."""

    pixels: float
    layers: frozenset[str]
    dtype: torch.dtype

    @classmethod
    def of(cls, pixels: float, layers: Collection[str], dtype: torch.dtype) -> Load:
        """Return the load of these layers."""
        return cls(float(pixels), frozenset(layers), dtype)


def seconds(net: Net, load: Load) -> float:
    """Estimate how long the work takes on this machine, by timing one small step; takes a fraction of a second.

    It is a guess: within a factor of two where nothing else keeps the processor busy.
    """
    if not load.pixels:
        return 0.0
    net = prepared(net, load.dtype)
    if (sound := net.card.input.sound) is not None:
        size = (sound.frames, sound.bands)
        _step(net, load, size)
        return load.pixels * min(_step(net, load, size) for _ in range(TRIALS)) / (size[0] * size[1]) * BESIDES
    side = net.card.input.size
    _step(net, load, (side, side))  # loads libraries, and compiles kernels
    taken = _step(net, load, (side, side))
    if side < TRIAL_SIDE and taken < SLOW and load.pixels * taken / side**2 > SHORT:
        side = TRIAL_SIDE
        taken = min(_step(net, load, (side, side)) for _ in range(TRIALS))
    return load.pixels * taken / side**2 * BESIDES


def _step(net: Net, load: Load, size: Size) -> float:
    """Return the seconds of one step forward and back on a canvas of this size."""
    device = next(net.parameters()).device
    image = torch.rand(1, net.card.input.channels, *size, generator=torch.Generator().manual_seed(0)).to(device)
    began = time.perf_counter()
    with torch.enable_grad():
        leaf = image.requires_grad_()
        activations = net(leaf, load.layers)
        (gradient,) = torch.autograd.grad([each.float().sum() for each in activations.values()], leaf)
        float(gradient.sum())  # waits for a graphics card
    return time.perf_counter() - began
