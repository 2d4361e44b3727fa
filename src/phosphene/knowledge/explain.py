"""A dream taken apart for people who see one for the first time: what each part of the work does to one photo.

photo ──► where a layer responds ──► gradient ──► one step ──► all steps ──► the smallest octave ──► all octaves
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.gradients.engine import Engine
from phosphene.loops import dream
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.step import State, Step
from phosphene.nets.base import Net
from phosphene.recipe.knowledge import ExplainRecipe
from phosphene.types import Image

STAGES = ("photo", "sight", "gradient", "one", "ten", "octave", "all")
"""The pictures, in the order in which they are shown."""

CONTRAST = 4.0
"""Standard deviations of the gradient from grey to black or white."""

DIM = 0.25
"""Brightness that is left of the photo where the layer responds least."""


class ExplainLoop:
    """The work of a page that explains a dream on `photo`, `1 3 h w`; `recipe` is resolved."""

    def __init__(self, net: Net, engine: Engine, photo: Image, recipe: ExplainRecipe, arithmetic: Arithmetic) -> None:
        self.net, self.engine, self.photo, self.recipe, self._arithmetic = net, engine, photo, recipe, arithmetic

    def steps(self, state: State | None = None) -> Iterator[Step]:
        """Do the work step by step, from the beginning or from where `state` was taken, to the same bytes."""
        kept = part(state, "kept.") if state else {}
        inner = part(state, "inner.") or None if state else None
        plain = self.recipe.model_copy(update={"octaves": 1})
        costs = [dream.pixels_seen(self._size, each) for each in (plain, self.recipe)]
        share = costs[0] / sum(costs)
        if "ten" not in kept:
            for step in dream.dream_steps(self.engine, self.photo, plain, arithmetic=self._arithmetic, state=inner):
                if step.step == 1:
                    kept = {**kept, "one": step.image.cpu()}
                if step.progress >= 1:
                    kept = {**kept, "ten": step.image.cpu()}
                yield self._told(step, "without octaves", share * step.progress, kept)
            inner = None
        for step in dream.dream_steps(self.engine, self.photo, self.recipe, arithmetic=self._arithmetic, state=inner):
            if step.stage.startswith("octave 1 of") and step.step == self.recipe.steps:
                kept = {**kept, "octave": dream.laid_on(self.photo, step.image, self.recipe).cpu()}
            if step.progress >= 1:
                kept = {**kept, "all": step.image.cpu()}
            yield self._told(step, step.stage, share + (1 - share) * step.progress, kept)

    def picture(self, step: Step) -> Image:
        """Return the dream so far at full size."""
        return dream.laid_on(self.photo, step.image.cpu(), self.recipe)

    def pictures(self, step: Step) -> dict[str, Tensor]:
        """Return all pictures by stage, each `1 3 h w`, after the last step."""
        kept = part(step.state, "kept.")
        found = {"photo": self.photo, "sight": self.sight(), "gradient": self.gradient(), **kept}
        return {name: found[name].cpu().clamp(0, 1) for name in STAGES}

    @torch.no_grad()
    def sight(self) -> Tensor:
        """Return the photo, dark but where the layers of the target respond."""
        layers = sorted(self.engine.objective.layers())
        total = torch.zeros(1, 1, *self._size)
        for name, found in self.engine.net(self.photo.to(self.engine.device), layers).items():
            if found.dim() == 4 and self.net.card.layer(name).receptive is not None:
                much = found.float().clamp(min=0).mean(dim=1, keepdim=True).cpu()
                total += F.interpolate(much / much.max().clamp(min=1e-12), self._size, mode="bilinear")
        low, high = total.min(), total.max()
        where = (total - low) / (high - low) if high > low else torch.ones_like(total)
        return self.photo.cpu() * (DIM + (1 - DIM) * where)

    def gradient(self) -> Tensor:
        """Return the gradient of the photo as a picture: grey for no change."""
        _, gradient = self.engine(self.photo)
        return 0.5 + gradient.cpu() / (2 * CONTRAST * gradient.std().clamp(min=1e-20).cpu())

    @property
    def _size(self) -> tuple[int, int]:
        return self.photo.shape[-2], self.photo.shape[-1]

    def _told(self, step: Step, stage: str, progress: float, kept: State) -> Step:
        state = {f"inner.{name}": each for name, each in step.state.items()}
        if stage == "without octaves" and step.progress >= 1:
            state = {}
        state |= {f"kept.{name}": each for name, each in kept.items()}
        return replace(step, stage=stage, progress=min(1.0, progress), state=state)
