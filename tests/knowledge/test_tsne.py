"""Exact t-SNE, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.knowledge import tsne


def clusters(count: int = 90, dimensions: int = 8) -> torch.Tensor:
    """Points in three clusters, in order."""
    rng = torch.Generator().manual_seed(0)
    centres = 6 * torch.randn(3, dimensions, generator=rng)
    return centres.repeat_interleave(count // 3, dim=0) + torch.randn(count, dimensions, generator=rng)


def laid_out(points: torch.Tensor, perplexity: float, steps: int = 500) -> tuple[torch.Tensor, torch.Tensor]:
    joint = tsne.joint_probabilities(points, perplexity)
    layout = tsne.TsneState.of(tsne.principal_components(points, 2))
    for _ in range(steps):
        layout.step(joint)
    return joint, layout.places


def test_divergence_is_that_of_scikit_learn_and_ours_is_as_low() -> None:
    sklearn = pytest.importorskip("sklearn.manifold", reason="scikit-learn: pip install 'phosphene[dev]'")
    points = clusters()
    model = sklearn.TSNE(perplexity=10, method="exact", init="pca", random_state=0, max_iter=500)
    theirs = torch.from_numpy(model.fit_transform(points.numpy()))
    joint, places = laid_out(points, 10)
    assert tsne.divergence(joint, theirs) == pytest.approx(model.kl_divergence_, rel=0.01)
    assert tsne.divergence(joint, places) < 1.1 * model.kl_divergence_


def test_probabilities_sum_to_one_with_the_perplexity_asked_for() -> None:
    points = clusters()
    joint = tsne.joint_probabilities(points, 12.0)
    assert joint.sum() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(joint, joint.T)
    assert not joint.diagonal().any()


def test_neighbours_stay_neighbours() -> None:
    points = clusters()
    _, places = laid_out(points, 10)
    for space in (points, places):
        nearest = torch.cdist(space, space).fill_diagonal_(torch.inf).argmin(dim=1)
        assert (nearest // 30 == torch.arange(90) // 30).float().mean() > 0.97


def test_further_points_are_placed_among_their_own() -> None:
    points = clusters(120)
    landmarks = torch.arange(0, 120, 2)
    _, places = laid_out(points[landmarks], 10)
    placed = tsne.placed_between(points[1::2], points[landmarks], places)
    nearest = torch.cdist(placed, places).argmin(dim=1)
    assert (nearest // 20 == torch.arange(60) // 20).float().mean() > 0.97


def test_components_are_those_of_the_singular_values() -> None:
    points = clusters()
    found = tsne.principal_components(points, 3)
    _, values, _ = np.linalg.svd(points.numpy() - points.numpy().mean(axis=0))
    assert np.allclose(found.norm(dim=0).numpy(), values[:3], rtol=1e-4)
