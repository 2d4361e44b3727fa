"""The guide draws each position towards the guide's best matching column, in little memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from phosphene.errors import ExpressionError
from phosphene.nets.card import ActivationStatistics
from phosphene.objectives import Guide, parse, resolve
from phosphene.objectives.functions import guide as guides
from tests.objectives.expressions import card


def test_the_gradient_is_the_best_matching_column() -> None:
    a = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    columns = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    score = Guide("g.jpg", "a", columns=columns).score(a)
    products = torch.einsum("nchw,ck->nhwk", a, columns)
    torch.testing.assert_close(score, products.amax(dim=3).mean(dim=(1, 2)))
    (gradient,) = torch.autograd.grad(score.sum(), a)
    best = columns[:, products.argmax(dim=3)].movedim(0, 1)
    torch.testing.assert_close(gradient * 24, best)


def test_with_usual_levels_both_pictures_are_in_usual_deviations() -> None:
    a = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    columns = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    std = torch.tensor([0.5, 2.0, 8.0])
    statistics = ActivationStatistics(std, std, std)
    plain = Guide("g.jpg", "a", columns=columns / std[:, None]).score(a / std[:, None, None])
    torch.testing.assert_close(Guide("g.jpg", "a", statistics, columns).score(a), plain / 3)


def test_large_pictures_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    a = torch.randn(2, 3, 11, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a.requires_grad_()
    guide = Guide("g.jpg", "a", columns=torch.randn(3, 23, generator=torch.Generator().manual_seed(1)))
    whole = guide.score(a)
    (expected,) = torch.autograd.grad(whole.sum(), a)
    monkeypatch.setattr(guides, "_CANVAS_BLOCK", 10)
    monkeypatch.setattr(guides, "_GUIDE_BLOCK", 4)
    blocks = guide.score(a)
    (gradient,) = torch.autograd.grad(blocks.sum(), a)
    torch.testing.assert_close(blocks, whole)
    torch.testing.assert_close(gradient, expected)


def test_resolving_reads_the_guide_in_its_layer() -> None:
    asked: list[tuple[str, str]] = []

    def read(path: str, layer: str) -> torch.Tensor:
        asked.append((path, layer))
        return torch.ones(6, 4)

    objective = resolve(parse("0.5*guide(a b.jpg, mixed4c)"), card(), read)
    assert asked == [("a b.jpg", "mixed4c")]
    assert objective({"mixed4c": torch.ones(2, 6, 3, 3)}).shape == (2,)
    assert str(objective) == "0.5*guide(a b.jpg, mixed4c)"


def test_without_its_picture_a_guide_is_checked_but_not_scored() -> None:
    objective = resolve(parse("guide(a.jpg, mixed4c)"), card())
    with pytest.raises(ExpressionError, match="read_features"):
        objective({"mixed4c": torch.ones(2, 6, 3, 3)})


def test_the_picture_is_no_part_of_the_guide_s_identity() -> None:
    guide = Guide("a.jpg", "mixed4c")
    assert replace(guide, columns=torch.ones(6, 4)) == guide
    assert hash(replace(guide, columns=torch.ones(6, 4))) == hash(guide)
