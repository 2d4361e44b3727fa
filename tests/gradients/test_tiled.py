"""The tiled step: pure functions that another process may run, a budget, and a weight per pixel."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

import phosphene as ph
from phosphene import nets
from phosphene.gradients import tiled
from phosphene.gradients.engine import Engine
from phosphene.gradients.tiles import Tile, cut
from phosphene.nets.receptive import Field
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.types import Size
from tests.tinynet import tiny_net

Job = tuple[Sequence[tiled.Term], Tensor, Tile, Sequence[Tensor] | None]


def do_tile(job: bytes) -> bytes:
    """Do one tile in a process that has only the network."""
    torch.set_num_threads(1)
    net = tiny_net()
    terms, crop, tile, directions = pickle.loads(job)
    if directions is None:
        return pickle.dumps(tiled.tile_sums(net, terms, crop, tile))
    return pickle.dumps(tiled.tile_gradient(net, terms, crop, tile, directions))


def test_other_processes_may_do_the_tiles() -> None:
    net = tiny_net()
    target = "high + 0.5*low:1"
    engine = Engine(net, resolve(parse(target), net.card), precision="float32", tile=24)
    image = torch.rand(1, 3, 70, 90, generator=torch.Generator().manual_seed(0))
    scores, gradient = engine(image)
    fields = [net.card.layer(name).receptive for name in ("low", "high")]
    deepest = max((field for field in fields if field), key=lambda field: field.size)
    assert isinstance(deepest, Field)
    tiles, terms = list(cut((70, 90), 24, deepest)), engine.terms((70, 90))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        jobs = [pickle.dumps((terms, tile.crop(image).clone(), tile, None)) for tile in tiles]
        sums = tiled.reduce_sums(pickle.loads(each) for each in pool.map(do_tile, jobs))
        directions = tiled.directions_of(net, terms, sums)
        jobs = [pickle.dumps((terms, tile.crop(image).clone(), tile, directions)) for tile in tiles]
        total = torch.zeros_like(image)
        for tile, part in zip(tiles, pool.map(do_tile, jobs), strict=True):
            tile.crop(total).add_(pickle.loads(part))
    assert torch.equal(total, gradient)
    assert torch.equal(tiled.score_of(net, terms, sums), scores)


def test_a_smaller_budget_takes_tiles_and_changes_nothing() -> None:
    net = tiny_net()
    objective = resolve(parse("high"), net.card)
    image = torch.rand(1, 3, 96, 120)
    whole = Engine(net, objective, precision="float32")
    small = Engine(net, objective, precision="float32", budget=1 << 18)
    assert whole.traversal((96, 120)).own == 0
    assert 0 < small.traversal((96, 120)).own < 96
    for mine, other in zip(small(image), whole(image), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tile", [0, 24])
def test_a_step_may_be_weighed_by_a_mask(tile: int) -> None:
    net = tiny_net()
    engine = Engine(net, resolve(parse("high"), net.card), precision="float32", tile=tile)
    image = torch.rand(2, 3, 70, 90)
    weight = torch.zeros(1, 1, 70, 90)
    weight[..., 20:40, 30:60] = torch.rand(20, 30)
    scores, gradient = engine(image)
    weighed_scores, weighed = engine(image, weight)
    assert torch.equal(weighed_scores, scores)
    assert torch.equal(weighed, gradient * weight)
    assert not weighed[..., :20, :].any()


def test_a_wrapped_network_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)).train()
    before = [(each.stride(), each.data_ptr(), each.requires_grad, each.clone()) for each in module.parameters()]
    ph.dream(torch.rand(1, 3, 24, 24), net=ph.wrap(module, input_size=32), target='"2"', octaves=1, steps=1)
    for weight, (stride, pointer, requires_grad, value) in zip(module.parameters(), before, strict=True):
        assert (weight.stride(), weight.data_ptr(), weight.requires_grad) == (stride, pointer, requires_grad)
        assert torch.equal(weight, value)
    assert module.training


@pytest.mark.parametrize("layer", ["stem", "block5", "block11/depthwise", "block15"])
@pytest.mark.parametrize("size", [(97, 230), (161, 128)])
def test_positions_of_a_large_canvas_follow_from_a_small_one(layer: str, size: Size) -> None:
    net = nets.load("lite")
    engine = Engine(net, resolve(parse(layer), net.card), precision="float32")
    (term,) = engine.terms(size)
    with torch.no_grad():
        assert term.total == net(torch.zeros(1, 3, *size), [layer])[layer].shape[-2:]
