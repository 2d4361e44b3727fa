"""What a network that we did not write sees at each layer, found by trying.

A strip's columns are made NaN up to some cut, and the positions that turn NaN are those that see one of
them: NaN times zero is NaN, so a weight that happens to be zero or a ReLU that happens to be shut hides
nothing. Moving the cut shows where each position's view begins, and NaN from the cut on where it ends.
Where NaN spreads over everything (attention, a mean over the picture) a layer has no receptive field.

Only where NaN goes matters, not what is computed, so convolutions and products, which are nearly all of the
work, are replaced by ones of a single channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from phosphene.nets.receptive import Field

Run = Callable[[Tensor], Mapping[str, Tensor]]
"""From pictures to every layer's activations `n c h w`."""

LENGTHS = (512, 1024, 2048, 4096)
"""Columns of the strips that are tried, until one is longer than what a position sees."""

SIDES = (1, 8, 32, 80, 160, 256)
"""Rows of the strips that are tried, until every layer has a position."""

MOST_CUTS = 200
"""More than any regular network takes: layers share cuts, and each takes the logarithm of its stride."""


def fields(run: Run) -> dict[str, Field | None]:
    """Each layer's receptive field, or None where a position sees everything or no pattern is found.

    A field is square here: what is seen along rows and along columns, taken together.
    """
    with torch.no_grad(), _Sketch():
        rows, columns = (_Axis(run, transposed).fields() for transposed in (False, True))
    return {name: _both(rows[name], columns[name]) for name in rows}


def _both(rows: Field | None, columns: Field | None) -> Field | None:
    if rows is None or columns is None or rows.stride != columns.stride:
        return None
    return rows.union(columns)


class _Axis:
    """The search along one axis of the picture."""

    def __init__(self, run: Run, transposed: bool) -> None:
        self._run, self._transposed = run, transposed
        self._side = next((side for side in SIDES if self._has_positions(side)), SIDES[-1])

    def fields(self) -> dict[str, Field | None]:
        """Each layer's field along this axis."""
        everything = self._nan(LENGTHS[-1], 0, after=False)
        found: dict[str, Field | None] = dict.fromkeys(everything)
        # What sees the first column from its last position sees everything.
        left = [name for name, reached in everything.items() if not bool(reached[-1])]
        for length in LENGTHS:
            if not left:
                break
            short, long = self._nan(length, 0, after=False), self._nan(2 * length, 0, after=False)
            strides = {name: round(length / max(1, len(long[name]) - len(short[name]))) for name in left}
            found |= self._search(length, strides)
            left = [name for name in left if found[name] is None]
        return found

    def _search(self, length: int, strides: Mapping[str, int]) -> dict[str, Field | None]:
        """The fields of layers with these strides that are shorter than the strip."""
        starts = self._edges(length, strides, after=False)
        ends = self._edges(length, strides, after=True)
        found: dict[str, Field | None] = {}
        for name, stride in strides.items():
            start, end = starts[name], ends[name]
            known = start is not None and end is not None and end >= start
            found[name] = Field(start, end - start + 1, stride) if known else None  # type: ignore[operator, arg-type]
        return found

    def _edges(self, length: int, strides: Mapping[str, int], *, after: bool) -> dict[str, int | None]:
        """The first column that each layer's position 0 sees, or with `after` the last; None if not found."""
        edges = {name: _Edge(stride) for name, stride in strides.items()}
        cut = length // 2
        for _ in range(MOST_CUTS):
            for name, reached in self._nan(length, cut, after=after).items():
                if name in edges:
                    edges[name].narrow(cut - after, (~reached if after else reached))
            doubtful = [edge for edge in edges.values() if edge.low < edge.high]
            if not doubtful:
                break
            cut = max(doubtful, key=lambda edge: edge.high - edge.low).cut(length // 2) + after
        return {name: edge.value for name, edge in edges.items()}

    def _nan(self, length: int, cut: int, *, after: bool) -> dict[str, Tensor]:
        """Which positions along a strip see a NaN, if columns up to and with `cut` are NaN, or those from
        it on.
        """
        column = torch.arange(length)
        strip = torch.where(column >= cut if after else column <= cut, torch.nan, 0.5)
        strip = strip.expand(1, 3, self._side, length)
        activations = self._run(strip.mT if self._transposed else strip)
        return {
            name: (each.mT if self._transposed else each).isnan().any(dim=1)[0].any(dim=0)
            for name, each in activations.items()
        }

    def _has_positions(self, side: int) -> bool:
        strip = torch.zeros(1, 3, side, LENGTHS[0])
        try:
            found = self._run(strip.mT if self._transposed else strip)
        except (RuntimeError, ValueError):  # a window larger than what it is given
            return False
        return all(min(each.shape[-2:]) > 0 for each in found.values())


@dataclass
class _Edge:
    """What is known of one edge of a layer's view: that of position p is at `edge + p * stride`."""

    stride: int
    low: int = -(1 << 31)
    high: int = 1 << 31
    value: int | None = None
    regular: bool = True

    def narrow(self, cut: int, reached: Tensor) -> None:
        """Learn from which positions' edges are at or before column `cut`."""
        count = int(reached.sum())
        together = bool(reached[:count].all())
        if not together or count in (0, len(reached)):
            self.regular = False
        self.low = max(self.low, cut - count * self.stride + 1)
        self.high = min(self.high, cut - (count - 1) * self.stride)
        if not self.regular or self.low > self.high:
            self.low, self.high, self.value, self.regular = 0, 0, None, False
        else:
            self.value = self.low if self.low == self.high else None

    def cut(self, near: int) -> int:
        """The column near `near` that tells in which half of the doubt the edge is."""
        middle = (self.low + self.high) // 2
        return middle + (near - middle) // self.stride * self.stride


class _Sketch(TorchDispatchMode):
    """Convolutions and products of one channel, which send NaN where the true ones do."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        aten = torch.ops.aten
        if func is aten.convolution.default:
            x, weight, _, stride, padding, dilation, turned, _, _ = args
            if not turned and x.dim() == 4:
                one = torch.ones(1, 1, *weight.shape[2:], dtype=x.dtype, device=x.device)
                narrow = aten.convolution.default(
                    x.mean(1, keepdim=True), one, None, stride, padding, dilation, False, [0, 0], 1
                )
                return narrow.expand(-1, weight.shape[0], -1, -1).contiguous()
        if func is aten.addmm.default:
            return args[1].mean(1, keepdim=True).expand(-1, args[2].shape[1]).contiguous()
        if func is aten.mm.default:
            return args[0].mean(1, keepdim=True).expand(-1, args[1].shape[1]).contiguous()
        return func(*args, **(kwargs or {}))
