"""Shaped in strips, a gradient is what it is shaped as a whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phosphene.gradients.shaping import shapings
from phosphene.gradients.strips import strip_shapings


def in_strips(name: str, gradient: Tensor, rows: int) -> Tensor:
    levels = [gradient]
    size = (gradient.shape[-2], gradient.shape[-1])
    shaping = strip_shapings[name](size, lambda level, r, c: levels[level][:, :, slice(*r), slice(*c)].clone())

    def strips(height: int) -> list[tuple[int, int]]:
        return [(top, min(top + rows, height)) for top in range(0, height, rows)]

    for level in range(1, len(shaping.sizes)):
        levels.append(torch.cat([shaping.level(level, strip) for strip in strips(shaping.sizes[level][0])], dim=2))
    sums = torch.stack([shaping.measure(each) for each in strips(size[0])]).sum(0) if shaping.measured else None
    total = torch.cat([shaping.direction(each, sums) for each in strips(size[0])], dim=2)
    return total / total.abs().mean()


@pytest.mark.parametrize("name", list(shapings))
@pytest.mark.parametrize("size", [(96, 80), (65, 43), (9, 200), (70, 7)])
@pytest.mark.parametrize("rows", [5, 16, 1000])
def test_strips_join_to_the_whole(name: str, size: tuple[int, int], rows: int) -> None:
    gradient = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 1e-3
    whole = shapings[name](gradient.clone())
    assert torch.allclose(in_strips(name, gradient, rows), whole, atol=1e-4)


def test_every_shaping_is_there_in_strips() -> None:
    assert set(strip_shapings) == set(shapings)
