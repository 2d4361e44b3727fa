"""Non-negative factors, against scikit-learn's."""

from __future__ import annotations

import pytest
import torch

from phosphene.knowledge.factors import non_negative_factors


def test_factors_are_as_good_as_those_of_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition", reason="scikit-learn: pip install 'phosphene[dev]'")
    rng = torch.Generator().manual_seed(0)
    rows = torch.rand(80, 4, generator=rng) @ torch.rand(4, 12, generator=rng) + 0.05 * torch.rand(
        80, 12, generator=rng
    )
    amounts, parts = non_negative_factors(rows, 4, generator=rng, updates=400)
    model = decomposition.NMF(4, solver="mu", init="random", random_state=0, max_iter=400, tol=0)
    model.fit(rows.numpy())
    assert (rows - amounts @ parts).norm() < 1.05 * model.reconstruction_err_
    assert amounts.min() >= 0
    assert parts.min() >= 0
    assert torch.allclose(parts.norm(dim=1), torch.ones(4), atol=1e-5)


def test_factors_of_nothing_are_nothing() -> None:
    amounts, parts = non_negative_factors(torch.zeros(5, 3), 2, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(amounts).all()
    assert torch.isfinite(parts).all()
    assert (amounts @ parts).abs().max() == 0
