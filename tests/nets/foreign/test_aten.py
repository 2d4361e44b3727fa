"""Operations of exported programs: they compute from their arguments, and read no other memory."""

from __future__ import annotations

import pytest
import torch

from phosphene.nets.foreign.aten import operation
from tests import forked

CALLS = 20
"""Of each overload; most are refused."""


def test_no_operation_crashes_or_reads_memory_outside_its_arguments() -> None:
    result = forked.run(f"from tests.nets.foreign.operator_fuzz import main; main({CALLS})")
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 0, f"ended with {result.returncode} at {last}"
    lines = result.stdout.decode().splitlines()
    assert len(lines) > 3000
    assert [line for line in lines if not line.endswith("same")] == []


@pytest.mark.parametrize(
    ("name", "overload"),
    [
        ("empty", "memory_format"),
        ("empty_like", "default"),
        ("new_empty", "default"),
        ("to", "prim_dtype"),
        ("view", "dtype"),
        ("add", "out"),
        ("as_strided", "default"),
    ],
)
def test_operations_that_give_memory_away_are_not_available(name: str, overload: str) -> None:
    assert overload in getattr(torch.ops.aten, name).overloads()
    assert operation(name, overload) is None


def test_checked_operations_agree_with_the_originals() -> None:
    x, one = torch.randn(2, 4, 5, 6), torch.rand(4) + 0.5
    aten = torch.ops.aten
    for name, args in {
        "_native_batch_norm_legit_no_training": (x, one, -one, one, one, 0.1, 1e-5),
        "native_group_norm": (x, one, one, 2, 4, 30, 2, 1e-5),
        "scaled_dot_product_attention": (x, x * 2, x + 1),
        "_scaled_dot_product_flash_attention_for_cpu": (x, x * 2, x + 1),
        "grid_sampler_2d": (x, torch.rand(2, 3, 3, 2) * 2 - 1, 0, 1, True),
        "_softmax": (x, 1, False),
        "upsample_bilinear2d": (x, [10, 9], False, 2.0, 1.5),
    }.items():
        checked = operation(name, "default")
        assert checked is not None
        ours, theirs = checked(*args), getattr(aten, name).default(*args)
        if isinstance(theirs, tuple):
            ours, theirs = ours[0], theirs[0]
        torch.testing.assert_close(ours, theirs)
