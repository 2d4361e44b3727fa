"""The plane between three pictures: its points, its ascent, and where they settle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import phosphene as ph
from phosphene.errors import SettingError
from phosphene.fractals import palette
from phosphene.gradients.engine import Engine
from phosphene.loops import basins
from phosphene.loops.basins import Plane
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.basins import BasinsSettings
from tests import tinynet


def plane() -> Plane:
    net = tinynet.tiny_net()
    generator = torch.Generator().manual_seed(0)
    a, b, c = (0.3 + 0.4 * torch.rand(1, 3, 24, 24, generator=generator) for _ in range(3))
    return Plane(Engine(net, resolve(parse("middle"), net.card), precision="float32", tile=0), (a, b, c))


def test_the_pictures_are_the_corners_of_an_equilateral_triangle() -> None:
    sides = [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0)]
    s, t = (torch.tensor(each) for each in zip(*sides, strict=True))
    assert torch.allclose(basins.length(s, t), torch.ones(3))
    s, t = basins.points((96, 128))
    middle = s.view(96, 128)[47:49, 63:65].mean(), t.view(96, 128)[47:49, 63:65].mean()
    assert torch.allclose(torch.stack(middle), torch.tensor([1 / 3, 1 / 3]), atol=1e-3)


def test_the_ascent_is_that_of_the_objective_within_the_plane() -> None:
    flat = plane()
    s, t = torch.tensor([0.3]), torch.tensor([0.25])
    a, b, c = flat.corners

    def score(s: torch.Tensor, t: torch.Tensor) -> float:
        return float(flat.engine(a + s * (b - a) + t * (c - a))[0])

    ds, dt = flat.ascent(s, t)
    size = 1e-2 / float(torch.hypot(ds, dt))
    rise = score(s + ds * size, t + dt * size) - score(s, t)
    for angle in (1.2, -1.2, 3.14):
        turned = torch.polar(torch.ones(1), torch.tensor([angle])) * torch.complex(ds, dt)
        assert rise > score(s + turned.real * size, t + turned.imag * size) - score(s, t)
    assert rise > 0


def test_every_batch_can_be_continued_from() -> None:
    settings = BasinsSettings(iterations=4)
    colours = palette.named("dusk")
    steps = list(basins.basin_steps(plane(), settings, colours, (8, 10)))
    assert steps[-1].image.shape == (1, 3, 8, 10)
    rest = list(basins.basin_steps(plane(), settings, colours, (8, 10), state=steps[0].state))
    assert torch.equal(rest[-1].image, steps[-1].image)
    counts = steps[-1].state["values"][:, 0]
    assert 0 <= counts.min() <= counts.max() <= 4


def test_pictures_that_span_no_plane_are_refused(photo: Path) -> None:
    with pytest.raises(SettingError, match="three pictures must differ"):
        ph.job("basins", corners=(str(photo),) * 3, net="pocket", target="conv1").work  # noqa: B018


def test_the_sooner_a_point_settles_the_brighter_it_is() -> None:
    values = torch.tensor([[count, 0.9, 0.1, 0.2] for count in (1.0, 4.0, 8.0, 16.0)])
    shown = basins.coloured(values, BasinsSettings(), palette.named("dusk"), (1, 4)).sum(1).flatten()
    assert (shown.diff() < 0).all()
