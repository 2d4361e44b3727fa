"""Neural PCA: weights are those of the head, components those of scikit-learn, and their moves add up to the logit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.knowledge.neural_pca import class_weights, components
from tests.tinynet import tiny_net


def test_components_are_those_of_scikit_learn_and_add_up_to_the_logit() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition", reason="scikit-learn: pip install 'phosphene[dev]'")
    net, images = tiny_net(), torch.rand(9, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = net(images, ["high", "logits"])
    weights = class_weights(net, [1])
    rows = (found["high"].mean(dim=(2, 3)) * weights).double().numpy()
    every = components(found["high"], weights, 16)
    assert len(every) == 8  # pictures less one
    theirs = decomposition.PCA().fit(rows)
    ours = np.stack([each.vector.numpy() for each in every[:4]])
    assert np.abs((ours * theirs.components_[:4]).sum(axis=1)).min() > 0.999
    assert np.allclose([each.share for each in every], theirs.explained_variance_ratio_[:8], atol=1e-5)
    # Over all components the moves are each picture's logit, less that of the mean picture.
    logit = found["logits"][:, 1]
    moved = torch.stack([each.moves for each in every]).sum(dim=0)
    assert torch.allclose(moved, logit - logit.mean(), atol=1e-4)
    # Each map is where its component's share of a logit comes from.
    centred = every[0].maps.mean(dim=(1, 2, 3))
    assert torch.allclose(centred - centred.mean(), every[0].moves, atol=1e-4)
