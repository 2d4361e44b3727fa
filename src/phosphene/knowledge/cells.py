"""The cells of an atlas: a grid over a layout, and what the activations in each cell have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.knowledge.sampling import Sample

CLIP = 0.01
"""Share of the points at each side that are pushed to the border, so that a few far ones do not shrink the rest."""

RIDGE = 0.01
"""Share of the mean variance that is added to every direction before whitening: of few pictures, many have none."""

TOLD = 6
"""Labels that a cell is labelled with."""


@dataclass(frozen=True)
class Cell:
    """One cell of an atlas.

    Attributes:
        row, column: its place, from 0, row 0 at the top.
        members: the activations in it, as indices of the sample.
        labels: the labels that it argues for, each with the mean change of its logit, strongest first.
    """

    row: int
    column: int
    members: tuple[int, ...]
    labels: tuple[tuple[int, float], ...]


def unit_square(layout: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Return the layout moved and stretched to fill the square from 0 to 1."""
    low, high = layout.quantile(CLIP, dim=0), layout.quantile(1 - CLIP, dim=0)
    return ((layout - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)


def cells_of(layout: Float[Tensor, "n 2"], sample: Sample, columns: int, least: int) -> list[Cell]:
    """Return the cells of a grid of `columns` by `columns` that hold `least` activations or more, row by row."""
    place = (unit_square(layout) * columns).long().clamp(max=columns - 1)
    index = place[:, 1] * columns + place[:, 0]
    found = []
    for cell in index.unique().tolist():
        members = (index == cell).nonzero()[:, 0]
        if len(members) >= least:
            labels = _argued(sample, members)
            found.append(Cell(cell // columns, cell % columns, tuple(members.tolist()), labels))
    return found


def _argued(sample: Sample, members: Tensor) -> tuple[tuple[int, float], ...]:
    """Return the labels whose logits the members raise most, on average."""
    labels, effects = sample.labels[members].flatten().long(), sample.effects[members].flatten().double()
    known = labels >= 0
    labels, effects = labels[known], effects[known]
    if not len(labels):
        return ()
    total = torch.zeros(int(labels.max()) + 1, dtype=torch.float64).index_add_(0, labels, effects) / len(members)
    best = total.topk(min(TOLD, len(total)))
    return tuple((i, e) for i, e in zip(best.indices.tolist(), best.values.tolist(), strict=True) if e > 0)


def whitened(vectors: Float[Tensor, "n c"], means: Float[Tensor, "cells c"]) -> Float[Tensor, "cells c"]:
    """Return directions in which the activations `vectors` differ: `means` times the inverse of their second moments.

    The directions that all activations share count little in them.

    Source: Carter et al., "Activation Atlas" (Distill 2019), "whitening".
    """
    vectors = vectors.double()
    moments = vectors.T @ vectors / len(vectors)
    ridge = RIDGE * moments.diagonal().mean().clamp(min=1e-12)
    moments.diagonal().add_(ridge)
    return torch.linalg.solve(moments, means.double().T).T.float()
