"""Terms that do not look for anything in a picture, but say what pictures should be like."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.objectives.squares import accumulator
from phosphene.types import Features


def diversity(activation: Features) -> Float[Tensor, ""]:
    """How unlike one another a batch's pictures are: the negative mean cosine similarity of their Gram
    matrices.

    From -1 (all alike) to 0 or, where responses have both signs, 1; 0 for a single picture. The Gram matrix
    tells which channels respond together, wherever that is (Olah et al., "Feature Visualization", Distill
    2017, "Diversity").

    >>> import torch
    >>> diversity(torch.ones(2, 3, 4, 4))
    tensor(-1.)
    """
    n = activation.shape[0]
    columns = activation.to(accumulator(activation)).flatten(2)
    gram = columns @ columns.transpose(1, 2) / columns.shape[2]
    unit = F.normalize(gram.flatten(1), dim=1)
    similarity = unit @ unit.t()
    pairs = similarity.sum() - similarity.diagonal().sum()
    return -pairs / max(1, n * (n - 1))
