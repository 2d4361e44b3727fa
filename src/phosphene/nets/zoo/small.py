"""Structures for networks that are trained here: small residual ones, and those in the manner of `pocket`.

Averages take the place of max pools and strides, since they give smoother gradients, and so smoother pictures.
"""

from __future__ import annotations

import torch

from phosphene.nets.ops.modules import AddReLU, Convolution, Dense, Join, MeanPool, ReLU
from phosphene.nets.zoo.graph import INPUT, Structure, Table
from phosphene.nets.zoo.pocket import MIXED, POOLED_BEFORE

DEEPEST = 4
"""Positions on a side of the deepest layer, at least: a picture's parts should still be told apart."""

LOGITS = "logits"


def residual(classes: int, *, channels: int, size: int, width: int, blocks: int = 1, grid: int = 1) -> Structure:
    """Return a residual network (He et al., "Deep Residual Learning", CVPR 2016).

    >>> list(residual(10, channels=1, size=32, width=32).table.layer_cards())[:4]
    ['conv1', 'block2a/conv1', 'block2a/relu', 'block2a/conv2']

    `conv1` (6x6, stride 2) is followed by stages of blocks, each with twice the channels of the one before at half the
    size, until 4 positions a side are left. The layers to dream of are the blocks, `block2a` and so on.

    Args:
        classes: number of classes.
        channels: those of the input.
        size: side of the pictures in pixels.
        width: channels of the first stage.
        blocks: blocks in each stage.
        grid: rows and columns of means that the classes are computed from: with 1 a thing may be anywhere and of any
            number; with more, as digits want it, it matters where its parts are.
    """
    table = Table(given=channels)
    with torch.device("meta"):
        table.add("conv1", Convolution(channels, width, 6, 2, 2, relu=True))
        name, side, stage = "conv1", size // 2, 2
        while True:
            for index in range(blocks):
                name = _block(table, f"block{stage}{'abcdefgh'[index]}", name, width)
            if side // 2 < DEEPEST or stage == 5:
                break
            name = table.add(f"pool{stage}", MeanPool(width, 2, 2), name)
            side, stage, width = side // 2, stage + 1, width * 2
        table.add(LOGITS, Dense(width, classes, grid=grid))
    names = [each for each in table.steps if each.startswith("block") and "/" not in each]
    return Structure(table, LOGITS, name if grid == 1 else None, names[len(names) // 2], input_size=size)


def _block(table: Table, block: str, source: str, width: int) -> str:
    given = table.channels(source)
    table.add(f"{block}/conv1", Convolution(given, width, 3, 1, 1), source)
    table.add(f"{block}/relu", ReLU(width))
    deep = table.add(f"{block}/conv2", Convolution(width, width, 3, 1, 1))
    if given != width:
        source = table.add(f"{block}/shortcut", Convolution(given, width, 1), source)
    return table.add(block, AddReLU(width), deep, source)


def inception(classes: int, *, channels: int = 3, size: int = 64) -> Structure:
    """Return the structure of `pocket` (`docs/pocket.md`) as a table, for any number of classes and channels."""
    table = Table(given=channels)
    with torch.device("meta"):
        table.add("conv1", Convolution(channels, 64, 6, 2, 2, relu=True))
        name = table.add("conv2", Convolution(64, 128, 3, 1, 1, relu=True))
        for mixed, (one, (reduce, three), (double, double_1, double_2), pool) in MIXED.items():
            if mixed in POOLED_BEFORE:
                name = table.add(f"{mixed}/pool", MeanPool(table.channels(name), 2, 2), name)
            given = table.channels(name)
            parts = [table.add(f"{mixed}/1x1", Convolution(given, one, 1, relu=True), name)]
            table.add(f"{mixed}/3x3_reduce", Convolution(given, reduce, 1, relu=True), name)
            parts.append(table.add(f"{mixed}/3x3", Convolution(reduce, three, 3, 1, 1, relu=True)))
            table.add(f"{mixed}/double_reduce", Convolution(given, double, 1, relu=True), name)
            table.add(f"{mixed}/double_1", Convolution(double, double_1, 3, 1, 1, relu=True))
            parts.append(table.add(f"{mixed}/double_2", Convolution(double_1, double_2, 3, 1, 1, relu=True)))
            table.add(f"{mixed}/mean", MeanPool(given, 3), name)
            parts.append(table.add(f"{mixed}/pool_proj", Convolution(given, pool, 1, relu=True)))
            name = table.add(mixed, Join(*map(table.channels, parts)), *parts)
        table.add(LOGITS, Dense(table.channels(name), classes))
    assert INPUT not in table.steps
    return Structure(table, LOGITS, name, "mixed4d", input_size=size)


def pocket_name(step: str) -> str:
    """Return the name that a step of `inception` has in `pocket`'s own weights: `mixed3a/1x1` is `mixed3a.1x1`."""
    return step.replace("/", ".")
