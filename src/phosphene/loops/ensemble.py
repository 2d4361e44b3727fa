"""Several networks that score the same images: what all of them take for the thing is less likely to be noise.

Each network sees views of its own size; their directions are brought to the same length and added up, so that no
network's gradient drowns out the others'. They are computed at the same time.

Source: Liu et al., "Delving into Transferable Adversarial Examples" (ICLR 2017), where ensembles make changes that
networks outside of the ensemble respond to; here these are pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from phosphene.loops.scorer import Augment, Scorer, ViewSpec, unit_length
from phosphene.loops.threads import Threads
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe.stills import ImagineSettings
from phosphene.types import Image, Scores

Looks = Sequence[tuple[ViewSpec, ...]]
"""For each network of an ensemble, the views that it scores."""


@dataclass(frozen=True, eq=False)
class Member:
    """A network of an ensemble, and the objective as it is resolved on that network's card."""

    net: Net
    objective: Objective


class Ensemble:
    """Scores images in several networks; for one network it is the `Scorer` of that network.

    Args:
        members: the networks with their objectives, one or more; the first one's statistics and layers serve the
            priors.
        settings, dtype, flip, augment: see `Scorer`.
    """

    def __init__(
        self,
        members: Sequence[Member],
        settings: ImagineSettings,
        dtype: torch.dtype,
        *,
        flip: bool,
        augment: Augment | None = None,
    ) -> None:
        self._scorers = [
            Scorer(each.net, each.objective, settings, dtype, flip=flip, augment=augment) for each in members
        ]
        on_processor = all(next(each.net.parameters()).device.type == "cpu" for each in members)
        self._side_by_side = on_processor and all(each.draws_early for each in self._scorers)
        self._threads: Threads | None = None

    def __call__(self, image: Image, looks: Looks, generator: torch.Generator) -> tuple[Scores, Image]:
        """Return each image's mean score, and the direction in which it should change, with a root mean square of 1."""
        drawn = (scorer.look(image, views, generator) for scorer, views in zip(self._scorers, looks, strict=True))
        threads = self._shared_threads()
        found = [look() for look in drawn] if threads is None else threads.call(drawn)
        if len(found) == 1:
            return found[0]
        scores = torch.stack([each for each, _ in found]).mean(dim=0)
        return scores, unit_length(torch.stack([direction for _, direction in found]).sum(dim=0))

    def evaluate(self, image: Image, looks: Looks, generator: torch.Generator, times: int) -> Scores:
        """Return each image's mean score over `times` looks of every network at the first of its views."""
        pairs = zip(self._scorers, looks, strict=True)
        scores = [scorer.evaluate(image, views[0], generator, times) for scorer, views in pairs]
        return torch.stack(scores).mean(dim=0)

    def _shared_threads(self) -> Threads | None:
        """Return the threads that the networks share, one after the other if it is None."""
        total = torch.get_num_threads()
        count = min(len(self._scorers), total)
        if count < 2 or not self._side_by_side:
            return None
        if self._threads is None or self._threads.total != total:
            self._threads = Threads(count)
        return self._threads
