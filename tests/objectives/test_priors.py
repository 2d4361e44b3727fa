"""The diversity term tells how unlike one another pictures are."""

from __future__ import annotations

import pytest
import torch

from phosphene.objectives import diversity


def responses(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Seeded responses of a small layer."""
    return torch.randn(n, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def test_like_pictures_score_least_and_unlike_ones_more() -> None:
    one = responses(1).relu()
    alike = diversity(torch.cat([one, 2 * one, one.flip(3)]))  # neither strength nor place counts
    torch.testing.assert_close(alike, torch.tensor(-1.0, dtype=torch.float64))
    apart = torch.zeros(2, 3, 2, 2)
    apart[0, 0] = apart[1, 1] = 1
    assert diversity(apart) == 0
    assert -1 < diversity(responses(4).relu()) < 0


def test_a_single_picture_has_nothing_to_differ_from() -> None:
    assert diversity(responses(1)) == 0


def test_its_gradient_is_true_and_makes_pictures_less_alike() -> None:
    a = responses(3).requires_grad_()
    assert torch.autograd.gradcheck(diversity, (a,))
    (gradient,) = torch.autograd.grad(diversity(a), a)
    assert diversity(a + 1e-3 * gradient) > diversity(a)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_it_is_summed_in_float32(dtype: torch.dtype) -> None:
    assert diversity(responses(3, dtype)).dtype == torch.float32
    assert diversity(torch.zeros(2, 3, 4, 4, dtype=dtype)) == 0
