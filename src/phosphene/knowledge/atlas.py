"""An atlas of a layer: activations of many pictures laid out in the plane, and what each region of it looks for.

    pictures ── one position of each ──► activations ── t-SNE or UMAP ──► layout ── grid ──► cells ──► icons

Source: Carter et al., "Activation Atlas" (Distill 2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.errors import MissingExtraError, SettingError
from phosphene.knowledge import tsne
from phosphene.knowledge.cells import Cell, cells_of, unit_square, whitened
from phosphene.knowledge.icons import icon_steps, icons_in_place
from phosphene.knowledge.sampling import Sample, Sampler, complaint, read_batches
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.parts import Crew
from phosphene.loops.step import State, Step, number
from phosphene.media.dataset.collection import Collection, Skipped
from phosphene.media.image.lettering import line, line_height
from phosphene.nets.base import Net
from phosphene.objectives.functions.direction import Direction
from phosphene.recipe.knowledge import AtlasRecipe
from phosphene.recipe.stills import ImagineSettings
from phosphene.rng import fold_in
from phosphene.types import Image

FEWEST = 16
"""Pictures that an atlas needs."""

COMPONENTS = 50
"""Principal components of activations that are laid out."""

LANDMARKS = 4000
"""Activations that are laid out exactly; further ones are placed between those nearest to them."""

STEPS = 750
"""Steps of t-SNE."""

READING, LAYOUT, ICONS = "reading", "layout", "icons"
SHARES = {READING: (0.0, 0.25), LAYOUT: (0.25, 0.15), ICONS: (0.4, 0.6)}
"""Of the work: where each part begins, and its length."""

SETTINGS = ImagineSettings(views=1, sketches=1, diversity=0.0, decay=1.0, smooth=6.0, rotate=6.0)

GAP, PAPER = 4, 0.07
"""Pixels between cells, and the grey that they lie on."""

SMALLEST, FULL = 0.5, 0.9
"""Side of the icon of the emptiest cell, as a share of the largest, and the share of the cells that are no fuller than
the first cell that has that."""


@dataclass(frozen=True)
class Atlas:
    """An atlas, as far as it has come: `icons` are those of the first cells, `n 3 size size`, black where not drawn."""

    layer: str
    columns: int
    size: int
    labels: tuple[str, ...]
    pictures: int
    unreadable: tuple[Skipped, ...]
    cells: tuple[Cell, ...]
    icons: Tensor

    @property
    def pitch(self) -> tuple[int, int]:
        """The height and width of a cell in the picture, with its line of text and the gap."""
        return self.size + line_height(self.letters) + GAP, self.size + GAP

    @property
    def letters(self) -> int:
        """The size of the labels' letters in pixels."""
        return max(9, self.size // 9)

    def side(self, cell: Cell) -> int:
        """Return the side of a cell's icon: the fuller the cell, the larger."""
        counts = sorted(len(each.members) for each in self.cells)
        full = counts[int(FULL * (len(counts) - 1))]
        return max(1, round(self.size * min(1.0, max(SMALLEST, math.sqrt(len(cell.members) / full)))))

    def label(self, cell: Cell) -> str:
        """Return the label that a cell argues for most, empty where that is not known."""
        return self.labels[cell.labels[0][0]] if cell.labels else ""

    def picture(self) -> Image:
        """Return the whole atlas as a picture, `1 3 h w`."""
        height, width = self.pitch
        whole = torch.full((1, 3, self.columns * height + GAP, self.columns * width + GAP), PAPER)
        for cell, icon in zip(self.cells, self.icons, strict=False):
            side = self.side(cell)
            small = torch.nn.functional.interpolate(icon[None], (side, side), mode="bicubic", antialias=True)
            middle = (self.size - side) // 2
            y, x = GAP + cell.row * height, GAP + cell.column * width
            whole[0, :, y + middle : y + middle + side, x + middle : x + middle + side] = small[0].clamp(0, 1)
            if text := self.label(cell):
                written = line(text, self.size, self.letters, dark=False)
                whole[0, :, y + self.size : y + self.size + written.shape[1], x : x + self.size] = written.clamp(PAPER)
        return whole


class AtlasLoop:
    """The work of an atlas.

    Args:
        net: any network with a card.
        collection: the pictures.
        recipe: resolved; `perplexity`, `least` and the layer's name are known.
        dtype: the number format of the network.
    """

    def __init__(self, net: Net, collection: Collection, recipe: AtlasRecipe, dtype: torch.dtype) -> None:
        self.net, self.collection, self.recipe, self.dtype = net, collection, recipe, dtype
        self.layer = net.card.layer(recipe.layer).name
        self.arithmetic = Arithmetic(recipe.seed)

    def steps(self, state: State | None = None, crew: Crew | None = None) -> Iterator[Step]:
        """Do the work step by step, from the beginning or from where `state` was taken, to the same bytes.

        A crew draws the icons.
        """
        state = state or {}
        sample = Sample.from_state(part(state, "sample.")) if "sample.seen" in state else None
        if sample is None or sample.seen < len(self.collection):
            for step in self._read(sample):
                yield step
                state = step.state
            sample = Sample.from_state(part(state, "sample."))
        if "layout" not in state:
            for step in self._lay_out(sample, part(state, "tsne.")):
                yield step
                state = step.state
        yield from self._draw(sample, state["layout"], part(state, "icons.") or None, crew)

    def atlas(self, step: Step) -> Atlas | None:
        """Return the atlas as it is after `step`; None before it has cells."""
        if "layout" not in step.state:
            return None
        sample = Sample.from_state(part(step.state, "sample."))
        cells = self._cells(sample, step.state["layout"])
        size = self.recipe.size
        icons = icons_in_place(part(step.state, "icons."), size)
        names = tuple(names[0] for names in self.net.card.labels)
        count = len(sample.pictures)
        return Atlas(self.layer, self.recipe.columns, size, names, count, sample.unreadable, tuple(cells), icons)

    def picture(self, step: Step) -> Image:
        """Return the atlas as a picture as it is after `step`: points at first, then icons."""
        atlas = self.atlas(step)
        if atlas is not None and len(atlas.icons):
            return atlas.picture()
        places = step.state.get("layout", step.state.get("tsne.places"))
        return step.image if places is None else scatter(places)

    def _read(self, sample: Sample | None) -> Iterator[Step]:
        net, count = self.net, len(self.collection)
        sampler = Sampler(net, self.layer, fold_in(self.recipe.seed, "sample"), self.dtype)
        sample = sample or Sample.empty(net.card.layer(self.layer).channels)
        image = torch.full((1, 3, net.card.input.size, net.card.input.size), 0.5)
        for indices, batch, bad, seen in read_batches(self.collection, net.card.input.size, sample.seen):
            added = sampler.add(sample, indices, batch)
            sample = replace(added, seen=seen, unreadable=(*sample.unreadable, *bad))
            image = batch[:1] if len(batch) else image
            note = complaint(sample.unreadable, self.collection) if seen == count else None
            yield _step(READING, "reading pictures", seen, count, image, {}, sample, note)
        if len(sample.pictures) < FEWEST:
            worst = f" ({sample.unreadable[0].name}: {sample.unreadable[0].reason})" if sample.unreadable else ""
            raise SettingError(
                f"an atlas needs {FEWEST} pictures or more, but {self.collection.source} has {len(sample.pictures)} "
                f"that can be read{worst}",
                setting="source",
            )

    def _lay_out(self, sample: Sample, state: State) -> Iterator[Step]:
        points = sample.vectors.float()
        points = points / points.norm(dim=1, keepdim=True).clamp(min=1e-12)
        points = tsne.principal_components(points, min(COMPONENTS, *points.shape))
        if self.recipe.layout == "umap":
            yield _finished(sample, umap_layout(points, self.recipe))
            return
        chosen = torch.randperm(len(points), generator=self.arithmetic.rng("landmarks"))[:LANDMARKS].sort().values
        landmarks = points[chosen]
        perplexity = self.recipe.perplexity
        assert not isinstance(perplexity, str), "the recipe is resolved"
        joint = tsne.joint_probabilities(landmarks, min(perplexity, tsne.perplexity_for(len(landmarks))))
        layout = tsne.TsneState.of(landmarks[:, :2])
        if state:
            layout = tsne.TsneState(state["places"], state["velocity"], state["gains"], int(state["steps"]))
        for index in range(layout.steps, STEPS):
            layout.step(joint)
            now = {
                "tsne.places": layout.places,
                "tsne.velocity": layout.velocity,
                "tsne.gains": layout.gains,
                "tsne.steps": number(layout.steps),
            }
            yield _step(LAYOUT, "laying out", index + 1, STEPS, torch.zeros(1, 3, 1, 1), now, sample)
        places = tsne.placed_between(points, landmarks, layout.places)
        places[chosen] = layout.places
        yield _finished(sample, places)

    def _cells(self, sample: Sample, layout: Tensor) -> list[Cell]:
        least = self.recipe.least
        assert not isinstance(least, str), "the recipe is resolved"
        return cells_of(layout, sample, self.recipe.columns, least)

    def _draw(self, sample: Sample, layout: Tensor, state: State | None, crew: Crew | None) -> Iterator[Step]:
        cells = self._cells(sample, layout)
        if not cells:
            raise SettingError(
                f"least must be a number of activations that some cell has, but is {self.recipe.least}", setting="least"
            )
        vectors = sample.vectors.float()
        means = torch.stack([vectors[list(cell.members)].mean(dim=0) for cell in cells])
        directions = whitened(vectors, means)
        objectives = [
            Direction(f"cell {i}", self.layer, power=self.recipe.power, vector=each)
            for i, each in enumerate(directions)
        ]
        settings = SETTINGS.model_copy(update={"steps": self.recipe.steps, "views": self.recipe.views})
        steps = icon_steps(
            self.net,
            objectives,
            settings,
            arithmetic=self.arithmetic,
            size=self.recipe.size,
            dtype=self.dtype,
            crew=crew,
            state=state,
        )
        kept = _prefixed("sample.", sample.state())
        begin, share = SHARES[ICONS]
        for step in steps:
            now: Mapping[str, Tensor] = {**kept, "layout": layout, **_prefixed("icons.", step.state)}
            yield replace(step, progress=begin + share * step.progress, state=now)


def umap_layout(points: Tensor, recipe: AtlasRecipe) -> Tensor:
    """Return UMAP's layout of points, `n 2` (McInnes, Healy and Melville, 2018); needs the extra `atlas`."""
    try:
        import umap
    except ImportError:
        raise MissingExtraError("layout umap", "atlas") from None
    neighbours = max(2, min(15, len(points) - 1))
    reducer: Callable[..., object] = umap.UMAP
    made = reducer(n_neighbors=neighbours, min_dist=0.01, random_state=recipe.seed, n_jobs=1)
    return torch.from_numpy(made.fit_transform(points.numpy())).float()  # type: ignore[attr-defined]


def scatter(layout: Tensor, side: int = 384) -> Image:
    """Return points as a picture, `1 3 side side`, light on dark."""
    places = (unit_square(layout) * (side - 1)).round().long()
    flat = torch.zeros(side * side).index_add_(0, places[:, 1] * side + places[:, 0], torch.ones(len(places)))
    return (PAPER + 0.6 * flat).clamp(max=1).view(1, 1, side, side).expand(1, 3, -1, -1)


def _step(
    what: str, stage: str, done: int, count: int, image: Image, state: State, sample: Sample, note: str | None = None
) -> Step:
    begin, share = SHARES[what]
    kept = {**_prefixed("sample.", sample.state()), **state}
    return Step(stage, done, count, begin + share * done / count, image, torch.full((1,), math.nan), kept, note=note)


def _finished(sample: Sample, layout: Tensor) -> Step:
    return _step(LAYOUT, "laying out", 1, 1, scatter(layout), {"layout": layout}, sample)


def _prefixed(prefix: str, state: State) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}
