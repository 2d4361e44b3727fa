"""The gradient of an objective with respect to the canvas: the inner loop of everything.

What makes it fast: the network runs to the deepest layer that the objective looks at and no further; only the image
gets a gradient, never the weights; convolutions run channels-last in bfloat16 where the processor has instructions for
it; and a canvas larger than the memory budget is done in tiles, which changes nothing but the memory.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.gradients import precision as precisions
from phosphene.gradients.tiles import Tile, cut
from phosphene.nets.receptive import Field
from phosphene.nets.tap import Net
from phosphene.objectives.base import Leaf, Objective
from phosphene.types import Image, Region, Scores, Size

MEMORY_BUDGET = 1 << 30
"""Bytes of activations that one tile may hold; with this, 24 megapixels dream within 4 GiB in all."""

PEAK = 1.5
"""How much more than the activations kept for the backward pass is held at its peak (measured: 1.3 to 1.5)."""


class Engine:
    """Computes scores and gradients of one objective in one network.

    >>> from phosphene.nets import pocket
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
        precision: "auto", "bfloat16" or "float32".
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
        device = next(net.parameters()).device
        self.dtype = precisions.choose(precision, device)
        self.net = net if next(net.parameters()).dtype == self.dtype else copy.deepcopy(net).to(self.dtype)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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
        self._shape_net = copy.deepcopy(net).to("meta")
        self._shapes = lru_cache(maxsize=64)(self._probe_shapes)

    def __call__(self, image: Image) -> tuple[Scores, Image]:
        """The objective's score of each picture, and the gradient of their sum with respect to `image`.

        Both are detached and float32. A canvas too small for the deepest layer is continued at its right and lower
        edges for the network's eyes only.
        """
        height, width = image.shape[-2:]
        least = self._least_side
        pad = (0, max(0, least - width), 0, max(0, least - height))
        if any(pad):
            scores, gradient = self._whole(image, pad)
        elif own := self.tile_side((height, width), len(image)):
            scores, gradient = self._tiled(image, own)
        else:
            scores, gradient = self._whole(image)
        return scores, gradient

    def towards(self, objective: Objective) -> Engine:
        """An engine for another objective that shares this one's network, so that a film may change its mind."""
        other = copy.copy(self)
        other.objective = objective
        other.layers = sorted(objective.layers())
        if other.layers != self.layers:
            for known in ("_spatial_layers", "_least_side", "_bytes_per_pixel"):
                other.__dict__.pop(known, None)
            other._shapes = lru_cache(maxsize=64)(other._probe_shapes)
        return other

    def tile_side(self, size: Size, count: int = 1) -> int:
        """The side in pixels of the tiles that a canvas of `size` is cut into, or 0 if it is done whole."""
        field = self._field()
        if self.tile == 0 or field is None:
            return 0
        if self.tile != "auto":
            return self.tile if self.tile < max(size) else 0
        pixels = MEMORY_BUDGET / (self._bytes_per_pixel * PEAK * count)
        if size[0] * size[1] <= pixels:
            return 0
        reach = field.before + field.after if self.halo is None else 2 * self.halo
        return max(field.stride * 8, math.floor(math.sqrt(pixels)) - reach)

    def _whole(self, image: Image, pad: tuple[int, int, int, int] | None = None) -> tuple[Scores, Image]:
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            seen = F.pad(leaf, pad, mode="replicate") if pad else leaf
            scores = self.objective(self.net(seen, self.layers))
            (gradient,) = torch.autograd.grad(scores.sum(), leaf)
        return scores.detach(), gradient

    def _tiled(self, image: Image, own: int) -> tuple[Scores, Image]:
        """Two passes over the tiles where a score is not linear in what its positions add up to, else one.

        Such a score (a class, an equalised layer) is a function of sums over the whole canvas. The first pass finds the
        sums, and with them in which direction each should move; the second follows that, which is linear in the
        positions, so that tiles add up again.
        """
        field, size = self._field(), (image.shape[-2], image.shape[-1])
        assert field is not None
        tiles = list(cut(size, own, field, self.halo))
        terms = list(self._pooled_terms(self._shapes(size)))
        first = None if all(term.linear for term in terms) else self._pool(image, tiles, terms)
        directions = [term.direction(first[i] if first else None) for i, term in enumerate(terms)]
        gradient = torch.zeros_like(image)
        pooled = [torch.zeros(()) for _ in terms]
        for tile in tiles:
            leaf = _crop(image, tile).detach().contiguous().requires_grad_()
            with torch.enable_grad():
                activations = self.net(leaf, self._spatial_layers)
                parts = [term.pool(activations, tile) for term in terms]
                shares = [(part * way).sum() for part, way in zip(parts, directions, strict=True)]
                (share,) = torch.autograd.grad(torch.stack(shares).sum(), leaf)
            _crop(gradient, tile).add_(share)
            pooled = [whole + part.detach() for whole, part in zip(pooled, parts, strict=True)]
        scores = [term.coefficient * term.judge(whole) for term, whole in zip(terms, pooled, strict=True)]
        return torch.stack(scores).sum(dim=0), gradient

    def _pool(self, image: Image, tiles: list[Tile], terms: list[_Term]) -> list[Tensor]:
        pooled = [torch.zeros(()) for _ in terms]
        with torch.no_grad():
            for tile in tiles:
                activations = self.net(_crop(image, tile), self._spatial_layers)
                pooled = [whole + term.pool(activations, tile) for whole, term in zip(pooled, terms, strict=True)]
        return pooled

    def _pooled_terms(self, shapes: dict[str, Size]) -> Iterator[_Term]:
        """The objective's terms, class scores as functions of the mean of the layer that they are computed from."""
        card = self.net.card
        for coefficient, leaf in self.objective.terms():
            if leaf.layer != card.classes:
                add_up, judge, linear = leaf.add_up, leaf.judge, leaf.linear
                stride = self._stride(leaf.layer)
                yield _Term(coefficient, leaf.layer, stride, shapes[leaf.layer], add_up, judge, linear)
                continue
            layer = str(card.pooled)

            def judge_class(pooled: Tensor, leaf: Leaf = leaf) -> Scores:
                return leaf.score(self.net.head(pooled))

            yield _Term(coefficient, layer, self._stride(layer), shapes[layer], _mean, judge_class, linear=False)

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
        image = torch.empty(1, 3, *size, device="meta")
        with torch.no_grad():
            activations = self._shape_net(image, self._spatial_layers)
        return {name: (each.shape[-2], each.shape[-1]) for name, each in activations.items()}

    @cached_property
    def _least_side(self) -> int:
        """The smallest side that gives every layer a position."""
        field = self._field()
        step = field.stride if field else self.net.card.native
        for side in range(step, 64 * step, step):
            try:
                shapes = self._shapes((side, side))
            except RuntimeError:  # a pool or convolution larger than what it is given
                continue
            if all(min(shape) > 0 for shape in shapes.values()):
                return side
        raise AssertionError("no canvas is large enough for this network")

    @cached_property
    def _bytes_per_pixel(self) -> float:
        """Bytes of activations that the backward pass needs, for each pixel of the canvas."""
        side = max(256, self._least_side)
        kept: dict[int, int] = {}
        alive = []  # so that no storage is freed and its address counted for another

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = tensor.numel()
            alive.append(storage)
            return tensor

        image = torch.empty(1, 3, side, side, device="meta", requires_grad=True)
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            self._shape_net(image, self._spatial_layers)
        return sum(kept.values()) * self.dtype.itemsize / side**2


