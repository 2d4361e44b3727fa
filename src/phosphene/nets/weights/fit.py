"""Tensors of a model file into a network, with the first that does not fit named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from phosphene.errors import WeightsError


def fill(module: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy `tensors` into `module`, whose names and shapes must be the same.

    Raises `WeightsError` that names the first layer that does not fit.
    """
    shelf = Shelf(tensors, source)
    with torch.no_grad():
        for name, parameter in module.state_dict().items():
            parameter.copy_(shelf.take(name, parameter.shape))
    shelf.finish()


class Shelf:
    """The tensors of a model file, to be taken one by one in the order of a network's layers.

    >>> shelf = Shelf({"conv1.weight": torch.zeros(8, 3, 5, 5)}, "small.pth")
    >>> shelf.take("conv1.weight", (8, 3, 5, 5)).shape
    torch.Size([8, 3, 5, 5])
    >>> shelf.finish()  # nothing is left over
    """

    def __init__(self, tensors: Mapping[str, Tensor], source: str) -> None:
        self.source = source
        self._left = dict(tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._left

    def take(self, name: str, shape: Sequence[int], *, pad: bool = False) -> Tensor:
        """The tensor called `name`, float32, which must have this shape.

        With `pad`, ones before its shape do not count (old Caffe files give every tensor four dimensions).
        """
        if name not in self._left:
            raise WeightsError(f"{self.source} has no tensor {name!r}: it belongs to another network", path=self.source)
        tensor = self._left.pop(name)
        found, wanted = tuple(tensor.shape), tuple(shape)
        if found != wanted and not (pad and _bare(found) == _bare(wanted)):
            raise WeightsError(
                f"{name!r} must be {_written(wanted)}, but is {_written(found)} in {self.source}: "
                "it belongs to another network",
                path=self.source,
            )
        if not tensor.is_floating_point():
            raise WeightsError(
                f"{name!r} must hold fractions, but holds {tensor.dtype} in {self.source}", path=self.source
            )
        return tensor.reshape(wanted).float()

    def drop(self, name: str) -> None:
        """Leave out a tensor that the network has no use for; it need not be there."""
        self._left.pop(name, None)

    def finish(self, ignored: Collection[str] = ()) -> None:
        """Raise `WeightsError` if tensors are left whose names begin with none of `ignored`."""
        prefixes = tuple(ignored)
        for name in self._left:
            if not (prefixes and name.startswith(prefixes)):
                raise WeightsError(
                    f"{self.source} has an unexpected tensor {name!r}: it belongs to another network",
                    path=self.source,
                )


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((index for index, side in enumerate(shape) if side != 1), len(shape))
    return shape[first:]


def _written(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"
