"""Batch norm folded into the convolution before it, so that it costs nothing when the network runs."""

from __future__ import annotations

from torch import Tensor, nn

from phosphene.nets.ops.modules import Convolution
from phosphene.nets.weights.fit import Shelf

COUNTERS = "num_batches_tracked"
"""A number that torchvision's state dicts keep for the training only."""


def folded(shelf: Shelf, convolution: str, norm: str, operation: Convolution, epsilon: float) -> dict[str, Tensor]:
    """Weight and bias of `operation`: those of the file's `convolution` without bias, with its `norm`
    folded in.
    """
    shape = tuple(operation.weight.shape)
    weight = shelf.take(f"{convolution}.weight", shape)
    gain, shift, mean, variance = (
        shelf.take(f"{norm}.{name}", shape[:1]) for name in ("weight", "bias", "running_mean", "running_var")
    )
    shelf.drop(f"{norm}.{COUNTERS}")
    # In float64: a channel's variance may be tiny, and this is done once.
    scale = gain.double() / (variance.double() + epsilon).sqrt()
    return {
        "weight": (weight.double() * scale.view(-1, 1, 1, 1)).float(),
        "bias": (shift.double() - mean.double() * scale).float(),
    }


def plain(shelf: Shelf, name: str, operation: nn.Module) -> dict[str, Tensor]:
    """The weights of `operation` as they are in the file under `name`."""
    return {kind: shelf.take(f"{name}.{kind}", each.shape) for kind, each in operation.named_parameters()}
