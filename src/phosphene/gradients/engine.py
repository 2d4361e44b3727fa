"""The gradient of an objective with respect to the canvas: the inner loop of everything.

What makes it fast: the network runs to the deepest layer that the objective looks at and no further; only the image
gets a gradient, never the weights, so that one bit for each response is enough for the way back; convolutions run
channels-last in bfloat16 where the processor has instructions for it; memory is kept from step to step; and a canvas
larger than the memory budget is done in tiles, which changes nothing but the memory.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.gradients import allocator
from phosphene.gradients import precision as precisions
from phosphene.gradients.footprint import Footprint, footprint
from phosphene.gradients.tiles import Tile, cut
from phosphene.nets.base import Net
from phosphene.nets.receptive import Field
from phosphene.objectives.base import Leaf, Objective
from phosphene.types import Image, Region, Scores, Size

MEMORY_BUDGET = 1640 << 20
"""Bytes that a step may plan to hold besides the canvas and its gradient, so that 24 megapixels take 2 GiB more."""

OVERLAP = 1.1
"""How much more of a canvas is looked at in tiles than whole, because of their halos: what memory is planned for."""

KEPT = 0.7
"""Share of `MEMORY_BUDGET` that may be kept of tiles; where more would be, they are gone through twice instead."""

PIECES = 1.5
"""How much memory is taken for each byte that is needed at once, because what is free lies in pieces."""

SLACK = 2.0
"""How much memory may lie free during a step on a whole canvas, for each byte that it needs at once."""

MIN_SLACK = 384 << 20
"""Free memory in bytes that is never worth giving back."""

TILES_SLACK, LITTLE_SLACK = 1.0, 0.42
"""Shares of `MEMORY_BUDGET` that may lie free while a canvas is gone through in tiles. The little room costs a tenth
more time, and has to do where more than `SPARING` of the budget is kept of tiles."""

SPARING = 0.5


@dataclass(frozen=True)
class Layout:
    """How a canvas is gone through: in tiles that own `own` x `own` pixels, or whole where it is 0.

    With `keep`, what the way back needs is kept of all tiles at once, so that each is looked at once only. `room` is
    how many bytes may lie free meanwhile before they are given back to the system.
    """

    own: int
    keep: bool = False
    slack: float = math.inf


class Engine:
    """Computes scores and gradients of one objective in one network.

    >>> from phosphene.nets.zoo import pocket
    >>> from phosphene.objectives.features import Layer
    >>> from phosphene.objectives.base import resolve
    >>> net = pocket.load()
    >>> engine = Engine(net, resolve(Layer("mixed3a"), net.card), precision="float32")
    >>> scores, gradient = engine(torch.rand(1, 3, 48, 64))
    >>> scores.shape, gradient.shape
    (torch.Size([1]), torch.Size([1, 3, 48, 64]))

    Args:
        net: the network; it is copied if its precision has to change.
        objective: a resolved expression.
        precision: "auto", "bfloat16", "float16" or "float32".
        tile: the side in pixels of what a tile owns; 0 for never, "auto" to cut what exceeds `MEMORY_BUDGET`. A layer
            without a receptive field (a transformer's) is always done whole.
        halo: pixels that a tile sees beyond its own on each side; None for the receptive field's reach.

    Raises:
        SettingError: for a precision, tile or halo out of range.
        UnknownNameError: for a layer that the network does not have.
    """

    def __init__(
        self,
        net: Net,
        objective: Objective,
        *,
        precision: str = "auto",
        tile: int | Literal["auto"] = "auto",
        halo: int | None = None,
    ) -> None:
        if tile != "auto" and tile < 0:
            raise SettingError(f"tile must be 0 or more pixels, but is {tile}", setting="tile", value=tile)
        if halo is not None and halo < 0:
            raise SettingError(f"halo must be 0 or more pixels, but is {halo}", setting="halo", value=halo)
        self.device = next(net.parameters()).device
        self.dtype = precisions.choose(precision, self.device)
        self.net = net if next(net.parameters()).dtype == self.dtype else copy.deepcopy(net).to(self.dtype)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._memory = allocator.Keeper()
        self.objective = objective
        self.tile = tile
        self.halo = halo
        self.layers = sorted(objective.layers())
        if tile not in ("auto", 0) and self._field() is None:
            raise SettingError(
                f"tile must be auto or 0 for {', '.join(self.layers)} of net {net.card.name!r}, all positions of which "
                f"see the whole picture, but is {tile}",
                setting="tile",
                value=tile,
            )
        self._shape_net = _shape_of(self.net)
        self._shapes = lru_cache(maxsize=64)(self._probe_shapes)

    def __call__(self, image: Image) -> tuple[Scores, Image]:
        """The objective's score of each picture, and the gradient of their sum with respect to `image`.

        Both are detached, float32 and on the canvas' device, wherever the network is. A canvas too small for the
        deepest layer is continued at its right and lower edges for the network's eyes only.
        """
        height, width = image.shape[-2:]
        least = self._least_side
        pad = (0, max(0, least - width), 0, max(0, least - height))
        layout = Layout(0) if any(pad) else self.layout((height, width), len(image))
        canvas = image.to(self.device)
        with self._memory.step(image.shape, layout.slack) as watch:
            scores, gradient = self._tiled(canvas, layout, watch) if layout.own else self._whole(canvas, pad, watch)
        return scores.to(image.device), gradient.to(image.device)

    def towards(self, objective: Objective) -> Engine:
        """An engine for another objective that shares this one's network, so that a film may change its mind."""
        other = copy.copy(self)
        other.objective = objective
        other.layers = sorted(objective.layers())
        if other.layers != self.layers:
            for known in ("_spatial_layers", "_least_side", "_held"):
                other.__dict__.pop(known, None)
            other._memory = allocator.Keeper()
            other._shapes = lru_cache(maxsize=64)(other._probe_shapes)
        return other

    def layout(self, size: Size, count: int = 1) -> Layout:
        """How a batch of `count` canvases of `size` is gone through within `MEMORY_BUDGET`."""
        field, pixels = self._field(), size[0] * size[1] * count
        if field is None:
            return Layout(0)
        planned, kept = pixels * self._footprint.peak, pixels * OVERLAP * self._footprint.kept
        if self.tile == 0 or (planned <= MEMORY_BUDGET if self.tile == "auto" else self.tile >= max(size)):
            return Layout(0, slack=max(MIN_SLACK, planned * SLACK))
        keep = not self._linear and kept <= MEMORY_BUDGET * KEPT
        slack = MEMORY_BUDGET * (LITTLE_SLACK if keep and kept > MEMORY_BUDGET * SPARING else TILES_SLACK)
        if self.tile != "auto":
            return Layout(self.tile, keep, slack)
        seen = (MEMORY_BUDGET - kept * keep) / (
            (self._footprint.tile if keep else self._footprint.peak) * count * PIECES
        )
        reach = field.before + field.after if self.halo is None else 2 * self.halo
        return Layout(max(field.stride * 8, math.floor(math.sqrt(seen)) - reach), keep, slack)

    def _whole(self, image: Image, pad: tuple[int, int, int, int], watch: allocator.Watch) -> tuple[Scores, Image]:
        leaf = image.detach().requires_grad_()
        with torch.enable_grad(), allocator.watched(watch):
            seen = F.pad(leaf, pad, mode="replicate") if any(pad) else leaf
            scores = self.objective(self.net(seen, self.layers))
            (gradient,) = torch.autograd.grad(scores.sum() * self._scale(leaf), leaf)
        return scores.detach(), gradient.div_(self._scale(leaf))

    def _tiled(self, image: Image, layout: Layout, watch: allocator.Watch) -> tuple[Scores, Image]:
        """All tiles, one after the other; what they add up to is the whole's.

        A score that is not linear in what its positions add up to (a class, an equalised layer) is a function of sums
        over the whole canvas. These are found first, and with them in which direction each should move; the way back
        follows that, which is linear in the positions, so that tiles add up again. What it needs is kept of all tiles
        meanwhile, or where that is too much, found again.
        """
        field, size = self._field(), (image.shape[-2], image.shape[-1])
        assert field is not None
        tiles = list(cut(size, layout.own, field, self.halo))
        terms = list(self._pooled_terms(self._shapes(size)))
        kept: deque[_Look] = deque()
        sums: list[Tensor | None] = [None] * len(terms)
        if layout.keep:
            for tile in tiles:
                with allocator.apart(watch):
                    kept.append(self._look(image, tile, terms))
            sums = [*_total(look.parts for look in kept)]
        elif not self._linear:
            sums = [*_total(self._look(image, tile, terms, back=False).parts for tile in tiles)]
        directions = [term.direction(whole) for term, whole in zip(terms, sums, strict=True)]
        gradient = torch.zeros_like(image)
        parts = []
        for tile in tiles:
            look = kept.popleft() if layout.keep else self._look(image, tile, terms)
            parts.append([part.detach() for part in look.parts])
            _crop(gradient, tile).add_(look.back(directions, self._scale(image)))
        scores = [term.coefficient * term.finalize(whole) for term, whole in zip(terms, _total(parts), strict=True)]
        return torch.stack(scores).sum(dim=0), gradient

    def _look(self, image: Image, tile: Tile, terms: list[_Term], *, back: bool = True) -> _Look:
        with torch.set_grad_enabled(back):
            leaf = _crop(image, tile).detach().requires_grad_(back)  # no copy
            activations = self.net(leaf, self._spatial_layers)
            return _Look(leaf, [term.pool(activations, tile) for term in terms])

    def _pooled_terms(self, shapes: dict[str, Size]) -> Iterator[_Term]:
        """The objective's terms, class scores as functions of the mean of the layer that they are computed from."""
        card = self.net.card
        for coefficient, leaf in self.objective.terms():
            if leaf.layer != card.classes:
                stride = self._stride(leaf.layer)
                yield _Term(coefficient, leaf.layer, stride, shapes[leaf.layer], leaf.reduce, leaf.finalize)
                continue
            layer = str(card.pooled)

            def finalize_class(pooled: Tensor, leaf: Leaf = leaf) -> Scores:
                return leaf.score(self.net.head(pooled))

            yield _Term(coefficient, layer, self._stride(layer), shapes[layer], _mean, finalize_class)

    def _scale(self, image: Image) -> float:
        """What scores are multiplied by on the way back: in float16, a mean's gradient would vanish among its many
        positions (loss scaling: Micikevicius et al., "Mixed precision training", ICLR 2018).
        """
        return float(math.prod(image.shape[1:])) if self.dtype == torch.float16 else 1.0

    # What is known of the network without running it.

    @cached_property
    def _spatial_layers(self) -> list[str]:
        """The layers with positions that the objective depends on."""
        card = self.net.card
        pooled = card.pooled or card.classes  # class scores of no mean need the whole canvas
        return sorted({str(pooled) if name == card.classes else name for name in self.layers})

    def _stride(self, layer: str) -> int:
        field = self.net.card.layer(layer).receptive
        assert field is not None
        return field.stride

    def _field(self) -> Field | None:
        """A field that covers those of all layers looked at, or None if one of them sees the whole canvas."""
        fields = [self.net.card.layer(name).receptive for name in self._spatial_layers]
        known = [field for field in fields if field is not None]
        if len(known) < len(fields):
            return None
        start = min(field.start for field in known)
        stride = max(field.stride for field in known)
        after = max(field.after for field in known)
        return Field(start, stride + after - start, stride)

    def _probe_shapes(self, size: Size) -> dict[str, Size]:
        """Each layer's positions for a canvas of `size`, found on the meta device, where nothing is computed."""
        image = torch.empty(1, self.net.card.input.channels, *size, device="meta")
        with torch.no_grad():
            activations = self._shape_net(image, self._spatial_layers)
        return {name: (each.shape[-2], each.shape[-1]) for name, each in activations.items()}

    @cached_property
    def _least_side(self) -> int:
        """The smallest side that gives every layer a position."""
        field = self._field()
        step = field.stride if field else self.net.card.input.size
        for side in range(step, 64 * step, step):
            try:
                shapes = self._shapes((side, side))
            except RuntimeError:  # a pool or convolution larger than what it is given
                continue
            if all(min(shape) > 0 for shape in shapes.values()):
                return side
        raise AssertionError("no canvas is large enough for this network")

    @cached_property
    def _footprint(self) -> Footprint:
        return footprint(self._shape_net, self._spatial_layers, max(256, self._least_side))

    @property
    def _linear(self) -> bool:
        classes = self.net.card.classes
        return all(leaf.linear and leaf.layer != classes for _, leaf in self.objective.terms())


@dataclass(frozen=True)
class _Term:
    """One term of the objective as a function of what its positions add up to."""

    coefficient: float
    layer: str
    stride: int
    total: Size
    reduce: Callable[[Tensor, Region], Tensor]
    finalize: Callable[[Tensor], Scores]

    def pool(self, activations: Mapping[str, Tensor], tile: Tile) -> Tensor:
        """What the positions that `tile` owns add, `n k`."""
        rows, columns, region = tile.region(self.stride, self.total)
        return self.reduce(activations[self.layer][:, :, rows, columns], region)

    def direction(self, pooled: Tensor | None) -> Tensor:
        """The gradient of the term with respect to its sums; where it is linear, it is the same everywhere."""
        if pooled is None:
            return torch.tensor(self.coefficient)
        leaf = pooled.detach().requires_grad_()
        with torch.enable_grad():
            (direction,) = torch.autograd.grad(self.coefficient * self.finalize(leaf).sum(), leaf)
        return direction


@dataclass(frozen=True)
class _Look:
    """A tile's crop of the canvas, and what it adds to each term's sums."""

    leaf: Tensor
    parts: list[Tensor]

    def back(self, directions: list[Tensor], scale: float) -> Tensor:
        """The gradient of the sums moving in these directions, found `scale` times as large."""
        shares = [(part * way).sum() for part, way in zip(self.parts, directions, strict=True)]
        (gradient,) = torch.autograd.grad(torch.stack(shares).sum() * scale, self.leaf)
        return gradient.div_(scale)


def _total(parts: Iterable[list[Tensor]]) -> list[Tensor]:
    return [torch.stack([part.detach() for part in each]).sum(dim=0) for each in zip(*parts, strict=True)]


def _shape_of(net: Net) -> Net:
    """The network without its weights, on the meta device."""
    weights = {id(each): each for each in [*net.parameters(), *net.buffers()]}
    memo = {key: _like(each) for key, each in weights.items()}
    return copy.deepcopy(net, memo)


def _like(weight: Tensor) -> Tensor:
    empty = torch.empty_like(weight, device="meta")
    return nn.Parameter(empty, requires_grad=False) if isinstance(weight, nn.Parameter) else empty


def _mean(activation: Tensor, region: Region) -> Tensor:
    total = activation.sum(dim=(2, 3), dtype=torch.promote_types(activation.dtype, torch.float32))
    return total / (region.height * region.width)


def _crop(image: Tensor, tile: Tile) -> Tensor:
    rows, columns = tile.rows, tile.columns
    return image[:, :, rows.crop_start : rows.crop_end, columns.crop_start : columns.crop_end]
