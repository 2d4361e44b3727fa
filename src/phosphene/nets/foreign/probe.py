"""Measure the receptive fields of a network that is not ours, by following NaN through it.

The columns of a strip are set to NaN up to some cut, and the positions that turn NaN are those that see one of them:
NaN times zero is NaN, so a weight that is zero or a ReLU that is closed hides nothing. Moving the cut shows where each
position's receptive field begins; NaN from the cut on shows where it ends. Where NaN spreads over everything
(attention, a mean over the image) a layer has no receptive field.

Only the spread of NaN matters, not the values, so convolutions and matrix products, which take nearly all of the time,
are replaced by ones with a single channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from phosphene.nets.receptive import Field

Run = Callable[[Tensor], Mapping[str, Tensor]]
"""Returns every layer's activations `n c h w` for a batch of images."""

LENGTHS = (512, 1024, 2048, 4096)
"""Columns of the strips, tried in order until one is longer than a receptive field."""

SIDES = (1, 8, 32, 80, 160, 256)
"""Rows of the strips, tried in order until every layer has a position."""

AT_ONCE = 16
"""Strips in one batch."""


class RunError(Exception):
    """The network failed on a strip."""


def fields(run: Run, channels: int = 3) -> dict[str, Field | None]:
    """Return each layer's receptive field, or None where a position sees everything or no pattern is found.

    A field is square: the union of those along rows and along columns. `channels` is the number that the input has.
    Raises `RunError`.
    """
    rows, columns = (_Axis(run, transposed, channels).fields() for transposed in (False, True))
    return {name: _both(rows[name], columns[name]) for name in rows}


def _both(rows: Field | None, columns: Field | None) -> Field | None:
    if rows is None or columns is None or rows.stride != columns.stride:
        return None
    return rows.union(columns)


@dataclass(frozen=True)
class _Cut:
    """A strip whose columns are NaN up to and including `column`, or with `after` from it on."""

    column: int
    after: bool


@dataclass(frozen=True)
class _Seen:
    """How many of a layer's positions along a strip have their edge before a cut, and whether these are the first."""

    count: int
    positions: int
    together: bool
    last: bool

    @classmethod
    def of(cls, nan: Tensor, cut: _Cut) -> _Seen:
        """Count from `nan`, which is true at positions that see a NaN."""
        before = ~nan if cut.after else nan
        count = int(before.sum())
        return cls(count, len(nan), bool(before[:count].all()), bool(nan[-1]))


class _Axis:
    """The search along one axis of the image."""

    def __init__(self, run: Run, transposed: bool, channels: int) -> None:
        self._run, self._transposed, self._channels = run, transposed, channels
        self._side = next((side for side in SIDES if self._has_positions(side)), SIDES[-1])

    def fields(self) -> dict[str, Field | None]:
        """Return each layer's field along this axis."""
        first = [_Cut(0, after=False)]
        everything = self._nan(LENGTHS[-1], first)
        found: dict[str, Field | None] = dict.fromkeys(everything)
        # A layer whose last position sees the first column sees everything.
        left = [name for name, (seen,) in everything.items() if not seen.last]
        for length in LENGTHS:
            if not left:
                break
            short, long = self._nan(length, first), self._nan(2 * length, first)
            more = {name: long[name][0].positions - short[name][0].positions for name in left}
            strides = {name: round(length / max(1, count)) for name, count in more.items()}
            found |= self._search(length, strides)
            left = [name for name in left if found[name] is None]
        return found

    def _search(self, length: int, strides: Mapping[str, int]) -> dict[str, Field | None]:
        """Return the fields of layers with these strides, where they are shorter than the strip."""
        edges = {(name, after): _Edge(stride) for name, stride in strides.items() for after in (False, True)}
        cuts = {_Cut(length // 2, after) for after in (False, True)}
        while cuts:
            asked = sorted(cuts, key=lambda cut: (cut.after, cut.column))
            for name, table in self._nan(length, asked).items():
                for cut, seen in zip(asked, table, strict=True):
                    if name in strides:
                        edges[name, cut.after].narrow(cut.column - cut.after, seen)
            cuts = {
                _Cut(edge.cut(length // 2) + after, after) for (_, after), edge in edges.items() if edge.low < edge.high
            }
        return {name: _between(edges[name, False], edges[name, True]) for name in strides}

    def _nan(self, length: int, cuts: Sequence[_Cut]) -> dict[str, list[_Seen]]:
        """Return which positions along a strip see a NaN, for each layer and each cut."""
        tables: dict[str, list[_Seen]] = {}
        column = torch.arange(length)
        for at in range(0, len(cuts), AT_ONCE):
            some = cuts[at : at + AT_ONCE]
            hidden = torch.stack([column >= cut.column if cut.after else column <= cut.column for cut in some])
            strips = torch.where(hidden, torch.nan, 0.5)[:, None, None].expand(-1, self._channels, self._side, -1)
            for name, each in self._sketch(strips.mT if self._transposed else strips).items():
                seen = (each.mT if self._transposed else each).isnan().any(dim=1).any(dim=1)
                tables.setdefault(name, []).extend(map(_Seen.of, seen, some))
        return tables

    def _sketch(self, image: Tensor) -> Mapping[str, Tensor]:
        try:
            with torch.no_grad(), _Sketch():
                return self._run(image)
        # The network's code is not ours, and may raise anything for strips of NaN.
        except Exception as problem:
            raise RunError(f"{type(problem).__name__}: {problem}") from problem

    def _has_positions(self, side: int) -> bool:
        strip = torch.zeros(1, self._channels, side, LENGTHS[0])
        try:
            found = self._sketch(strip.mT if self._transposed else strip)
        except RunError:  # a window larger than its input
            return False
        return all(min(each.shape[-2:]) > 0 for each in found.values())


def _between(first: _Edge, last: _Edge) -> Field | None:
    if first.value is None or last.value is None or last.value < first.value:
        return None
    return Field(first.value, last.value - first.value + 1, first.stride)


@dataclass
class _Edge:
    """The bounds found so far for one edge of a layer's field: that of position p is at `edge + p * stride`."""

    stride: int
    low: int = -(1 << 31)
    high: int = 1 << 31
    value: int | None = None
    regular: bool = True

    def narrow(self, cut: int, seen: _Seen) -> None:
        """Narrow the bounds, given how many positions' edges are at or before column `cut`."""
        count = seen.count
        if not seen.together or count in (0, seen.positions):
            self.regular = False
        self.low = max(self.low, cut - count * self.stride + 1)
        self.high = min(self.high, cut - (count - 1) * self.stride)
        if not self.regular or self.low > self.high:
            self.low, self.high, self.value, self.regular = 0, 0, None, False
        else:
            self.value = self.low if self.low == self.high else None

    def cut(self, near: int) -> int:
        """Return the column near `near` that halves the interval in which the edge can be."""
        middle = (self.low + self.high) // 2
        return middle + (near - middle) // self.stride * self.stride


class _Sketch(TorchDispatchMode):
    """Replaces convolutions and products by ones with a single channel, through which NaN spreads in the same way."""

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
