"""Inception V3 as torchvision has it (Szegedy et al. 2015, figures 5 to 7; Google's weights).

Layers have torchvision's names: `Conv2d_1a_3x3` ... `Mixed_7c`, and inside a block `Mixed_6c.branch7x7_2`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from phosphene.nets.ops.modules import Convolution, Dense, Join, MaxPool, MeanPool, Pair
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo import googlenet_torchvision
from phosphene.nets.zoo.graph import Structure, Table

CLASSES = 1000
TRAINING_ONLY = ("AuxLogits.",)

# One convolution of a branch: its name in the block, channels, kernel, stride, padding.
Piece = tuple[str, int, int | Pair, int, int | Pair]
TALL, WIDE = (7, 1), (1, 7)
TALL_PAD, WIDE_PAD = (3, 0), (0, 3)


def structure() -> Structure:
    """Return the network without its weights."""
    table = Table()
    with torch.device("meta"):
        table.add("Conv2d_1a_3x3", Convolution(3, 32, 3, 2, relu=True))
        table.add("Conv2d_2a_3x3", Convolution(32, 32, 3, relu=True))
        table.add("Conv2d_2b_3x3", Convolution(32, 64, 3, 1, 1, relu=True))
        table.add("maxpool1", MaxPool(64, 3, 2))
        table.add("Conv2d_3b_1x1", Convolution(64, 80, 1, relu=True))
        table.add("Conv2d_4a_3x3", Convolution(80, 192, 3, relu=True))
        name = table.add("maxpool2", MaxPool(192, 3, 2))
        for block, pool in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            name = _block(table, block, name, _of_5x5(), pool)
        name = _halving(table, "Mixed_6a", name, _of_6a())
        for block, inner in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
            name = _block(table, block, name, _of_7x7(inner), 192)
        name = _halving(table, "Mixed_7a", name, _of_7a())
        for block in ("Mixed_7b", "Mixed_7c"):
            name = _wide_block(table, block, name)
        table.add("fc", Dense(table.channels(name), CLASSES))
    return Structure(table, "fc", name, "Mixed_6c", input_size=299, epsilon=googlenet_torchvision.EPSILON)


def _of_5x5() -> list[list[Piece]]:
    return [
        [("branch1x1", 64, 1, 1, 0)],
        [("branch5x5_1", 48, 1, 1, 0), ("branch5x5_2", 64, 5, 1, 2)],
        [
            ("branch3x3dbl_1", 64, 1, 1, 0),
            ("branch3x3dbl_2", 96, 3, 1, 1),
            ("branch3x3dbl_3", 96, 3, 1, 1),
        ],
    ]


def _of_7x7(inner: int) -> list[list[Piece]]:
    return [
        [("branch1x1", 192, 1, 1, 0)],
        [
            ("branch7x7_1", inner, 1, 1, 0),
            ("branch7x7_2", inner, WIDE, 1, WIDE_PAD),
            ("branch7x7_3", 192, TALL, 1, TALL_PAD),
        ],
        [
            ("branch7x7dbl_1", inner, 1, 1, 0),
            ("branch7x7dbl_2", inner, TALL, 1, TALL_PAD),
            ("branch7x7dbl_3", inner, WIDE, 1, WIDE_PAD),
            ("branch7x7dbl_4", inner, TALL, 1, TALL_PAD),
            ("branch7x7dbl_5", 192, WIDE, 1, WIDE_PAD),
        ],
    ]


def _of_6a() -> list[list[Piece]]:
    return [
        [("branch3x3", 384, 3, 2, 0)],
        [
            ("branch3x3dbl_1", 64, 1, 1, 0),
            ("branch3x3dbl_2", 96, 3, 1, 1),
            ("branch3x3dbl_3", 96, 3, 2, 0),
        ],
    ]


def _of_7a() -> list[list[Piece]]:
    return [
        [("branch3x3_1", 192, 1, 1, 0), ("branch3x3_2", 320, 3, 2, 0)],
        [
            ("branch7x7x3_1", 192, 1, 1, 0),
            ("branch7x7x3_2", 192, WIDE, 1, WIDE_PAD),
            ("branch7x7x3_3", 192, TALL, 1, TALL_PAD),
            ("branch7x7x3_4", 192, 3, 2, 0),
        ],
    ]


def _run(table: Table, block: str, source: str, pieces: list[Piece]) -> str:
    """Add the convolutions of one branch, one after the other."""
    for name, channels, kernel, stride, padding in pieces:
        step = Convolution(table.channels(source), channels, kernel, stride, padding, relu=True)
        source = table.add(f"{block}.{name}", step, source)
    return source


def _join(table: Table, block: str, ends: list[str]) -> str:
    return table.add(block, Join(*map(table.channels, ends)), *ends)


def _projection(table: Table, block: str, source: str, channels: int) -> str:
    pool = table.add(f"{block}.pool", MeanPool(table.channels(source), 3), source)
    return _run(table, block, pool, [("branch_pool", channels, 1, 1, 0)])


def _block(table: Table, block: str, source: str, branches: list[list[Piece]], pool: int) -> str:
    ends = [_run(table, block, source, pieces) for pieces in branches]
    return _join(table, block, [*ends, _projection(table, block, source, pool)])


def _halving(table: Table, block: str, source: str, branches: list[list[Piece]]) -> str:
    ends = [_run(table, block, source, pieces) for pieces in branches]
    pool = table.add(f"{block}.pool", MaxPool(table.channels(source), 3, 2), source)
    return _join(table, block, [*ends, pool])


def _wide_block(table: Table, block: str, source: str) -> str:
    """Add one of the last blocks, whose branches end in a 1x3 and a 3x1 convolution side by side."""
    ends = [_run(table, block, source, [("branch1x1", 320, 1, 1, 0)])]
    three = _run(table, block, source, [("branch3x3_1", 384, 1, 1, 0)])
    ends += _side_by_side(table, block, three, "branch3x3_2")
    double: list[Piece] = [("branch3x3dbl_1", 448, 1, 1, 0), ("branch3x3dbl_2", 384, 3, 1, 1)]
    ends += _side_by_side(table, block, _run(table, block, source, double), "branch3x3dbl_3")
    return _join(table, block, [*ends, _projection(table, block, source, 192)])


def _side_by_side(table: Table, block: str, source: str, name: str) -> list[str]:
    return [
        _run(table, block, source, [(f"{name}a", 384, (1, 3), 1, (0, 1))]),
        _run(table, block, source, [(f"{name}b", 384, (3, 1), 1, (1, 0))]),
    ]


def torchvision_weights(structure: Structure, source: TensorSource) -> Mapping[str, Tensor]:
    """Return the weights from torchvision's state dict."""
    return googlenet_torchvision.torchvision_weights(structure, source, TRAINING_ONLY)
