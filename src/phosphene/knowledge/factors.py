"""The parts that activations are made of: non-negative factors.

Source: Lee and Seung, "Algorithms for Non-negative Matrix Factorization" (NIPS 2000), the multiplicative updates for
squared error; Olah et al., "The Building Blocks of Interpretability" (Distill 2018), for a layer's activations.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

UPDATES = 200


def non_negative_factors(
    rows: Float[Tensor, "n c"], count: int, *, generator: torch.Generator, updates: int = UPDATES
) -> tuple[Float[Tensor, "n count"], Float[Tensor, "count c"]]:
    """Return amounts and parts, neither negative, whose product is nearly `rows`; parts have length 1.

    Negative numbers in `rows` count as 0. Parts are in the order of their share in the rows, the largest first.
    """
    wanted = rows.double().clamp(min=0)
    tiny = torch.finfo(torch.float64).tiny
    scale = (wanted.mean() / count).sqrt().clamp(min=tiny)
    amounts = scale * torch.rand(len(wanted), count, generator=generator, dtype=torch.float64)
    parts = scale * torch.rand(count, wanted.shape[1], generator=generator, dtype=torch.float64)
    for _ in range(updates):
        parts *= (amounts.T @ wanted) / (amounts.T @ amounts @ parts).clamp(min=tiny)
        amounts *= (wanted @ parts.T) / (amounts @ (parts @ parts.T)).clamp(min=tiny)
    length = parts.norm(dim=1).clamp(min=tiny)
    parts, amounts = parts / length[:, None], amounts * length
    order = (amounts.sum(dim=0)).argsort(descending=True)
    return amounts[:, order].float(), parts[order].float()
