"""A sheet: a picture of each of many things, imagined many at a time, side by side.

A network that looks at one small picture leaves most of a processor idle. So pictures of what is looked for in the same
layer are imagined as one batch, each after its own objective; `docs/performance.md` has what that saves.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.loops.imagine import imagine_steps, resize
from phosphene.loops.several import Several
from phosphene.loops.stages import ImagineSettings, check, is_anywhere, is_placed
from phosphene.loops.step import StillStep as Step
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.types import Activations, Image, Scores, Size

BATCH = 16
"""Pictures that are imagined at once: more are hardly faster, and take more memory."""

PAPER = 1.0
"""What shows between the pictures, and where there is none: white."""


@dataclass(frozen=True)
class SheetState:
    """Where a run is: so many batches are done, the next one's own state, and the sheet so far."""

    batch: int
    inner: object
    image: Tensor


def sheet_steps(
    net: Net,
    objectives: Sequence[Objective],
    settings: ImagineSettings | None = None,
    *,
    columns: int | None = None,
    gap: int = 4,
    seed: int = 0,
    size: Size = (128, 128),
    precision: str = "auto",
    state: object = None,
) -> Iterator[Step]:
    """Imagine a picture of each of `objectives` in `net`, step by step, row by row on one sheet.

        channels = [resolve(Channel("mixed4c", i), net.card) for i in range(64)]
        for step in sheet_steps(net, channels):
            show(step.image)    # 1 3 h w: the whole sheet so far

    Args:
        net: any network with a card.
        objectives: resolved expressions, one or more.
        settings: None for the defaults; `diversity` has no part in it, since pictures of different things differ.
        columns: pictures in a row; None for a sheet that is about square.
        gap: white pixels between pictures, from 0.
        seed, precision, state: as of `imagine_steps`.
        size: (height, width) of each picture.

    Raises:
        SettingError: for a number, size or precision out of range.
    """
    check("objectives", list(objectives), len(objectives) >= 1, "one or more")
    check("gap", gap, gap >= 0, "0 or more pixels")
    columns = columns_for(len(objectives), size) if columns is None else columns
    check("columns", columns, columns >= 1, "1 or more")
    settings = replace(settings or ImagineSettings(), diversity=0.0)
    batches = _batches(net, objectives)
    begun = SheetState(0, None, blank(len(objectives), size, columns, gap))
    reached = state if isinstance(state, SheetState) else begun
    for number in range(reached.batch, len(batches)):
        batch = batches[number]
        before = sum(map(len, batches[:number]))
        steps = imagine_steps(
            net,
            Each(tuple(objectives[index] for index in batch)),
            settings,
            count=len(batch),
            seed=_seed(seed, number),
            size=size,
            precision=precision,
            state=reached.inner,
        )
        for step in steps:
            image = reached.image.clone()
            for index, picture in zip(batch, resize(step.image, size), strict=True):
                _place(image, index, picture, columns, gap)
            done = step.progress >= 1
            reached = SheetState(number + done, None if done else step.state, image)
            progress = (before + len(batch) * step.progress) / len(objectives)
            yield replace(step, image=image, progress=progress, state=reached)


class Each(Several):
    """An objective for each of so many equal parts of a batch."""

    def __call__(self, activations: Activations) -> Scores:
        # Taken apart all at once, so that the way back puts them together once.
        parts = {
            name: activations[name].unflatten(0, (len(self.objectives), -1)).unbind() for name in sorted(self.layers())
        }
        own = ({name: parts[name][i] for name in each.layers()} for i, each in enumerate(self.objectives))
        return torch.cat([each(seen) for each, seen in zip(self.objectives, own, strict=True)])


def columns_for(count: int, size: Size) -> int:
    """How many pictures of this size stand in a row of a sheet that is about square, rather wider than higher.

    >>> columns_for(64, (128, 128)), columns_for(6, (100, 100)), columns_for(12, (100, 300))
    (8, 3, 2)
    """
    return min(count, math.ceil(math.sqrt(count * size[0] / size[1])))


def sheet_size(count: int, size: Size, columns: int, gap: int) -> Size:
    """(height, width) of a sheet of so many pictures; a sheet with a row that is not full is as wide as the others.

    >>> sheet_size(5, (10, 20), 3, 1)
    (21, 62)
    """
    rows, columns = math.ceil(count / columns), min(count, columns)
    return rows * (size[0] + gap) - gap, columns * (size[1] + gap) - gap


def blank(count: int, size: Size, columns: int, gap: int) -> Image:
    """A sheet for so many pictures, `1 3 h w`, with none on it yet."""
    return torch.full((1, 3, *sheet_size(count, size, columns, gap)), PAPER)


def _batches(net: Net, objectives: Sequence[Objective]) -> list[list[int]]:
    """The places on the sheet in batches, in each of which pictures are made in the same way and as deep a part of the
    network is needed."""
    names = list(net.card.layers)
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, objective in enumerate(objectives):
        deepest = max(names.index(name) for name in objective.layers())
        alike.setdefault((is_anywhere(objective), is_placed(objective), deepest), []).append(index)
    return [places[first : first + BATCH] for places in alike.values() for first in range(0, len(places), BATCH)]


def _place(sheet: Image, index: int, picture: Tensor, columns: int, gap: int) -> None:
    row, column = divmod(index, columns)
    height, width = picture.shape[-2:]
    top, left = row * (height + gap), column * (width + gap)
    sheet[0, :, top : top + height, left : left + width] = picture


def _seed(seed: int, batch: int) -> int:
    """Each batch begins with noise of its own."""
    return seed if batch == 0 else random.Random(f"{seed}/{batch}").getrandbits(63)
