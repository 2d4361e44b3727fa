"""Put the tensors of a model file into a network, or name the first that does not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from phosphene.errors import WeightsError

COUNTERS = "num_batches_tracked"
"""The last part of the name of a number that batch norms keep for training only."""


def fill(module: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy `tensors` into `module`, whose tensors must have the same names and shapes.

    Args:
        module: the network, or its layers by name.
        tensors: the values, by the names of the module's state dict.
        source: the name of the file, for errors.

    Raises:
        WeightsError: for the first tensor that is missing, left over or of another shape.
    """
    given = TensorSource(tensors, source)
    with torch.no_grad():
        for name, parameter in module.state_dict().items():
            if name.endswith(COUNTERS):
                given.drop(name)
            else:
                parameter.copy_(given.take(name, parameter.shape))
    given.finish()


class TensorSource:
    """The tensors of a model file, to be taken one at a time in the order of a network's layers.

    >>> source = TensorSource({"conv1.weight": torch.zeros(8, 3, 5, 5)}, "small.pth")
    >>> source.take("conv1.weight", (8, 3, 5, 5)).shape
    torch.Size([8, 3, 5, 5])
    >>> source.finish()  # nothing is left over
    """

    def __init__(self, tensors: Mapping[str, Tensor], name: str) -> None:
        self.name = name
        self._left = dict(tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._left

    def take(self, name: str, shape: Sequence[int], *, pad: bool = False) -> Tensor:
        """Return the tensor called `name` as float32; it must have this shape.

        With `pad`, leading dimensions of 1 are ignored (old Caffe files give every tensor four dimensions). Raises
        `WeightsError` if the tensor is missing, has another shape or holds integers.
        """
        if name not in self._left:
            raise WeightsError(f"{self.name} has no tensor {name!r}: it belongs to another network", path=self.name)
        tensor = self._left.pop(name)
        found, wanted = tuple(tensor.shape), tuple(shape)
        if found != wanted and not (pad and _without_leading_ones(found) == _without_leading_ones(wanted)):
            raise WeightsError(
                f"{name!r} must be {_written(wanted)}, but is {_written(found)} in {self.name}: "
                "it belongs to another network",
                path=self.name,
            )
        if not tensor.is_floating_point():
            raise WeightsError(
                f"{name!r} must hold floating-point numbers, but holds {tensor.dtype} in {self.name}",
                path=self.name,
            )
        return tensor.reshape(wanted).float()

    def drop(self, name: str) -> None:
        """Discard a tensor that the network does not use; it may be missing."""
        self._left.pop(name, None)

    def finish(self, ignored: Collection[str] = ()) -> None:
        """Raise `WeightsError` for a tensor that was not taken, unless its name starts with one of `ignored`."""
        prefixes = tuple(ignored)
        for name in self._left:
            if not (prefixes and name.startswith(prefixes)):
                raise WeightsError(
                    f"{self.name} has an unexpected tensor {name!r}: it belongs to another network",
                    path=self.name,
                )


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((index for index, side in enumerate(shape) if side != 1), len(shape))
    return shape[first:]


def _written(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"