@dataclass(frozen=True)
class _Term:
    """One term of the objective as a function of what its positions add up to."""

    coefficient: float
    layer: str
    stride: int
    total: Size
    add_up: Callable[[Tensor, Region], Tensor]
    judge: Callable[[Tensor], Scores]
    linear: bool

    def pool(self, activations: Mapping[str, Tensor], tile: Tile) -> Tensor:
        """What the positions that `tile` owns add, `n k`."""
        rows, columns, region = tile.region(self.stride, self.total)
        return self.add_up(activations[self.layer][:, :, rows, columns], region)

    def direction(self, pooled: Tensor | None) -> Tensor:
        """The gradient of the term with respect to its sums; where it is linear, it is the same everywhere."""
        if pooled is None:
            return torch.tensor(self.coefficient)
        leaf = pooled.detach().requires_grad_()
        with torch.enable_grad():
            (direction,) = torch.autograd.grad(self.coefficient * self.judge(leaf).sum(), leaf)
        return direction


def _mean(activation: Tensor, region: Region) -> Tensor:
    total = activation.sum(dim=(2, 3), dtype=torch.promote_types(activation.dtype, torch.float32))
    return total / (region.height * region.width)


def _crop(image: Tensor, tile: Tile) -> Tensor:
    rows, columns = tile.rows, tile.columns
    return image[:, :, rows.crop_start : rows.crop_end, columns.crop_start : columns.crop_end]
