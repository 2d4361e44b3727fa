"""Likeness to another picture, place by place: it is largest for the picture itself, and ascent raises the cosine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from phosphene.errors import ExpressionError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.imagine import imagine_steps
from phosphene.media.image import write_image
from phosphene.nets.card import ActivationStatistics
from phosphene.objectives import Inversion, Like, parse, resolve
from phosphene.recipe.stills import ImagineSettings
from phosphene.render.networks import Targets
from phosphene.resampling import resize
from phosphene.types import Region
from tests.objectives.expressions import card
from tests.tinynet import tiny_net

STD = torch.linspace(0.5, 2.0, 6)
STATISTICS = ActivationStatistics(STD, STD, STD * 8)


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", [partial(Like, power=2.0), Inversion])
def test_the_picture_itself_scores_1_and_it_mirrored_less(kind: type[Like] | type[Inversion]) -> None:
    photo = some(6, 4, 5)
    objective = kind("p.jpg", "a", maps=(photo,), statistics=STATISTICS)
    assert objective.score(photo[None]).item() == pytest.approx(1, abs=1e-5)
    assert objective.score(photo[None].flip(3)).item() < 0.5


def test_an_exaggeration_raises_like_and_lowers_inversion() -> None:
    photo = some(6, 4, 5)
    twice = 2 * photo[None]
    assert Like("p.jpg", "a", maps=(photo,)).score(twice).item() == pytest.approx(2, abs=1e-5)
    assert Inversion("p.jpg", "a", maps=(photo,)).score(twice).item() == pytest.approx(0, abs=1e-5)


def test_the_score_is_the_dot_product_in_stds_times_the_squared_cosine() -> None:
    photo, seen = some(6, 3, 3).abs(), some(2, 6, 3, 3, seed=1).abs()
    a, b = seen / STD.view(-1, 1, 1), photo / STD.view(-1, 1, 1)
    dot = (a * b).sum(1)
    cosine = torch.nn.functional.cosine_similarity(a, b[None].expand_as(a), dim=1)
    expected = (dot * cosine**2).mean(dim=(1, 2)) / (b * b).sum(0).mean()
    torch.testing.assert_close(Like("p.jpg", "a", maps=(photo,), statistics=STATISTICS).score(seen), expected)


@pytest.mark.parametrize("kind", [Like, Inversion])
def test_tiles_add_up_to_the_whole(kind: type[Like] | type[Inversion]) -> None:
    objective = kind("p.jpg", "a", maps=(some(6, 5, 7),), statistics=STATISTICS)
    seen = some(1, 6, 8, 10, seed=1)
    parts = [
        objective.reduce(seen[..., :3, :], Region(0, 0, 8, 10)),
        objective.reduce(seen[..., 3:, :], Region(3, 0, 8, 10)),
    ]
    torch.testing.assert_close(torch.stack(parts).sum(0), objective.score(seen))


def test_a_canvas_is_compared_at_the_nearest_size() -> None:
    asked: list[int] = []

    def read(path: str, layer: str, side: int) -> Tensor:
        asked.append(side)
        return torch.full((6, side // 8, side // 8), float(side))

    objective = resolve(parse("inversion(p.jpg, mixed4c)"), card(), read, normalised=False)
    assert asked == [8, 16, 32, 64]
    assert objective({"mixed4c": torch.full((1, 6, 4, 4), 32.0)}).item() == pytest.approx(1)
    assert objective({"mixed4c": torch.full((1, 6, 9, 8), 64.0)}).item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "told"), [("like(p.jpg, mixed4c)", "read_features"), ("like(p.jpg, logits)", "positions")]
)
def test_what_cannot_be_compared_is_said(text: str, told: str) -> None:
    with pytest.raises(ExpressionError, match=told):
        resolve(parse(text), card())({"mixed4c": torch.ones(2, 6, 3, 3)})


@pytest.mark.parametrize("name", ["like", "inversion"])
def test_imagining_raises_the_cosine_with_the_photo(name: str, tmp_path: Path) -> None:
    net = tiny_net()
    photo = resize(torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(5)), (32, 48), clamp=True)
    write_image(tmp_path / "photo.png", photo)
    targets = Targets(net, None, (tmp_path,), {})
    objective = targets(f"{name}(photo.png, high)")
    assert list(targets.guides) == ["photo.png"]

    wanted = net(resize(photo, (16, 24)), ["high"])["high"]

    def cosine(image: Tensor) -> float:
        seen = net(resize(image, (16, 24)), ["high"])["high"]
        mean = wanted.mean(dim=(2, 3), keepdim=True)
        return torch.nn.functional.cosine_similarity(seen - mean, wanted - mean, dim=1).mean().item()

    settings = ImagineSettings(steps=24, sketches=1, views=2, tint=0.0, noise=0.0)
    steps = list(imagine_steps(net, objective, settings, arithmetic=Arithmetic(0), size=(32, 48)))
    assert cosine(steps[-1].image) > cosine(steps[0].image) + 0.03
