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
from phosphene.loops.parts import Crew, done_in, done_state, finished
from phosphene.loops.several import Several
from phosphene.loops.stages import is_anywhere, is_placed
from phosphene.loops.step import State, Step
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
    crew: Crew | None = None,
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
        crew: workers that do batches, to the same bytes; None for this process.

    Raises:
        SettingError: for a number, size or precision out of range.
        WorkerError: for a batch that fails every time, when the others are done.
    """
    check("objectives", list(objectives), len(objectives) >= 1, "one or more")
    check("gap", gap, gap >= 0, "0 or more pixels")
    several = [(settings, arithmetic)] if variations is None else list(variations)
    count = len(objectives) * len(several)
    columns = columns_for(count, size) if columns is None else columns
    check("columns", columns, columns >= 1, "1 or more")
    grid = Grid(count, size, columns, gap)
    # The nth batch of each variation begins with the same random numbers.
    batches = [
        Batch(
            tuple(objectives[each] for each in batch),
            own.model_copy(update={"diversity": 0.0}),
            at.at("batch", index),
            size,
            precision,
            natural,
            tuple(each * len(several) + variation for each in batch),
            tuple(tuple(theirs[each] for each in batch) for _, theirs in others),
        )
        for variation, (own, at) in enumerate(several)
        for index, batch in enumerate(_batches(net, objectives))
    ]
    place = _Place(grid, batches, state)
    if not place.left:  # so that there is always a last image
        yield Step("sheet", 1, 1, 1.0, place.sheet, torch.full((1,), math.nan), place.state())
    elif crew is not None:
        yield from _with_workers(place, crew)
    else:
        nets = [net, *(other for other, _ in others)]
        yield from _one_by_one(place, nets, {} if state is None else part(state, "inner."))


def _one_by_one(place: _Place, nets: Sequence[Net], inner: State) -> Iterator[Step]:
    for number_of in place.left:
        before, batch = place.done_share, place.batches[number_of]
        for step in batch.steps(*nets, state=inner or None):
            place.put(number_of, resize(on_paper(step.image), batch.size, clamp=True), done=step.progress >= 1)
            yield replace(
                step,
                stage=f"batch {number_of + 1} of {len(place.batches)}, {step.stage}",
                image=place.sheet,
                progress=before + len(batch.places) * step.progress / place.grid.count,
                state=place.state({} if step.progress >= 1 else step.state),
            )
        inner = {}


def _with_workers(place: _Place, crew: Crew) -> Iterator[Step]:
    left = place.left
    for index, (images, scores) in finished([place.batches[each] for each in left], crew):
        place.put(left[index], images, done=True)
        many, done = len(place.batches), len(place.batches) - len(place.left)
        yield Step("batches", done, many, place.done_share, place.sheet, scores, place.state())


@dataclass(frozen=True)
class Batch:
    """Images that are imagined at once, each after its own objective, in their places on the sheet.

    `others` are the same objectives for each further network.
    """

    objectives: tuple[Objective, ...]
    settings: ImagineSettings
    arithmetic: Arithmetic
    size: Size
    precision: str
    natural: Tensor | None
    places: tuple[int, ...]
    others: tuple[tuple[Objective, ...], ...]

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"the batch of picture {self.places[0] + 1}"

    def steps(self, net: Net, *others: Net, state: State | None = None) -> Iterator[Step]:
        """Imagine the images, step by step."""
        return imagine_steps(
            net,
            Each(self.objectives),
            self.settings,
            arithmetic=self.arithmetic,
            others=[Member(other, Each(theirs)) for other, theirs in zip(others, self.others, strict=True)],
            count=len(self.objectives),
            size=self.size,
            precision=self.precision,
            natural=self.natural,
            state=state,
        )

    def run(self, *nets: Net) -> tuple[Image, Scores]:
        """Return the finished images as they are on the sheet, and the last scores."""
        for step in self.steps(*nets):
            last = step
        return resize(on_paper(last.image), self.size, clamp=True), last.scores


class _Place:
    """How far a sheet has come: the sheet, and which batches are on it."""

    def __init__(self, grid: Grid, batches: Sequence[Batch], state: State | None) -> None:
        self.grid, self.batches, self.sheet = grid, batches, grid.blank()
        self._done: set[int] = set()
        if state is not None:
            self.sheet = state["sheet"]
            self._done = set(done_in(state))

    @property
    def left(self) -> list[int]:
        """The batches that are not done, in order."""
        return [number_of for number_of in range(len(self.batches)) if number_of not in self._done]

    @property
    def done_share(self) -> float:
        """The share of the images that is done."""
        return sum(len(self.batches[each].places) for each in self._done) / self.grid.count

    def put(self, number_of: int, images: Image, *, done: bool) -> None:
        """Put the images of a batch on the sheet."""
        self.sheet = self.grid.placed(self.sheet, self.batches[number_of].places, images)
        if done:
            self._done.add(number_of)

    def state(self, inner: State | None = None) -> State:
        """Return what the sheet resumes from, `inner` of the first batch that is not done."""
        return {
            **done_state(self._done),
            "sheet": self.sheet,
            **{f"inner.{name}": tensor for name, tensor in (inner or {}).items()},
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
