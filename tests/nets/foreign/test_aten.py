"""Operations of exported programs: they compute from their arguments, and read no other memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from phosphene.nets.foreign.aten import operation

CALLS = 20
"""Of each overload; most are refused."""


def fuzzed(fill: int) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "tests.nets.foreign.operator_fuzz", str(CALLS)],
        capture_output=True,
        text=True,
        env={**os.environ, "MALLOC_PERTURB_": str(fill)},
    )
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 0, f"ended with {result.returncode} at {last}"
    return result.stdout


def test_no_operation_crashes_or_reads_memory_outside_its_arguments() -> None:
    plain = fuzzed(0)
    assert plain.count("\n") > 3000
    assert fuzzed(90) == plain


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
