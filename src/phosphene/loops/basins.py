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

BATCH = 64
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
    """Take all points of the picture one step further at a time, yielding a step for every batch of points.

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
        rate = settings.reach / average.clamp_min(1e-30)
        values = _beginning(s, t, settings)
        first, at, which = 0, 0, torch.arange(len(s))
    else:
        rate, values, which = state["rate"], state["values"].clone(), state["which"]
        first, at = int(state["application"]), int(state["at"])
    for application in range(first, settings.iterations):
        while at < len(which):
            _move(plane, settings, rate, values, which[at : at + BATCH], application)
            at = min(at + BATCH, len(which))
            yield Step(
                stage=f"step {application + 1} of {settings.iterations}",
                step=at,
                steps=len(which),
                progress=_progress(values, settings, application, which[at:]),
                image=coloured(values, settings, palette, size),
                scores=torch.empty(0),
                state={
                    "application": number(application),
                    "at": number(at),
                    "which": which,
                    "rate": rate,
                    "values": values.clone(),
                },
            )
        which, at = _moving(values, settings), 0


COUNT, S, T, TRAVELLED, BEFORE = range(5)
"""Columns of what is known of each point: after how many steps it has settled, without jumps, where it is, how far it
has gone, and how far the last step went."""


def _beginning(s: Tensor, t: Tensor, settings: BasinsSettings) -> Tensor:
    """Return what is known of points before the first step, n 5."""
    never = torch.full_like(s, float(settings.iterations))
    return torch.stack((never, s, t, torch.zeros_like(s), torch.full_like(s, settings.reach)), dim=1)


def _moving(values: Tensor, settings: BasinsSettings) -> Tensor:
    """Return the points that have not settled."""
    return (values[:, COUNT] >= settings.iterations).nonzero().flatten()


def _progress(values: Tensor, settings: BasinsSettings, application: int, waiting: Tensor) -> float:
    """Return the share of the work that is done; a point that has settled is done with."""
    left = len(_moving(values, settings)) * (settings.iterations - application - 1) + len(waiting)
    return 1 - left / (len(values) * settings.iterations)


def _move(
    plane: Plane, settings: BasinsSettings, rate: Tensor, values: Tensor, which: Tensor, application: int
) -> None:
    """Take one step from the points `which`, in place."""
    s, t, before = values[which, S], values[which, T], values[which, BEFORE]
    ds, dt = (each * rate for each in plane.ascent(s, t))
    moved = length(ds, dt)
    short = (settings.reach * 2 / moved.clamp_min(1e-30)).clamp(max=1)  # a cliff throws nobody out of the plane
    values[which, S], values[which, T] = s + ds * short, t + dt * short
    values[which, TRAVELLED] += moved * short
    values[which, BEFORE] = moved
    fall = (before / settings.settled).log() / (before / moved.clamp_min(1e-30)).log().clamp_min(1e-6)
    still = moved <= settings.settled
    values[which[still], COUNT] = (application + fall.clamp(0, 0.999))[still]


def coloured(values: Tensor, settings: BasinsSettings, palette: np.ndarray, size: Size) -> Image:
    """Return the picture, 1 3 h w.

    A point's shade comes from the direction in which it ends, seen from the middle of the triangle, and from how far it
    has gone. The sooner it settled, the brighter it is.
    """
    count, s, t, travelled = (each.double().numpy() for each in values[:, :BEFORE].unbind(1))
    x, y = s + t / 2 - 0.5, t * math.sqrt(3) / 2 - math.sqrt(3) / 6
    shade = np.arctan2(y, x) / (2 * math.pi) + travelled / (settings.reach * settings.iterations)
    light = palette[(shade % 1 * SHADES).astype(int) % SHADES]
    bright = DIMMEST + (1 - DIMMEST) * (1 - count / settings.iterations)
    pixels = np.clip(encode(light * bright[:, None]), 0, 1).astype(np.float32)
    return torch.from_numpy(pixels.reshape(*size, 3)).permute(2, 0, 1)[None].contiguous()
