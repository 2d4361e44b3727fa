"""The gradient of an objective with respect to the canvas: the inner loop of everything.

What makes it fast: the network runs to the deepest layer that the objective needs and no further; only the image gets a
gradient, never the weights, so that one bit per response is enough for the backward pass; convolutions run
channels-last in bfloat16 where the processor has instructions for it; and a canvas larger than the memory budget is
done in tiles, which changes nothing but the memory.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.gradients import allocator, tiled
from phosphene.gradients import precision as precisions
from phosphene.gradients.footprint import Footprint, footprint
from phosphene.gradients.halves import Halves, Middle, SplitTiling
from phosphene.gradients.memory_plan import MemoryPlan, Traversal
from phosphene.gradients.tiles import cut
from phosphene.nets.base import Net
from phosphene.nets.receptive import Field
from phosphene.objectives.base import Objective
from phosphene.types import Image, Scores, Size

MEASURED_SIDE = 128
"""Side in pixels of the canvas on which memory is measured; bytes per pixel hardly differ on larger ones."""

MEASURED_POSITIONS = 32
"""The same for the second half of a network, whose canvas has `MIDDLE_STRIDE` times fewer positions on each side."""

MOST_BYTES = 24_000
"""More bytes per pixel than any network holds: where a canvas is within the budget even so, nothing is measured."""


WASTE = 1.75
"""How much more than they own tiles may see; beyond, a network that can be split is done in two halves, which takes one
more pass through the first of them."""

SHARED, SHARED_WASTE = 256, 1.5
"""Least side in pixels of tiles that others compute, since smaller ones take longer to hand over; and how much more
than they own they may see."""

MIDDLE_STRIDE = 8
"""Least stride of the layer between the two halves."""

MIDDLE_SHARE = 0.25
"""Largest share of the budget for that layer on the whole canvas, and its gradient."""


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
        net: the network; it is copied if its precision or memory format has to change, and never changed itself.
        objective: a resolved expression.
        precision: "auto", "bfloat16", "float16" or "float32".
        tile: the side in pixels of what a tile owns; 0 for never, "auto" to cut what exceeds the memory budget. A layer
            without a receptive field (a transformer's) is always done whole.
        halo: pixels that a tile sees beyond its own on each side; None for the receptive field's reach.
        budget: bytes that a step may hold besides the canvas and its gradient; None for the default of `MemoryPlan`.

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
        budget: int | None = None,
    ) -> None:
        if tile != "auto" and tile < 0:
            raise SettingError(f"tile must be 0 or more pixels, but is {tile}", setting="tile", value=tile)
        if halo is not None and halo < 0:
            raise SettingError(f"halo must be 0 or more pixels, but is {halo}", setting="halo", value=halo)
        self.device = next(net.parameters()).device
        self.dtype = precisions.choose_dtype(precision, self.device)
        self.net = precisions.prepared(net, self.dtype)
        self.plan = MemoryPlan() if budget is None else MemoryPlan(budget=budget)
        self._memory = allocator.Keeper()
        self._measured_side = MEASURED_SIDE
        self._compute: tiled.Compute | None = None
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
        self._shapes = lru_cache(maxsize=64)(self._probe_shapes)

    def __call__(self, image: Image, weight: Tensor | None = None) -> tuple[Scores, Image]:
        """Return the objective's score of each picture, and the gradient of their sum with respect to `image`.

        Both are detached, float32 and on the canvas' device, wherever the network is. A canvas too small for the
        deepest layer is padded at its right and lower edges, for the network only.

        Args:
            image: `n c h w`.
            weight: what each pixel's gradient is multiplied by, `1 1 h w` or `n 1 h w`, from 0 to 1; None for 1.
        """
        height, width = image.shape[-2:]
        least = self._least_side
        pad = (0, max(0, least - width), 0, max(0, least - height))
        way = Traversal(0) if any(pad) else self.traversal((height, width), len(image))
        canvas = image.to(self.device)
        with self._memory.step(image.shape, way.slack) as watch:
            if way.middle is not None:
                scores, gradient = self._halves(way, canvas)(canvas, self._scale(canvas), watch)
            elif way.own and self._compute is not None:
                scores, gradient = self.tiling((height, width)).gradient_by(self._compute, canvas)
            elif way.own:
                scores, gradient = self._tiled(canvas, way, watch)
            else:
                scores, gradient = self._whole(canvas, pad, watch)
        if weight is not None:
            gradient.mul_(weight.to(gradient))
        return scores.to(image.device), gradient.to(image.device)

    def towards(self, objective: Objective) -> Engine:
        """Return an engine for another objective that shares this one's network, for films with several targets."""
        other = copy.copy(self)
        other.objective = objective
        other.layers = sorted(objective.layers())
        if other.layers != self.layers:
            other._forget()
        elif self.__dict__.get("_split") is not None:
            middle, rest = self.__dict__["_split"]
            other.__dict__["_split"] = (middle, rest.towards(objective))
        return other

    def sharing(self, compute: tiled.Compute) -> Engine:
        """Return an engine that lets `compute` do its tiles, with the same results."""
        other = copy.copy(self)
        other._compute = compute
        return other

    def shared_tile(self) -> int | None:
        """Return the side of tiles that others may compute without seeing much more than they own; None if none do."""
        field = self._field()
        if field is None:
            return None
        least = max(SHARED, (field.before + field.after) / (math.sqrt(SHARED_WASTE) - 1))
        return math.ceil(least / field.stride) * field.stride

    def _forget(self) -> None:
        """Forget the facts about the network, when it or the layers have changed."""
        for known in ("_spatial_layers", "_least_side", "_footprint", "_split"):
            self.__dict__.pop(known, None)
        self._memory = allocator.Keeper()
        self._shapes = lru_cache(maxsize=64)(self._probe_shapes)

    def traversal(self, size: Size, count: int = 1) -> Traversal:
        """Return how a batch of `count` canvases of `size` is gone through within the memory budget."""
        way = self._direct(size, count)
        return (self._in_halves(size, count) or way) if self._is_wasteful(way) else way

    def _direct(self, size: Size, count: int = 1) -> Traversal:
        """Return how they are gone through with all of the network at once."""
        field = self._field()
        if field is None:
            return Traversal(0)
        if self.tile == "auto" and size[0] * size[1] * count * MOST_BYTES <= self.plan.budget:
            return Traversal(0, slack=self.plan.min_slack)
        return self.plan.traversal(
            size, count, field, self._footprint, tile=self.tile, halo=self.halo, linear=self._linear
        )

    def _is_wasteful(self, way: Traversal) -> bool:
        """Return whether tiles would see much more than they own."""
        field = self._field()
        if self.tile != "auto" or self.halo is not None or not way.own or field is None:
            return False
        return ((way.own + field.before + field.after) / way.own) ** 2 > WASTE

    def _in_halves(self, size: Size, count: int) -> Traversal | None:
        """Return how they are gone through in two halves of the network; None where that is impossible."""
        if self._split is None:
            return None
        middle, _ = self._split
        held = middle.held(size, count)
        if held > self.plan.budget * MIDDLE_SHARE:
            return None
        plan = replace(self.plan, budget=self.plan.budget - held)
        way = plan.traversal(size, count, middle.field, middle.footprint, linear=True)
        return Traversal(way.own or max(size), slack=plan.budget * plan.tight_slack, middle=middle.layer)

    def _whole(self, image: Image, pad: tuple[int, int, int, int], watch: allocator.Watch) -> tuple[Scores, Image]:
        leaf = image.detach().requires_grad_()
        with torch.enable_grad(), allocator.watched(watch):
            seen = F.pad(leaf, pad, mode="replicate") if any(pad) else leaf
            scores = self.objective(self.net(seen, self.layers))
            (gradient,) = torch.autograd.grad(scores.sum() * self._scale(leaf), leaf)
        return scores.detach(), gradient.div_(self._scale(leaf))

    def _tiled(self, image: Image, way: Traversal, watch: allocator.Watch) -> tuple[Scores, Image]:
        """Do all tiles, one after the other (see `tiled`); what they add up to is the whole's."""
        field, size = self._field(), (image.shape[-2], image.shape[-1])
        assert field is not None, "without a field, a canvas is done whole"
        tiles, terms = list(cut(size, way.own, field, self.halo)), self.terms(size)
        kept: deque[tiled.ForwardPass] = deque()
        if way.keep:
            for tile in tiles:
                with allocator.apart(watch):
                    kept.append(tiled.forward(self.net, terms, tile.crop(image), tile))
            sums = tiled.reduce_sums(each.sums for each in kept)
            directions = tiled.directions_of(self.net, terms, sums)
        elif self._linear:
            directions = [torch.tensor(term.coefficient) for term in terms]
        else:
            sums = tiled.reduce_sums(tiled.tile_sums(self.net, terms, tile.crop(image), tile) for tile in tiles)
            directions = tiled.directions_of(self.net, terms, sums)
        gradient = torch.zeros_like(image)
        parts = []
        for tile in tiles:
            run = kept.popleft() if way.keep else tiled.forward(self.net, terms, tile.crop(image), tile)
            parts.append([part.detach() for part in run.sums])
            tile.crop(gradient).add_(run.backward(directions, self._scale(image)))
        return tiled.score_of(self.net, terms, tiled.reduce_sums(parts)), gradient

    def _halves(self, way: Traversal, image: Image) -> Halves:
        """Return what goes through a batch like `image` in two halves of the network."""
        assert self._split is not None, "only a network that can be split is done in halves"
        middle, rest = self._split
        size = (image.shape[-2], image.shape[-1])
        rest.plan = replace(self.plan, budget=self.plan.budget - middle.held(size, len(image)))
        return Halves(self.net, middle, list(cut(size, way.own, middle.field)), rest)

    @cached_property
    def _split(self) -> tuple[Middle, Engine] | None:
        """A layer halfway through the network, and an engine for the rest; None for a network that is not split."""
        found = self.net.split({*self.layers, *self._spatial_layers}, MIDDLE_STRIDE)
        if found is None:
            return None
        layer, (name, net) = self.net.card.layer(found[0]), found
        assert layer.receptive is not None, "a network is split at a layer with positions"
        needed = footprint(self.net, [name], max(MEASURED_SIDE, self._least_side))
        rest = copy.copy(self)
        rest.net = net
        rest._measured_side = MEASURED_POSITIONS
        rest._forget()
        return Middle(name, layer.channels, layer.receptive, needed), rest

    def tiling(self, size: Size) -> tiled.Tiling:
        """Return how a canvas of `size` that is not in memory is gone through in tiles, one picture at a time.

        Raises:
            SettingError: for a layer all positions of which see the whole picture.
        """
        field = self._field()
        if field is None:
            raise SettingError(
                f"{', '.join(self.layers)} of net {self.net.card.name!r} cannot be done in tiles, since all of its "
                f"positions see the whole picture: choose a smaller size, or another target",
                setting="target",
                value=str(self.objective),
            )
        way = self._direct(size)
        tiles = list(cut(size, way.own or max(size), field, self.halo))
        return tiled.Tiling(self.net, self.terms(size), tiles, self._linear, self._loss_scale(size), self.device)

    def split_tiling(self, size: Size) -> SplitTiling | None:
        """Return how it is gone through in two halves of the network; None where whole tiles are as good."""
        if not self._is_wasteful(self._direct(size)) or self._split is None:
            return None
        middle, rest = self._split
        rest.plan = replace(self.plan, budget=int(self.plan.budget / self.plan.fragmentation))
        own = self.plan.traversal(size, 1, middle.field, middle.footprint, linear=True).own or max(size)
        tiles, total = list(cut(size, own, middle.field)), self._positions(size, middle.layer)[middle.layer]
        layers = frozenset({*self.layers, *self._spatial_layers})
        return SplitTiling(middle, layers, tiles, total, rest.tiling(total), self._loss_scale(size))

    @contextmanager
    def tile_memory(self, shape: torch.Size) -> Iterator[None]:
        """Keep memory from tile to tile of a `tiling` with crops of this shape, but not more than the budget."""
        with self._memory.step(shape, self.plan.budget * self.plan.tight_slack) as watch:
            yield
            watch()

    def terms(self, size: Size) -> list[tiled.Term]:
        """Return the objective's terms on a canvas of `size`, class scores as functions of the layer they pool."""
        card, shapes = self.net.card, self._positions(size, *self._spatial_layers)
        found = []
        for coefficient, leaf in self.objective.terms():
            pooled = leaf.layer == card.classes
            layer = str(card.pooled) if pooled else leaf.layer
            found.append(tiled.Term(coefficient, leaf, layer, self._stride(layer), shapes[layer], pooled))
        return found

    def _loss_scale(self, size: Size) -> float:
        """Return the factor that scores are multiplied by for the backward pass.

        In float16 a mean's gradient would vanish among its many positions (loss scaling: Micikevicius et al., "Mixed
        precision training", ICLR 2018).
        """
        return float(self.net.card.input.channels * math.prod(size)) if self.dtype == torch.float16 else 1.0

    def _scale(self, image: Image) -> float:
        return self._loss_scale((image.shape[-2], image.shape[-1]))

    # Facts about the network, found once and on small canvases.

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
        """Return a field that covers those of all target layers, or None if one of them sees the whole canvas."""
        fields = [self.net.card.layer(name).receptive for name in self._spatial_layers]
        known = [field for field in fields if field is not None]
        if len(known) < len(fields):
            return None
        start = min(field.start for field in known)
        shift = max(field.shift for field in known)
        stride = max(field.stride for field in known)
        after = max(field.after for field in known)
        return Field(start, stride + after - start, stride, shift)

    def _positions(self, size: Size, *layers: str) -> dict[str, Size]:
        """Return each layer's positions on a canvas of `size`: those on a small one, and one more for every stride."""
        step = math.lcm(*map(self._stride, layers))
        steps = [max(0, side - self._least_side) // step for side in size]
        small = self._shapes((size[0] - steps[0] * step, size[1] - steps[1] * step), *layers)
        more = {name: step // self._stride(name) for name in layers}
        return {
            name: (rows + steps[0] * more[name], columns + steps[1] * more[name])
            for name, (rows, columns) in small.items()
        }

    def _probe_shapes(self, size: Size, *layers: str) -> dict[str, Size]:
        """Return each layer's positions on a canvas of `size`, which the network is run on."""
        image = torch.zeros(1, self.net.card.input.channels, *size, device=self.device)
        with torch.no_grad():
            activations = self.net(image, layers)
        return {name: (each.shape[-2], each.shape[-1]) for name, each in activations.items()}

    @cached_property
    def _least_side(self) -> int:
        """The smallest side that gives every layer a position."""
        field = self._field()
        step = field.stride if field else self.net.card.input.size
        for side in range(step, 64 * step, step):
            try:
                shapes = self._shapes((side, side), *self._spatial_layers)
            except RuntimeError:  # a pool or convolution larger than what it is given
                continue
            if all(min(shape) > 0 for shape in shapes.values()):
                return side
        raise AssertionError("no canvas is large enough for this network")

    @cached_property
    def _footprint(self) -> Footprint:
        return footprint(self.net, self._spatial_layers, max(self._measured_side, self._least_side))

    @property
    def _linear(self) -> bool:
        classes = self.net.card.classes
        return all(leaf.linear and leaf.layer != classes for _, leaf in self.objective.terms())
