"""Pictures that repeat: what is done to them is done round their edges, to the pixel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import shapings
from phosphene.loops import torus
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import gradient_through
from phosphene.loops.imagine import imagine_steps
from phosphene.measure.polar import seam
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import DreamSettings, ImagineSettings
from tests import tinynet


def image(height: int = 40, width: int = 56, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(80, 112), (20, 28), (61, 33)])
def test_resizing_knows_no_edge(size: tuple[int, int]) -> None:
    small = image()
    whole = torus.resize_around(small, size)
    if size[0] % 40 == 0 or 40 % size[0] == 0:
        down = 20
        turned = torus.resize_around(small.roll(down, -2), size).roll(-down * size[0] // 40, -2)
        assert torch.allclose(turned, whole, atol=1e-6)
    assert tuple(whole.shape[-2:]) == size


def test_gradients_go_round_the_edges() -> None:
    """A pixel at the left edge is seen by what stands at the right edge, as much as any neighbour."""
    net = tinynet.tiny_net()
    engine = Engine(net, resolve(parse("middle"), net.card), precision="float32", tile=0)
    picture = image(64, 64)

    def gradient(picture: Tensor, down: int, across: int) -> Tensor:
        draws = iter([down, across])
        return gradient_through(engine, picture, torus.rolled(lambda low, high: next(draws)))[1]

    straight = gradient(picture, 32, 24)
    # The same place of the torus under the network: the same gradient, to the pixel, wherever the picture is cut.
    cut_elsewhere = gradient(picture.roll((32, 24), (-2, -1)), 0, 0).roll((-32, -24), (-2, -1))
    assert torch.allclose(cut_elsewhere, straight, atol=1e-7)
    assert float(straight[..., 0].abs().mean()) == pytest.approx(float(straight.abs().mean()), rel=0.5)


@pytest.mark.parametrize("shaping", list(shapings))
def test_shaping_knows_no_edge(shaping: str) -> None:
    surface = torus.OnTorus.__new__(torus.OnTorus)
    surface._settings = DreamSettings(shaping=shaping)
    gradient = image(64, 96) - 0.5
    straight = surface.shaped(gradient.clone())
    rolled = surface.shaped(gradient.roll((32, 64), (-2, -1))).roll((-32, -64), (-2, -1))
    # The std of a band is that of the continued gradient, in which the rims are counted twice.
    assert torch.corrcoef(torch.stack((straight.flatten(), rolled.flatten())))[0, 1] > 0.999


def test_a_photograph_is_joined() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 48, 64).contiguous()
    assert seam(ramp[0].permute(1, 2, 0).numpy()) > 10
    joined = torus.seamless(ramp)
    assert float((joined[..., 0] - joined[..., -1]).abs().max()) < 0.05
    middle = image(48, 64)
    assert torch.allclose(torus.seamless(middle)[..., 20:28, 28:36], middle[..., 20:28, 28:36], atol=1e-5)


def test_a_dream_on_the_torus_has_no_seam_and_resumes() -> None:
    net = tinynet.tiny_net()
    engine = Engine(net, resolve(parse("middle"), net.card), precision="float32", tile=0)
    smooth = torus.resize_around(image(6, 8, seed=3), (48, 64), clamp=True)
    settings = DreamSettings(octaves=2, steps=6, step_size=0.05)
    steps = list(torus.dream_steps(engine, smooth, settings, arithmetic=Arithmetic(1)))
    assert seam(steps[-1].image[0].permute(1, 2, 0).numpy()) < 1.3
    again = list(torus.dream_steps(engine, smooth, settings, arithmetic=Arithmetic(1), state=steps[3].state))
    assert torch.equal(again[-1].image, steps[-1].image)
    assert steps[-1].score > steps[-6].score


def test_an_imagined_tile_has_no_seam() -> None:
    net = tinynet.tiny_net()
    objective = resolve(parse("middle"), net.card)
    settings = ImagineSettings(steps=8, sketches=1, views=2)
    *_, last = imagine_steps(
        net, objective, settings, arithmetic=Arithmetic(0), size=(48, 40), precision="float32", tileable=True
    )
    assert last.image.shape == (1, 3, 48, 40)
    assert seam(last.image[0].permute(1, 2, 0).numpy()) < 1.3
