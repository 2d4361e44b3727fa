"""The plane between three pictures: its points, its ascent, and where they settle."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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


def test_points_move_together_in_full_batches_until_all_have_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    flat, seen = plane(), list[int]()
    ascent = Plane.ascent
    monkeypatch.setattr(Plane, "ascent", lambda self, s, t: seen.append(len(s)) or ascent(self, s, t))
    settings = BasinsSettings(iterations=5, settled=0.09)
    steps = list(basins.basin_steps(flat, settings, palette.named("dusk"), (10, 13)))
    progress = [step.progress for step in steps]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    batches = [step.step - (before.step if before.stage == step.stage else 0) for before, step in pairwise(steps)]
    assert seen[1:] == [steps[0].step, *batches]
    short = [step for step, size in zip(steps, seen[1:], strict=True) if size < basins.BATCH]
    assert all(step.step == step.steps for step in short)
    counts = steps[-1].state["values"][:, basins.COUNT]
    assert (counts < 5).any()
    assert (counts == 5).sum() <= steps[-1].steps


def test_the_network_sees_mixtures_of_the_side_that_is_asked_for(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corners = [str(photo)]
    for index in range(2):
        corners.append(str(tmp_path / f"{index}.png"))
        Image.fromarray(np.random.default_rng(index).integers(0, 255, (20, 20, 3), np.uint8)).save(corners[-1])
    sides: set[int] = set()
    ascent = Plane.ascent
    monkeypatch.setattr(
        Plane, "ascent", lambda self, s, t: sides.update(self.corners[0].shape[2:]) or ascent(self, s, t)
    )
    ph.basins(corners, net="pocket", target="conv1", size=2, iterations=1, side=40)
    assert sides == {40}
