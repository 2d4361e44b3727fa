"""Dreaming on what has just come into view, so that it catches up with the rest of a clip within a few frames.

What moves fast uncovers something new in every frame and is carried along badly, so a single short dream a frame would
leave it bare for as long as it is seen. Where confidence is low, more steps are taken here, on a crop of the frame, and
confidence then follows what is really there: the local strength of what was dreamt.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import shapings
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import gradient_through
from phosphene.loops.dream import canvas_for, jitter_of, octave_sizes
from phosphene.recipe.films import VideoSettings
from phosphene.resampling import resize
from phosphene.types import Image

Mask = Float[Tensor, "1 1 h w"]

STEPS = 5
"""Further steps in each octave on new regions; fewer where they are large, to bound the time of a frame."""

BUDGET = 2.0
"""Largest cost of these steps, in steps on the whole frame."""

URGENCY = 3.0
"""How quickly a region counts as new as its confidence falls below 1."""

LEAST = 0.1
"""Smallest weight of a new region that is worth the work."""

MARGIN = 24
"""Pixels around the new regions that the network sees too."""

RADIUS = 0.05
"""Regions thinner than this share of the frame's shorter side catch up by themselves: edges of moving things."""

FULL_STRENGTH = 0.9
"""Share of the scene's strength at which a place counts as fully dreamt."""

RISE = (0.05, 0.25)
"""Least and most that confidence changes in one frame."""


def catch_up(engine: Engine, image: Image, confidence: Mask, settings: VideoSettings, arithmetic: Arithmetic) -> Image:
    """Return the frame, dreamt on further where confidence is low.

    Args:
        engine: the network and the objective.
        image: the frame as it is so far.
        confidence: how far what was dreamt has developed, 0 to 1.
        settings: those of the recipe, with a number of octaves.
        arithmetic: the RNGs of this frame.
    """
    weight = _without_thin_parts((URGENCY * (1 - confidence)).clamp(0, 1))
    box = _box(weight)
    if box is None:
        return image
    rows, columns = box
    crop, mask = image[..., rows, columns], weight[..., rows, columns]
    share = mask.numel() / weight.numel()
    steps = max(1, min(STEPS, int(BUDGET / share)))
    size = (crop.shape[-2], crop.shape[-1])
    assert isinstance(settings.octaves, int), "it is resolved"
    for octave, smaller in enumerate(octave_sizes(size, settings.octaves, settings.octave_scale)):
        begun, there = resize(crop, smaller), resize(mask, smaller, clamp=True)
        canvas = canvas_for(settings, begun)
        for step in range(steps):
            draw = arithmetic.draws("new regions", octave, step)
            _, gradient = gradient_through(engine, canvas().detach(), jitter_of(settings)(draw))
            direction = shapings[settings.shaping](canvas.uphill(gradient) * there) * there
            canvas = canvas.moved(_of_unit_length(direction, there), settings.step_size)
        crop = (crop + resize(canvas().detach() - begun, size)).clamp(0, 1)
    image = image.clone()
    image[..., rows, columns] = crop
    return image


def confidence_in(detail: Image, confidence: Mask, strength: Tensor) -> Mask:
    """Return the confidence in what was dreamt: it follows the local strength, compared with the scene's."""
    side = 2 * (min(detail.shape[-2:]) // 16) + 1
    energy = detail.square().mean(dim=1, keepdim=True)
    local = _mean_around(energy, side).sqrt()
    wanted = local / (FULL_STRENGTH * strength).clamp_min(1e-6)
    return (confidence + (wanted - confidence).clamp(*RISE)).clamp(max=1)


def _without_thin_parts(weight: Mask) -> Mask:
    """Return the weight without parts that are thinner than `RADIUS` (a morphological opening)."""
    side = 2 * max(1, round(RADIUS * min(weight.shape[-2:]))) + 1
    eroded = -_most_around(-weight, side)
    return torch.minimum(weight, _most_around(eroded, side))


def _most_around(plane: Mask, side: int) -> Mask:
    """Return the largest value in a square around each pixel: of rows, then of columns, a fifth of the work."""
    for window in ((1, side), (side, 1)):
        plane = F.max_pool2d(plane, window, 1, (window[0] // 2, window[1] // 2))
    return plane


def _mean_around(plane: Mask, side: int) -> Mask:
    """Return the mean of a square around each pixel, without what is outside of the picture."""
    for window in ((1, side), (side, 1)):
        plane = F.avg_pool2d(plane, window, 1, (window[0] // 2, window[1] // 2), count_include_pad=False)
    return plane


def _box(weight: Mask) -> tuple[slice, slice] | None:
    """Return the rows and columns of all new regions with a margin; None if there are none."""
    height, width = weight.shape[-2:]
    there = weight[0, 0] > LEAST
    rows, columns = there.any(dim=1).nonzero(), there.any(dim=0).nonzero()
    if not len(rows):
        return None
    top, bottom = max(0, int(rows[0]) - MARGIN), min(height, int(rows[-1]) + 1 + MARGIN)
    left, right = max(0, int(columns[0]) - MARGIN), min(width, int(columns[-1]) + 1 + MARGIN)
    return slice(top, bottom), slice(left, right)


def _of_unit_length(direction: Image, weight: Mask) -> Image:
    """Scale a weighted direction so that its mean magnitude is that of the weight where the weight is."""
    covered = weight.sum()
    length = (direction.abs().sum() / (direction.shape[1] * covered)).clamp_min(1e-20)
    return direction / length * (weight.square().sum() / covered)
