from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from skimage import data
from torch import Tensor, nn

from phosphene.errors import SettingError, UnknownNameError
from phosphene.gradients.engine import Engine
from phosphene.nets.base import Net
from phosphene.nets.zoo import pocket
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from tests.tinynet import tiny_net

TARGETS = ["low", "middle:3", "high", "high:2@0.9,0.1", "dog", "high - 0.5*low:1 + 2*cat", "class:cat - dog"]
SIZES = [(64, 64), (37, 61), (90, 23), (5, 40), (1, 1), (3, 2)]


def engine_for(net: Net, target: str, **options: object) -> Engine:
    return Engine(net, resolve(parse(target), net.card), **{"precision": "float32", **options})


def plain(net: Net, target: str, image: Tensor) -> tuple[Tensor, Tensor]:
    """Score and gradient the way a textbook has them."""
    leaf = image.clone().requires_grad_()
    objective = resolve(parse(target), net.card)
    score = objective(net(leaf, list(net.card.layers)))
    score.sum().backward()
    return score.detach(), leaf.grad


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-20))


@pytest.mark.parametrize("target", TARGETS)
def test_the_gradient_is_the_textbooks(target: str) -> None:
    net = tiny_net()
    image = torch.rand(2, 3, 40, 52)
    scores, gradient = engine_for(net, target)(image)
    expected_scores, expected = plain(net, target, image)
    torch.testing.assert_close(scores, expected_scores)
    assert relative(gradient, expected) < 1e-5


@pytest.mark.parametrize("target", TARGETS)
def test_gradients_are_true(target: str) -> None:
    net = tiny_net(dtype=torch.float64)
    objective = resolve(parse(target), net.card)
    image = torch.rand(1, 3, 8, 12, dtype=torch.float64, requires_grad=True)
    # Along random directions, which errors anywhere would show in; pixel by pixel takes a hundred times as long.
    assert torch.autograd.gradcheck(lambda x: objective(net(x, objective.layers())), (image,), fast_mode=True)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", SIZES[:4])
@pytest.mark.parametrize("tile", [8, 20])
def test_tiles_give_the_gradient_of_the_whole(target: str, size: tuple[int, int], tile: int) -> None:
    net = tiny_net()
    image = torch.rand(2, 3, *size)
    whole_scores, whole = engine_for(net, target, tile=0)(image)
    scores, tiled = engine_for(net, target, tile=tile)(image)
    torch.testing.assert_close(scores, whole_scores, rtol=1e-4, atol=1e-6)
    assert relative(tiled, whole) < 1e-4


