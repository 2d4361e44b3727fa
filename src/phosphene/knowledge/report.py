"""What a label means to a network: imaginings, the parts that it is made of, and what each of them does.

    photos, the best ──────────────┐
    label ──► imaginings, if few ──┴─► activations ──► non-negative factors ──► parts, imagined alone ──► verdict

Sources: Olah et al., "The Building Blocks of Interpretability" (Distill 2018), for the factors; Neuhaus et al.,
"Spurious Features Everywhere" (ICCV 2023), for what is asked of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.knowledge.atlas import SETTINGS
from phosphene.knowledge.evidence import Judge, Part
from phosphene.knowledge.factors import non_negative_factors
from phosphene.knowledge.icons import icon_steps
from phosphene.knowledge.neural_pca import Component, class_weights, components
from phosphene.knowledge.sampling import complaint, pack_skipped, read_batches, unpack_skipped
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.step import State, Step, number
from phosphene.media.dataset.collection import Collection
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.objectives.features import Class
from phosphene.objectives.functions.direction import Direction
from phosphene.recipe.knowledge import ReportRecipe
from phosphene.resampling import resize
from phosphene.types import Image

SHOWN = 4
"""Imaginings of the label that are shown."""

INSTEAD = 64
"""Imaginings that stand for photos where there are none."""

ENOUGH, FURTHER = 12, 8
"""Photos from which on parts are those of photos alone, and how many imaginings are added to fewer: of a few photos,
each would be a part."""

UNSEEN, FAR = 0.1, 0.2
"""Probability of the label below which no photo is taken to show it, and the share of the best photo's that the others
need to be used."""

SHARED, LOOKS = 3, 2
"""Pictures that there must be for each part, so that none is a picture; and how many more views of an icon of a part
are scored than of an imagining, which is easier to draw."""

COMPARED = 3
"""Photos from which on it is told what varies among them."""

COMPONENTS = 4
"""Principal components that are told."""

SHARES = {"photos": (0.0, 0.3), "label": (0.3, 0.3), "parts": (0.6, 0.4)}
"""Of the work: where each stage begins, and its length."""


@dataclass(frozen=True)
class Report:
    """A finished report.

    Attributes:
        label: as it was asked for.
        imaginings: `4 3 s s`.
        pictures: `n 3 h w`, the photos that show the label best, and imaginings where there are few or none.
        photos: how many of the pictures, the first ones, are photos.
        probabilities: of the label in each of the pictures.
        best: the label's probability in the photo that shows it best, used or not; None without photos.
        names: of the photos' files.
        parts: what the pictures are made of, the one with the largest effect first.
        icons: `parts 3 s s`, each part imagined alone.
        whole: share of the pictures in which the label comes first.
        left_out: a sentence that counts and names the files that were not used, None where there are none.
        components: what varies among the photos, or without them the imaginings, as far as it moves the label's
            logit, the largest variance first; empty for a network whose head is not linear, and for few photos.
    """

    label: str
    imaginings: Tensor
    pictures: Tensor
    photos: int
    probabilities: tuple[float, ...]
    best: float | None
    names: tuple[str, ...]
    from_photos: bool
    parts: tuple[Part, ...]
    icons: Tensor
    whole: float
    left_out: str | None
    components: tuple[Component, ...] = ()


class ReportLoop:
    """The work of a report; `recipe` is resolved, and `label` too, on the card of `net`."""

    def __init__(
        self, net: Net, label: Class, collection: Collection | None, recipe: ReportRecipe, dtype: torch.dtype
    ) -> None:
        self.net, self.label, self.collection, self.recipe, self.dtype = net, label, collection, recipe, dtype
        assert recipe.layer is not None, "the recipe is resolved"
        self.layer = net.card.layer(recipe.layer).name
        self.arithmetic = Arithmetic(recipe.seed)
        self.judge = Judge(net, label)

    def steps(self, state: State | None = None) -> Iterator[Step]:
        """Do the work step by step, from the beginning or from where `state` was taken, to the same bytes."""
        state = state or {}
        if self.collection is not None and int(state.get("seen", torch.tensor(0))) < len(self.collection):
            for step in self._photos(self.collection, state):
                state = step.state
                yield step
        if "imaginings" not in state:
            kept = _without_icons(state)
            labels = [self.label] * self._imagined(state)
            for step in self._icons("label", labels, kept, part(state, "icons.") or None):
                state = step.state
                if step.progress >= sum(SHARES["label"]):
                    state = {**kept, "imaginings": state["icons.icons"]}
                yield replace(step, state=state)
        kept = _without_icons(state)
        vectors, _ = self._parts(kept)
        directions = [
            Direction(f"part {i}", self.layer, power=self.recipe.power, vector=each) for i, each in enumerate(vectors)
        ]
        yield from self._icons("parts", directions, kept, part(state, "icons.") or None)

    def report(self, step: Step) -> Report:
        """Return the report after the last step; measuring its parts takes some seconds."""
        state, images, photos = step.state, self._pictures(step.state), self._showing(step.state)
        vectors, amounts = self._parts(state)
        icons = state["icons.icons"]
        side = self.net.card.input.size
        shown = resize(icons, (side, side), clamp=True)
        parts = [
            self.judge.part(images, self.layer, vector, much, icon[None])
            for vector, much, icon in zip(vectors, amounts, shown, strict=True)
        ]
        order = sorted(range(len(parts)), key=lambda i: -(0 if math.isnan(parts[i].effect) else parts[i].effect))
        names = () if self.collection is None else tuple(map(self.collection.name, state["indices"][:photos].tolist()))
        return Report(
            self.label.label,
            state["imaginings"][:SHOWN],
            images,
            photos,
            tuple(self.judge.probability(images).tolist()),
            self._best(state),
            names,
            self.collection is not None,
            tuple(parts[i] for i in order),
            icons[order],
            self.judge.first(images),
            None if self.collection is None else complaint(unpack_skipped(state.get("unreadable")), self.collection),
            self._components(images[:photos] if photos else images),
        )

    def picture(self, step: Step) -> Image:
        """Return the newest pictures side by side."""
        images = step.state.get("icons.icons", step.state.get("imaginings"))
        if images is None or not len(images):
            return torch.full((1, 3, self.recipe.size, self.recipe.size), 0.5)
        return torch.cat(list(images[:8]), dim=2)[None]

    def _icons(
        self, stage: str, objectives: list[Class] | list[Direction], kept: State, state: State | None
    ) -> Iterator[Step]:
        views = self.recipe.views * (LOOKS if stage == "parts" else 1)
        settings = SETTINGS.model_copy(update={"steps": self.recipe.steps, "views": views})
        several: list[Objective] = [*objectives]
        begin, share = SHARES[stage]
        for step in icon_steps(
            self.net,
            several,
            settings,
            arithmetic=self.arithmetic.at(stage),
            size=self.recipe.size,
            dtype=self.dtype,
            state=state,
        ):
            now = {**kept, **{f"icons.{name}": each for name, each in step.state.items()}}
            name = {"label": "imagining the label", "parts": "imagining its parts"}[stage]
            yield replace(step, stage=f"{name}, {step.stage}", progress=begin + share * step.progress, state=now)

    def _photos(self, collection: Collection, state: State) -> Iterator[Step]:
        """Keep the pictures in which the label is most probable, streaming through all of them."""
        side, count = self.net.card.input.size, len(collection)
        pixels = state.get("pixels", torch.zeros(0, 3, side, side, dtype=torch.uint8))
        chances, indices = state.get("chances", torch.zeros(0)), state.get("indices", torch.zeros(0, dtype=torch.int64))
        bad = unpack_skipped(state.get("unreadable"))
        begin, share = SHARES["photos"]
        for found, image, unread, seen in read_batches(collection, side, int(state.get("seen", torch.tensor(0)))):
            bad = (*bad, *unread)
            if found:
                chances = torch.cat((chances, self.judge.probability(image)))
                pixels = torch.cat((pixels, (image * 255).round().byte()))
                indices = torch.cat((indices, torch.tensor(found)))
                best = chances.argsort(descending=True, stable=True)[: self.recipe.most]
                chances, pixels, indices = chances[best], pixels[best], indices[best]
            now = {
                "pixels": pixels,
                "chances": chances,
                "indices": indices,
                "seen": number(seen),
                "unreadable": pack_skipped(bad),
            }
            note = complaint(bad, collection) if seen == count else None
            shown = image[:1] if len(image) else torch.zeros(1, 3, side, side)
            yield Step(
                "looking for the label",
                seen,
                count,
                begin + share * seen / count,
                shown,
                torch.zeros(1),
                now,
                note=note,
            )

    def _imagined(self, state: State) -> int:
        """Return how often the label is imagined."""
        photos = self._showing(state)
        if not photos:
            return INSTEAD
        return FURTHER if photos < min(ENOUGH, self.recipe.most) else SHOWN

    def _showing(self, state: State) -> int:
        """Return how many of the best photos show the label: those not far less probable than the best one."""
        best = self._best(state)
        return 0 if best is None or best < UNSEEN else int((state["chances"] >= FAR * best).sum())

    def _best(self, state: State) -> float | None:
        """Return the label's probability in the photo that shows it best; None without photos."""
        return None if self.collection is None or not len(state["chances"]) else float(state["chances"][0])

    def _pictures(self, state: State) -> Image:
        """Return the photos that show the label, and the imaginings where there are few."""
        photos, side = self._showing(state), self.net.card.input.size
        imaginings = resize(state["imaginings"], (side, side), clamp=True)
        if not photos:
            return imaginings
        pictures = state["pixels"][:photos].float() / 255
        return pictures if photos >= min(ENOUGH, self.recipe.most) else torch.cat((pictures, imaginings))

    def _components(self, images: Image) -> tuple[Component, ...]:
        pooled = self.net.card.pooled
        if pooled is None or len(images) < COMPARED:
            return ()
        weights = class_weights(self.net, list(self.label.indices))
        return tuple(components(self.judge.features(images, pooled).cpu(), weights, COMPONENTS))

    def _parts(self, state: State) -> tuple[Tensor, Tensor]:
        """Return the parts' vectors, `parts c`, and how much of each is where, `parts n h w`."""
        features = self.judge.features(self._pictures(state), self.layer)
        n, channels, height, width = features.shape
        rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
        count = min(self.recipe.parts, max(2, n // SHARED))
        amounts, vectors = non_negative_factors(rows, count, generator=self.arithmetic.rng("factors"))
        return vectors, amounts.T.reshape(-1, n, height, width)


def _without_icons(state: State) -> State:
    return {name: each for name, each in state.items() if not name.startswith("icons.")}
