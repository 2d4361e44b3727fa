"""MACO: imagining with the magnitudes of photographs: only phases are free, and what does not matter is transparent.

What differs from `phosphene.loops.imagine`: the canvas is a `PhaseCanvas` of the picture's own size in all stages;
nothing is smoothed; and the finished picture has an opacity.

Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
(NeurIPS 2023). There the gradients of all steps are added up for the opacity; here those of `LOOKS` random looks at the
finished picture, so that one that was interrupted has the same opacity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.composition import saliency
from phosphene.loops.ensemble import Ensemble, Looks
from phosphene.loops.stages import LARGEST, Stage, shaped
from phosphene.loops.step import Step
from phosphene.types import Image, Size

LOOKS = 8
"""Looks at the finished picture, each with other views, over which the energy of the gradient is averaged."""

OPAQUE = 0.8
"""Share of a picture's places that are more or less transparent; the others, which matter most, are opaque."""


def natural_stages(stages: Sequence[Stage], size: Size) -> list[Stage]:
    """Return the stages on canvases of the picture's own size, at most as large as `LARGEST`, without smoothing."""
    own = size if math.prod(size) <= LARGEST**2 else shaped(LARGEST, size)
    return [replace(stage, size=own, smooth=0.0) for stage in stages]


def with_opacity(steps: Iterator[Step], ensemble: Ensemble, looks: Looks, arithmetic: Arithmetic) -> Iterator[Step]:
    """Yield the steps; the last one's images have a fourth channel, how much each place matters, from 0 to 1."""
    for step in steps:
        if step.progress < 1:
            yield step
        else:
            alpha = opacity(step.image, ensemble, looks, arithmetic)
            yield replace(step, image=torch.cat((step.image, alpha.to(step.image)), dim=1))


def opacity(image: Image, ensemble: Ensemble, looks: Looks, arithmetic: Arithmetic) -> Float[Tensor, "n 1 h w"]:
    """Return how much each place of the images matters to the score, from 0 to 1.

    It is the energy of the gradient around each place, relative to that which a fifth of the places exceed.
    """
    energy = torch.zeros_like(image)
    for index in range(LOOKS):
        _, direction = ensemble(image, looks, arithmetic.rng("opacity", index))
        energy += direction.square()
    around = saliency(energy.sqrt()).square()
    rank = max(1, int(OPAQUE * around[0].numel()))
    most = around.flatten(1).kthvalue(rank, dim=1).values.view(-1, 1, 1, 1)
    return (around / most.clamp(min=1e-12)).clamp(0, 1)
