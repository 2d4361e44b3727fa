"""A dream's canvas on a disk: octaves of any size, in tiles and strips that come and go.

Every part of the work reads what it needs, computes, and commits what it writes, together with the place in the work
that it brings it to. The commit is one file that appears whole; what it says is written again after a crash. So at
any moment at most one part is lost, and work that goes on ends with the same bytes.

    of an octave:   enlarge      the detail so far on the photograph, in strips
    of each step:   clear        the gradient, in strips
                    ...          what the network does, in tiles (`phosphene.loops.disk_tiles`)
                    level 1 ..   of the gradient's pyramid, in strips ("laplacian" only)
                    measure      the std of each band, in strips ("laplacian" only)
                    magnitude    of the shaped gradient, in strips
                    move         the canvas, in strips
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import TINY
from phosphene.gradients.strips import strip_shapings
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.disk_tiles import LIGHT, STRIP, StepPart, strips, tiles_for
from phosphene.loops.dream import canvas_for, margin_of
from phosphene.loops.octaves import Surface
from phosphene.loops.parts import Crew
from phosphene.loops.planes import Look, Shifted, Store, WithMargin, Write
from phosphene.loops.step import State, number
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import Interval, Read, Span, resize_part
from phosphene.transforms import Draw
from phosphene.types import Image, Scores, Size

LOOK = 1024
"""Longest side of the picture that shows how the work stands."""

BEGIN = -1
"""The step of the part of an octave that precedes its first step."""


class OnDisk(Surface):
    """A canvas on a disk.

    Args:
        engine: the network and the objective.
        photo: reads the photograph; `photo_size` is its size, and `box` the part of it that the canvas shows.
        sizes: those of all octaves; those before `first` are done elsewhere.
        settings: those of the dream.
        arithmetic: the RNGs.
        store: the planes.
        crew: workers that compute tiles; None for this process.
        strip: pixels of a strip.

    Raises:
        SettingError: for what needs the whole canvas at once: a symmetry, or a layer without receptive field.
    """

    def __init__(
        self,
        engine: Engine,
        photo: Read,
        photo_size: Size,
        box: tuple[Interval, Interval] | None,
        sizes: Sequence[Size],
        first: int,
        settings: DreamSettings,
        arithmetic: Arithmetic,
        store: Store,
        *,
        crew: Crew | None = None,
        strip: int = STRIP,
    ) -> None:
        if settings.symmetry is not None:
            raise SettingError(
                "a canvas on the disk cannot be symmetric: choose a smaller size, or no symmetry",
                setting="symmetry",
                value=settings.symmetry,
            )
        self.sizes = sizes
        self._engine, self._settings, self._arithmetic, self._store = engine, settings, arithmetic, store
        self._photo, self._photo_size, self._box, self._first, self._strip = photo, photo_size, box, first, strip
        self._crew = crew
        self._place: State = {}
        self._octave = first
        self._seen = torch.full((1, 3, 1, 1), 0.5)

    def begin(self, detail: Image) -> None:
        """Take what has been dreamt before the first octave on the disk, `1 3 h w` of any size."""
        size = (detail.shape[-2], detail.shape[-1])
        self._store.create("detail", size)
        place = {"done": torch.tensor([self._first, BEGIN, 0, 0]), "detail": torch.tensor(size)}
        self._store.commit(place, [Write("detail", 0, 0, detail.cpu())], again=False)

    def place(self) -> State | None:
        """Return the octave and the step that the canvas is in; None before `begin`."""
        last = self._store.last()
        if last is None:
            return None
        octave, step, *_ = last["done"].tolist()
        return {"octave": number(octave), "step": number(max(0, step)), **self.state()}

    def enter(self, octave: int, state: State | None) -> Iterator[float]:
        self._octave = octave
        self._place = self._store.last() or {}
        size = self.sizes[octave]
        if self._done[:2] <= (octave, BEGIN):
            first = octave == self._first
            before = _size(self._place["detail"]) if first else self.sizes[octave - 1]
            self._store.create("detail" if first else _canvas(octave - 1), before)
        self._store.create(_canvas(octave), size)
        self._seen = self._look()
        enlarge = StepPart(LIGHT, len(self._strips(size)), self._enlarge)
        yield from (share for share, _ in self._work(octave, BEGIN, {"enlarge": enlarge}))
        self._store.remove(_canvas(octave - 1))
        self._store.remove("detail")
        seen = self._look_through(lambda low, high: 0).seen
        self._tiles = tiles_for(self._engine, seen, self._store, self._settings, self._crew, self._strip)
        self._tiles.make_room()
        shaping = strip_shapings[self._settings.shaping]
        self._shaping = shaping(size, lambda level, rows, columns: self._store.read(_level(level), rows, columns))
        for level, each in enumerate(self._shaping.sizes):
            self._store.create(_level(level), each)

    def step(self, octave: int, step: int) -> Iterator[tuple[float, Scores]]:
        for share, found in self._work(octave, step, self._parts(octave, step)):
            known = "score" in found
            yield share, found["score"] if known else torch.full((1,), math.nan)

    @property
    def image(self) -> Image:
        """The canvas so far, made small by leaving pixels out."""
        return self._seen

    def _look(self) -> Image:
        """Return a look at the canvas; grey where nothing has been begun."""
        size = self.sizes[self._octave]
        if self._done <= (self._octave, BEGIN, 0, 0):
            return torch.full((1, 3, *(len(range(0, side, self._every)) for side in size)), 0.5)
        rows = [
            self._store.read(_canvas(self._octave), (y, y + 1), (0, size[1])) for y in range(0, size[0], self._every)
        ]
        return torch.cat([row[..., :: self._every] for row in rows], dim=2)

    def _shown(self, rows: Span, pixels: Image) -> None:
        """Keep a look at rows that have changed."""
        first = -(-rows[0] // self._every)
        fresh = pixels[:, :, first * self._every - rows[0] :: self._every, :: self._every]
        self._seen = self._seen.clone()
        self._seen[:, :, first : first + fresh.shape[2]] = fresh

    @property
    def _every(self) -> int:
        return max(1, math.ceil(max(self.sizes[self._octave]) / LOOK))

    def state(self) -> State:
        """Return that the canvas is on the disk; its store knows the place."""
        return {"disk": number(1)}

    def _work(self, octave: int, step: int, parts: Mapping[str, StepPart]) -> Iterator[tuple[float, State]]:
        """Do the pieces that are not done yet, in order; commit each, and yield the share that is done."""
        costs = [part.cost * max(1, part.pieces) for part in parts.values()]
        for index, part in enumerate(parts.values()):
            for piece in range(part.pieces):
                here = (octave, step, index, piece)
                if here < self._done:
                    continue
                same = self._done[:2] == (octave, step)
                found = {name: each for name, each in self._place.items() if name != "done"} if same else {}
                writes, new = part.work(piece, found)
                self._place = {**found, **new, "done": torch.tensor([octave, step, index, piece + 1])}
                self._store.commit(self._place, writes, again=part.again)
                share = (sum(costs[:index]) + part.cost * (piece + 1)) / sum(costs)
                last = index == len(parts) - 1 and piece == part.pieces - 1
                yield (1 if last else share), self._place

    @property
    def _done(self) -> tuple[int, ...]:
        """Octave, step and part, and the pieces of that part that are done."""
        done = self._place.get("done")
        return (-1, 0, 0, 0) if done is None else tuple(done.tolist())

    def _parts(self, octave: int, step: int) -> dict[str, StepPart]:
        size = self.sizes[octave]
        look = self._look_through(self._arithmetic.draws("jitter", octave, step))
        count = len(self._strips(size))
        light = LIGHT * math.prod(size) / count
        parts = {
            "clear": StepPart(light, count, self._clear),
            **self._tiles.parts(look, _canvas(octave), _level(0)),
        }
        for level, below in list(enumerate(self._shaping.sizes))[1:]:
            parts[f"level {level}"] = StepPart(light, len(self._strips(below)), self._leveller(level))
        if self._shaping.measured:
            parts["measure"] = StepPart(light, count, self._measure)
        parts["magnitude"] = StepPart(light, count, self._magnitude)
        parts["move"] = StepPart(light, count, self._move, again=True)
        return parts

    def _look_through(self, draw: Draw) -> Look:
        """Return how the network sees the canvas in a step."""
        size, jitter, margin = self.sizes[self._octave], self._settings.jitter, margin_of(self._settings)
        down, across = draw(-jitter, jitter), draw(-jitter, jitter)
        return WithMargin(size, margin, down, across) if margin else Shifted(size, down, across)

    def _strips(self, size: Size) -> list[Span]:
        return strips(size, self._strip)

    def _rows(self, piece: int) -> Span:
        return self._strips(self.sizes[self._octave])[piece]

    def _base(self, size: Size, rows: Span, columns: Span) -> Image:
        return resize_part(self._photo, self._photo_size, size, rows, columns, self._settings.resampling, self._box)

    def _enlarge(self, piece: int, found: State) -> tuple[list[Write], State]:
        octave, rows = self._octave, self._rows(piece)
        size, columns = self.sizes[octave], (0, self.sizes[octave][1])
        first = octave == self._first
        before = _size(found["detail"]) if first else self.sizes[octave - 1]

        def detail(rows: Span, columns: Span) -> Image:
            if first:
                return self._store.read("detail", rows, columns)
            return self._store.read(_canvas(octave - 1), rows, columns).sub_(self._base(before, rows, columns))

        image = resize_part(detail, before, size, rows, columns, self._settings.resampling)
        image.add_(self._base(size, rows, columns))
        image = image.clamp_(0, 1) if self._settings.headroom else image
        self._shown(rows, image)
        return [Write(_canvas(octave), rows[0], 0, image)], {}

    def _clear(self, piece: int, _: State) -> tuple[list[Write], State]:
        rows = self._rows(piece)
        zeros = torch.zeros(1, 3, rows[1] - rows[0], self.sizes[self._octave][1])
        return [Write(_level(0), rows[0], 0, zeros)], {}

    def _leveller(self, level: int) -> Callable[[int, State], tuple[list[Write], State]]:
        def work(piece: int, _: State) -> tuple[list[Write], State]:
            rows = self._strips(self._shaping.sizes[level])[piece]
            return [Write(_level(level), rows[0], 0, self._shaping.level(level, rows))], {}

        return work

    def _measure(self, piece: int, found: State) -> tuple[list[Write], State]:
        sums = self._shaping.measure(self._rows(piece))
        return [], {"bands": sums + found.get("bands", torch.zeros_like(sums))}

    def _magnitude(self, piece: int, found: State) -> tuple[list[Write], State]:
        own = self._shaping.direction(self._rows(piece), found.get("bands")).abs().sum(dtype=torch.float64)
        return [], {"magnitude": own + found.get("magnitude", torch.zeros_like(own))}

    def _move(self, piece: int, found: State) -> tuple[list[Write], State]:
        rows, size = self._rows(piece), self.sizes[self._octave]
        mean = float(found["magnitude"]) / (3 * math.prod(size))
        direction = self._shaping.direction(rows, found.get("bands")).div_(max(mean, TINY))
        image = self._store.read(_canvas(self._octave), rows, (0, size[1]))
        moved = canvas_for(self._settings, image).moved(direction, self._settings.step_size)().detach()
        self._shown(rows, moved)
        return [Write(_canvas(self._octave), rows[0], 0, moved)], {}


def _size(pair: Tensor) -> Size:
    height, width = pair.tolist()
    return height, width


def _canvas(octave: int) -> str:
    return f"canvas-{octave}"


def _level(level: int) -> str:
    return "gradient" if level == 0 else f"gradient-{level}"