@pytest.mark.parametrize("target", ["mixed4c", "mixed5a:7", "banana"])
def test_tiles_of_the_embedded_network_leave_no_seam(target: str) -> None:
    net = pocket.load()
    image = torch.from_numpy(data.astronaut()[:94, :122]).permute(2, 0, 1)[None].float() / 255
    _, whole = engine_for(net, target, tile=0)(image)
    _, tiled = engine_for(net, target, tile=64)(image)
    assert relative(tiled, whole) < 1e-4


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_a_gradient(size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    for target in TARGETS:
        scores, gradient = engine_for(tiny_net(), target)(image)
        assert gradient.shape == image.shape
        assert gradient.isfinite().all()
        assert scores.isfinite().all()


@pytest.mark.parametrize("target", TARGETS)
def test_a_small_step_along_the_gradient_raises_the_score(target: str) -> None:
    engine = engine_for(tiny_net(), target)
    image = torch.rand(1, 3, 48, 48)
    before, gradient = engine(image)
    after, _ = engine(image + 1e-3 * gradient / gradient.norm())
    assert after > before


def test_only_what_is_needed_runs() -> None:
    net = tiny_net()
    ran: set[nn.Module] = set()

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        ran.add(module)

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    engine_for(net, "low")(torch.rand(1, 3, 32, 32))
    assert len(ran) == 1
    engine_for(net, "dog")(torch.rand(1, 3, 32, 32))
    assert len(ran) == 3


def test_weights_get_no_gradient_and_nothing_is_kept() -> None:
    net = tiny_net()
    image = torch.rand(1, 3, 32, 32)
    engine = engine_for(net, "high")
    scores, gradient = engine(image)
    assert not scores.requires_grad
    assert not gradient.requires_grad
    assert not image.requires_grad
    assert all(weight.grad is None and not weight.requires_grad for weight in net.parameters())


def test_an_exception_leaves_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    net = tiny_net()
    engine = engine_for(net, "high")
    image = torch.rand(1, 3, 32, 32)
    _, before = engine(image)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(nn.AvgPool2d, "forward", interrupt)
        with pytest.raises(KeyboardInterrupt):
            engine(image)
    for module in [*net.modules(), *engine.net.modules()]:
        assert not {**module._forward_hooks, **module._backward_hooks, **module._forward_pre_hooks}
    assert torch.equal(engine(image)[1], before)


def test_pictures_of_a_batch_do_not_mix() -> None:
    net = tiny_net()
    images = torch.rand(3, 3, 24, 30)
    scores, gradient = engine_for(net, "high + dog")(images)
    for i in range(3):
        score, alone = engine_for(net, "high + dog")(images[i : i + 1])
        torch.testing.assert_close(score[0], scores[i])
        assert relative(gradient[i : i + 1], alone) < 1e-5


LAYERS = list(pocket.load().card.layers)


@pytest.mark.parametrize(
    ("photo", "layer"),
    [*(("chelsea", layer) for layer in LAYERS), ("coffee", "mixed4c"), ("rocket", "mixed5b"), ("rocket", "logits")],
)
def test_bfloat16_points_the_same_way(photo: str, layer: str) -> None:
    assert agreement(layer if layer != "logits" else "class:goldfish", photo, "bfloat16") > 0.99


@pytest.mark.parametrize("target", ["mixed4c", "mixed4d:3", "class:goldfish"])
def test_float16_does_not_vanish(target: str) -> None:
    assert agreement(target, "chelsea", "float16") > 0.99


def agreement(target: str, photo: str, precision: str) -> float:
    """The cosine between the gradients in this precision and in float32."""
    net = pocket.load()
    image = torch.from_numpy(getattr(data, photo)()[:72, :104]).permute(2, 0, 1)[None].float() / 255
    _, exact = engine_for(net, target)(image)
    _, fast = engine_for(net, target, precision=precision)(image)
    assert fast.dtype == torch.float32
    return float(torch.nn.functional.cosine_similarity(exact.flatten(), fast.flatten(), dim=0))


def test_a_canvas_beyond_the_budget_is_cut() -> None:
    net = tiny_net()
    assert engine_for(net, "high").traversal((64, 64)).own == 0
    engine = engine_for(net, "high", budget=1 << 18)
    assert 0 < engine.traversal((512, 512)).own < 512
    image = torch.rand(1, 3, 128, 96)
    _, whole = engine_for(net, "high", tile=0)(image)
    _, cut = engine(image)
    assert relative(cut, whole) < 1e-4


def test_a_layer_that_sees_everything_is_not_cut() -> None:
    net = tiny_net()
    layers = {**net.card.layers, "high": replace(net.card.layers["high"], receptive=None)}
    net.card = replace(net.card, layers=layers)
    with pytest.raises(SettingError, match="tile must be auto or 0"):
        engine_for(net, "high", tile=16)
    assert engine_for(net, "high", budget=1).traversal((512, 512)).own == 0


def test_settings_out_of_range_are_refused() -> None:
    for options in ({"precision": "float8"}, {"tile": -1}, {"halo": -3}):
        with pytest.raises(SettingError):
            engine_for(tiny_net(), "high", **options)
    with pytest.raises(UnknownNameError, match="high"):
        engine_for(tiny_net(), "hihg")


@pytest.mark.parametrize("budget", [1 << 17, 1 << 19, 1 << 30])
def test_what_is_kept_of_tiles_changes_nothing(budget: int) -> None:
    net = pocket.load()
    image = torch.from_numpy(data.astronaut()[:78, :102]).permute(2, 0, 1)[None].float() / 255
    engine = engine_for(net, "mixed4a", tile=48, budget=budget)
    _, whole = engine_for(net, "mixed4a", tile=0)(image)
    assert engine.traversal((78, 102)).keep == (budget > 1 << 19)
    for _ in range(2):
        _, tiled = engine(image)
        assert relative(tiled, whole) < 1e-4


def test_engines_are_freed() -> None:
    engine = engine_for(tiny_net(), "high", tile=8)
    engine(torch.rand(1, 3, 40, 40))
    alive = weakref.ref(engine)
    del engine
    gc.collect()
    assert alive() is None
