"""Plans a training for a dataset: sizes, channels, structure and number of steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from phosphene.errors import ImageError, SettingError
from phosphene.media.dataset.collection import Collection
from phosphene.nets.zoo.graph import GraphNet, Structure, Table
from phosphene.nets.zoo.small import inception, residual
from phosphene.recipe.learning import LearnRecipe

SMALLEST, LARGEST = 24, 64
"""Sides in pixels that pictures are scaled to by default."""

SYMBOL, GRID = 32, 3
"""Pictures up to this side are taken to show one thing, whole: it matters where in a grid its parts are."""

LOOKED_AT = 64
"""Pictures that are opened before the training to find out their size and colours."""

FEW, MANY = 3_000, 30_000
"""Numbers of pictures that decide the width of the network, where it is left open."""

SEEN = 18_000
"""The fewest pictures seen in a training by default; a picture counts once for every epoch."""


@dataclass(frozen=True)
class Sizes:
    """The median (height, width) of some pictures of a dataset, and whether all of them are grey."""

    height: int
    width: int
    grey: bool


def look_at(collection: Collection) -> Sizes:
    """Open some pictures of a dataset. Raises `ImageError` if none of them can be read."""
    count = len(collection)
    sizes, grey, problem = [], True, None
    for number in range(min(count, LOOKED_AT)):
        index = number * count // min(count, LOOKED_AT)
        try:
            sizes.append(collection.size(index))
            pixels, _ = collection.read(index, SMALLEST)
        except ImageError as unreadable:
            problem = unreadable
            continue
        grey = grey and bool((pixels == pixels[..., :1]).all())
    if not sizes:
        raise ImageError(f"none of the pictures of {collection.source} can be read: {problem}", path=collection.source)
    middle = len(sizes) // 2
    return Sizes(sorted(each[0] for each in sizes)[middle], sorted(each[1] for each in sizes)[middle], grey)


def choose_side(sizes: Sizes) -> int:
    """Return the side in pixels that suits pictures of these sizes: a multiple of 4.

    >>> [choose_side(Sizes(side, side, True)) for side in (1, 8, 28, 64, 300)]
    [24, 24, 28, 64, 64]
    """
    return max(SMALLEST, min(LARGEST, min(sizes.height, sizes.width) // 4 * 4))


def choose_width(count: int) -> int:
    """Return the channels of the first layers that suit a number of pictures."""
    return 32 if count < FEW else 48 if count < MANY else 64


def choose_epochs(count: int) -> int:
    """Return how often each of a number of pictures is seen.

    >>> [choose_epochs(count) for count in (20, 1800, 60_000, 1_000_000)]
    [200, 10, 5, 5]
    """
    return max(5, min(200, math.ceil(SEEN / max(count, 1))))


def structure_for(recipe: LearnRecipe, classes: int, channels: int, start: GraphNet | None) -> Structure:
    """Return the structure of the network that is to learn; with `start`, that one's with new classes."""
    assert not isinstance(recipe.side, str), "the recipe is resolved"
    assert not isinstance(recipe.width, str), "the recipe is resolved"
    if start is not None:
        return _with_classes(start, classes)
    if recipe.model == "inception":
        return inception(classes, channels=channels, size=recipe.side)
    grid = GRID if recipe.side <= SYMBOL else 1
    return residual(classes, channels=channels, size=recipe.side, width=recipe.width, grid=grid)


def _with_classes(net: GraphNet, classes: int) -> Structure:
    """Return the structure of a network whose last step has another number of classes."""
    from phosphene.nets.zoo.table_json import from_json, to_json

    card = net.card
    if card.classes is None:
        raise SettingError(f"{card.name} has no classes, so it cannot be trained further", setting="start")
    table = Table(
        {name: net.operation(name) for name in net.steps},
        {name: net.inputs(name) for name in net.steps},
        {alias: layer.name for alias, layer in card.layers.items() if alias != layer.name},
        card.input.channels,
    )
    plain = to_json(table)
    for step in plain["steps"]:
        if step["name"] == card.classes:
            step["channels"] = classes
    return Structure(from_json(plain), card.classes, card.pooled, card.default_target, card.input.size)
