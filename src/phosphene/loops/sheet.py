"""A sheet: an image of each of many things, imagined many at a time, side by side.

A network that looks at one small image leaves most of a processor idle. So images for objectives of the same layer are
imagined as one batch, each after its own objective; `docs/performance.md` has what that saves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.errors import check
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.ensemble import Member
from phosphene.loops.imagine import imagine_steps
from phosphene.loops.several import Several
from phosphene.loops.stages import is_anywhere, is_placed
from phosphene.loops.step import State, Step, number
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.recipe.stills import ImagineSettings
from phosphene.resampling import resize
from phosphene.types import Activations, Image, Scores, Size

BATCH = 16
"""Images that are imagined at once: more are hardly faster, and take more memory."""

PAPER = 1.0
"""The colour between images, and where there is none: white."""


def sheet_steps(
    net: Net,
    objectives: Sequence[Objective],
    settings: ImagineSettings,
    *,
    arithmetic: Arithmetic,
    others: Sequence[tuple[Net, Sequence[Objective]]] = (),
    columns: int | None = None,
    gap: int = 4,
    size: Size = (128, 128),
    precision: str = "auto",
    natural: Tensor | None = None,
    variations: Sequence[tuple[ImagineSettings, Arithmetic]] | None = None,
    state: State | None = None,
) -> Iterator[Step]:
    """Imagine an image of each of `objectives` in `net`, step by step, row by row on one sheet.

        channels = [resolve(Channel("mixed4c", i), net.card) for i in range(64)]
        for step in sheet_steps(net, channels, ImagineSettings(), arithmetic=Arithmetic(0)):
            show(step.image)    # 1 3 h w: the whole sheet so far

    Args:
        net: any network with a card.
        objectives: resolved expressions, one or more.
        settings: those of the recipe; `diversity` is not used, since images of different things differ.
        others: further networks that score the images, each with the same objectives as resolved on its card.
        arithmetic, precision, natural, state: see `imagine_steps`; pictures with an opacity are laid on white.
        columns: images in a row; None for a sheet that is about square.
        gap: white pixels between images, from 0.
        size: (height, width) of each image.
        variations: of a contact sheet, the settings to use instead of `settings` and `arithmetic`: each objective is
            imagined with each of them, and those images stand side by side.

    Raises:
        SettingError: for a number, size or precision out of range.
    """
    check("objectives", list(objectives), len(objectives) >= 1, "one or more")
    check("gap", gap, gap >= 0, "0 or more pixels")
    several = [(settings, arithmetic)] if variations is None else list(variations)
    count = len(objectives) * len(several)
    columns = columns_for(count, size) if columns is None else columns
    check("columns", columns, columns >= 1, "1 or more")
    alike = _batches(net, objectives)
    # The nth batch of each variation begins with the same random numbers.
    batches = [(variation, index) for variation in range(len(several)) for index in range(len(alike))]
    grid = Grid(count, size, columns, gap)
    first, sheet, inner, before = 0, grid.blank(), None, 0
    if state is not None:
        first, sheet, inner = int(state["batch"]), state["sheet"], part(state, "inner.") or None
    if first == len(batches):  # so that there is always a last image
        scores = torch.full((1,), math.nan)
        yield Step("sheet", 1, 1, 1.0, sheet, scores, {"batch": number(first), "sheet": sheet})
    for number_of, (variation, index) in enumerate(batches):
        batch, (own, at) = alike[index], several[variation]
        if number_of >= first:
            steps = imagine_steps(
                net,
                Each(tuple(objectives[each] for each in batch)),
                own.model_copy(update={"diversity": 0.0}),
                arithmetic=at.at("batch", index),
                others=[Member(each, Each(tuple(theirs[i] for i in batch))) for each, theirs in others],
                count=len(batch),
                size=size,
                precision=precision,
                natural=natural,
                state=inner,
            )
            inner = None
            places = [each * len(several) + variation for each in batch]
            for step in steps:
                sheet = grid.placed(sheet, places, resize(on_paper(step.image), size, clamp=True))
                yield replace(
                    step,
                    stage=f"batch {number_of + 1} of {len(batches)}, {step.stage}",
                    image=sheet,
                    progress=(before + len(batch) * step.progress) / count,
                    state=_state(number_of, step, sheet),
                )
        before += len(batch)


def _state(batch: int, step: Step, sheet: Image) -> State:
    """Return what the sheet resumes from: after the last step of a batch, the beginning of the next one."""
    if step.progress >= 1:
        return {"batch": number(batch + 1), "sheet": sheet}
    return {
        "batch": number(batch),
        "sheet": sheet,
        **{f"inner.{name}": tensor for name, tensor in step.state.items()},
    }


def on_paper(images: Tensor) -> Tensor:
    """Return images whose fourth channel, if they have one, is their opacity, as laid on white, `n 3 h w`."""
    if images.shape[1] != 4:
        return images
    return PAPER + (images[:, :3] - PAPER) * images[:, 3:]


class Each(Several):
    """An objective for each of several equal parts of a batch."""

    def __call__(self, activations: Activations) -> Scores:
        # Split all at once, so that the backward pass joins the parts once.
        parts = {
            name: activations[name].unflatten(0, (len(self.objectives), -1)).unbind() for name in sorted(self.layers())
        }
        own = ({name: parts[name][i] for name in each.layers()} for i, each in enumerate(self.objectives))
        return torch.cat([each(seen) for each, seen in zip(self.objectives, own, strict=True)])


def columns_for(count: int, size: Size) -> int:
    """Return how many images of this size make a row of a sheet that is about square, or rather wider than high.

    >>> columns_for(64, (128, 128)), columns_for(6, (100, 100)), columns_for(12, (100, 300))
    (8, 3, 2)
    """
    return min(count, math.ceil(math.sqrt(count * size[0] / size[1])))


def sheet_size(count: int, size: Size, columns: int, gap: int) -> Size:
    """Return the (height, width) of a sheet of `count` images.

    >>> sheet_size(5, (10, 20), 3, 1)
    (21, 62)
    """
    rows, columns = math.ceil(count / columns), min(count, columns)
    return rows * (size[0] + gap) - gap, columns * (size[1] + gap) - gap


def blank(count: int, size: Size, columns: int, gap: int) -> Image:
    """Return an empty sheet for `count` images, `1 3 h w`."""
    return torch.full((1, 3, *sheet_size(count, size, columns, gap)), PAPER)


def _batches(net: Net, objectives: Sequence[Objective]) -> list[list[int]]:
    """Split the places on the sheet into batches of images that are made alike, by the same part of the network."""
    names = list(net.card.layers)
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, objective in enumerate(objectives):
        deepest = max(names.index(name) for name in objective.layers())
        alike.setdefault((is_anywhere(objective), is_placed(objective), deepest), []).append(index)
    return [places[first : first + BATCH] for places in alike.values() for first in range(0, len(places), BATCH)]


@dataclass(frozen=True)
class Grid:
    """Where the pictures of a sheet are: `count` of `size` (height, width), row by row, with `gap` pixels between."""

    count: int
    size: Size
    columns: int
    gap: int

    @property
    def whole(self) -> Size:
        """The size of the sheet."""
        return sheet_size(self.count, self.size, self.columns, self.gap)

    def blank(self) -> Image:
        """Return the empty sheet, `1 3 h w`."""
        return blank(self.count, self.size, self.columns, self.gap)

    def within(self, room: Size) -> Grid:
        """Return the same grid with pictures as large as there is room for, in the same proportions."""
        columns, rows = min(self.count, self.columns), math.ceil(self.count / self.columns)
        scale = min(room[0] / self.whole[0], room[1] / self.whole[1])
        gap = round(self.gap * scale)
        room = (round(self.whole[0] * scale), round(self.whole[1] * scale))
        size = (max(1, (room[0] - (rows - 1) * gap) // rows), max(1, (room[1] - (columns - 1) * gap) // columns))
        return Grid(self.count, size, self.columns, gap)

    def cells(self, sheet: Tensor) -> Tensor:
        """Cut a sheet into its pictures, `count 3 h w`."""
        height, width = self.size
        found = []
        for index in range(self.count):
            top, left = self._corner(index)
            found.append(sheet[0, :, top : top + height, left : left + width])
        return torch.stack(found)

    def placed(self, sheet: Tensor, places: Sequence[int], pictures: Tensor) -> Tensor:
        """Return a copy of a sheet with these pictures in their places."""
        sheet = sheet.clone()
        height, width = self.size
        for index, picture in zip(places, pictures, strict=True):
            top, left = self._corner(index)
            sheet[0, :, top : top + height, left : left + width] = picture
        return sheet

    def _corner(self, index: int) -> tuple[int, int]:
        row, column = divmod(index, self.columns)
        return row * (self.size[0] + self.gap), column * (self.size[1] + self.gap)
