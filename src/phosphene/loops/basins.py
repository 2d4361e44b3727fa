"""A network's own map of the plane between three pictures, and how fast its points settle.

    x(s, t) = A + s (B - A) + t (C - A)          the pictures of the plane
    (s, t) <- (s, t) + rate * the steepest ascent of the objective within the plane

A step of dreaming leaves the plane; its shadow on the plane is a map of the plane into itself, as z^2 + c is. Points go
to where the objective is highest nearby, and stay there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from phosphene.fractals.palette import SHADES, encode
from phosphene.gradients.engine import Engine
from phosphene.loops.step import State, Step, number
from phosphene.recipe.basins import BasinsSettings
from phosphene.types import Image, Size

BATCH = 32
"""Points that are iterated together."""

TRIALS = 64
"""Points whose first steps say how long an average one is."""

WIDTH = 1.9
"""Width of the picture, where the triangle of the three pictures has sides of 1; its middle is that of the triangle."""


DIMMEST = 0.4
"""Brightness of points that have not settled, where 1 is that of those that settle at once."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane between three pictures, each `1 c h w`, and the network's ascent on it."""

    engine: Engine
    corners: tuple[Image, Image, Image] = field(repr=False)

    def ascent(self, s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the direction of steepest ascent in (s, t) at each point, unscaled."""
        a, b, c = self.corners
        u, v = (b - a).flatten(), (c - a).flatten()
        images = a + s.view(-1, 1, 1, 1) * (b - a) + t.view(-1, 1, 1, 1) * (c - a)
        _, gradient = self.engine(images.clamp(0, 1))
        along = gradient.flatten(1) @ torch.stack((u, v), dim=1)
        gram = torch.stack((torch.stack((u @ u, u @ v)), torch.stack((v @ u, v @ v))))
        ascent = torch.linalg.solve(gram, along.T)
        return ascent[0], ascent[1]


def points(size: Size) -> tuple[Tensor, Tensor]:
    """Return (s, t) of each pixel, flat: A is at the lower left of an equilateral triangle, B at its right, C above."""
    height, width = size
    step = WIDTH / width
    x = 0.5 + (torch.arange(width) + 0.5 - width / 2) * step
    y = math.sqrt(3) / 6 - (torch.arange(height) + 0.5 - height / 2) * step
    t = 2 / math.sqrt(3) * y[:, None].expand(height, width)
    return (x[None] - t / 2).flatten(), t.flatten()


def length(s: Tensor, t: Tensor) -> Tensor:
    """Return the length of differences in (s, t), where the sides of the triangle are 1."""
    return torch.hypot(s + t / 2, t * (math.sqrt(3) / 2))


def basin_steps(
    plane: Plane, settings: BasinsSettings, palette: np.ndarray, size: Size, *, state: State | None = None
) -> Iterator[Step]:
    """Iterate every point of the picture, yielding a step for every batch of points.

    Args:
        plane: the pictures, and the network.
        settings: those of the recipe.
        palette: linear RGB, `SHADES` 3.
        size: (height, width) of the picture.
        state: a step's `state`, to continue after it.
    """
    s, t = points(size)
    if state is None:
        chosen = torch.linspace(0, len(s) - 1, TRIALS).long()
        average = length(*plane.ascent(s[chosen], t[chosen])).mean()
        rate, values, first = settings.reach / average.clamp_min(1e-30), torch.zeros(len(s), 4), 0
    else:
        rate, values, first = state["rate"], state["values"].clone(), int(state["done"])
    for at in range(first, len(s), BATCH):
        part = slice(at, at + BATCH)
        values[part] = _followed(plane, settings, rate, s[part], t[part])
        done = min(at + BATCH, len(s))
        yield Step(
            stage="points",
            step=done,
            steps=len(s),
            progress=done / len(s),
            image=coloured(values, settings, palette, size),
            scores=torch.empty(0),
            state={"done": number(done), "rate": rate, "values": values.clone()},
        )


def _followed(plane: Plane, settings: BasinsSettings, rate: Tensor, s: Tensor, t: Tensor) -> Tensor:
    """Return for each point after how many steps it has settled, without jumps, where it is then, and how far it went.

    All are columns of one tensor, n 4.
    """
    s, t = s.clone(), t.clone()
    count = torch.full_like(s, float(settings.iterations))
    moving = torch.ones_like(s, dtype=torch.bool)
    before, travelled = torch.full_like(s, settings.reach), torch.zeros_like(s)
    for step in range(settings.iterations):
        which = moving.nonzero().flatten()
        if not len(which):
            break
        ds, dt = (each * rate for each in plane.ascent(s[which], t[which]))
        moved = length(ds, dt)
        short = (settings.reach * 2 / moved.clamp_min(1e-30)).clamp(max=1)  # a cliff throws nobody out of the plane
        s[which], t[which] = s[which] + ds * short, t[which] + dt * short
        travelled[which] += moved * short
        still = moved <= settings.settled
        fall = (before[which] / settings.settled).log() / (before[which] / moved.clamp_min(1e-30)).log().clamp_min(1e-6)
        count[which[still]] = (step + fall.clamp(0, 1))[still]
        before[which] = moved
        moving[which[still]] = False
    return torch.stack((count, s, t, travelled), dim=1)


def coloured(values: Tensor, settings: BasinsSettings, palette: np.ndarray, size: Size) -> Image:
    """Return the picture, 1 3 h w.

    A point's shade comes from the direction in which it ends, seen from the middle of the triangle, and from how far it
    has gone. The sooner it settled, the brighter it is.
    """
    count, s, t, travelled = (each.double().numpy() for each in values.unbind(1))
    x, y = s + t / 2 - 0.5, t * math.sqrt(3) / 2 - math.sqrt(3) / 6
    shade = np.arctan2(y, x) / (2 * math.pi) + travelled / (settings.reach * settings.iterations)
    light = palette[(shade % 1 * SHADES).astype(int) % SHADES]
    bright = DIMMEST + (1 - DIMMEST) * (1 - count / settings.iterations)
    pixels = np.clip(encode(light * bright[:, None]), 0, 1).astype(np.float32)
    return torch.from_numpy(pixels.reshape(*size, 3)).permute(2, 0, 1)[None].contiguous()
