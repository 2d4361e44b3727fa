"""Weights that are computed from a layer's weights once and used in every step, such as flipped kernels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

State = tuple[object, ...]

MOST = 8
"""The most tensors that are kept for one weight; those that were not used for longest go first."""


def derived(weight: Tensor, kind: Hashable, make: Callable[[], Tensor]) -> Tensor:
    """Return what `make` returned for these weights and this `kind`, or call it if there is nothing or they changed."""
    known = _known.setdefault(weight, {})
    # Module.to replaces the data of a parameter without counting up its version.
    state = (weight._version, weight.dtype, weight.device, weight.data_ptr())
    found = known.pop(kind, None)
    if found is None or found[0] != state:
        found = (state, make().detach())
    known[kind] = found
    while len(known) > MOST:
        known.pop(next(iter(known)), None)
    return found[1]


_known: MutableMapping[Tensor, dict[Hashable, tuple[State, Tensor]]] = WeakTensorKeyDictionary()
