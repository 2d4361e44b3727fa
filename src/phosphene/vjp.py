"""Vector-Jacobian products: a direction of what was computed, taken back to what it was computed from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def vjp(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    directions: Sequence[Tensor],
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> tuple[Tensor, ...]:
    """Return the derivative by each input of the sum of the outputs' products with `directions`, of the same shapes.

    `torch.autograd.grad(outputs, inputs, directions)` gives the same values, but its first call imports SymPy, which
    takes more than a second.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> vjp([x**2], [x], [torch.tensor([1.0, 10.0])])
    (tensor([ 2., 40.]),)
    """
    products = [(output * direction).sum() for output, direction in zip(outputs, directions, strict=True)]
    return torch.autograd.grad(products, inputs, retain_graph=retain_graph or create_graph, create_graph=create_graph)
