"""Pictures of formulas, row by row; films that move into them; and pictures of orbits, which are sampled.

    for each band of rows: iterate its points, colour them, average those of each pixel in linear light

Bands are independent of one another, so they are done in threads, and a picture continues at any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch

from phosphene.fractals import colouring, escape
from phosphene.fractals.colouring import Colours
from phosphene.fractals.escape import BLOCK, NEVER
from phosphene.fractals.palette import encode, ramp
from phosphene.fractals.program import Array, Interpreter, columns_of
from phosphene.fractals.view import Scene
from phosphene.loops.step import Frame, State, Step, number
from phosphene.recipe.iterate import IterateSettings
from phosphene.rng import fold_in
from phosphene.types import Image, Size

BAND = 2 * BLOCK
"""Points of a band of rows, about."""

STARTS = BLOCK
"""Orbits that are sampled at a time."""

TRANSIENT = 24
"""Places at the beginning of an orbit that are not shown: it has not come to its attractor yet."""

MOST_STARTS = 20_000
"""Batches of orbits after which a picture is finished, however few of them were seen."""

_SILENT = torch.empty(0)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A scene, its colours, and how many points each pixel has along its side."""

    scene: Scene
    colours: Colours = field(repr=False)
    per_pixel: int

    def rows(self, size: Size, rows: slice) -> Array:
        """Return rows of the picture as sRGB, float32, rows width 3."""
        scene, per_pixel = self.scene, self.per_pixel
        da, db = scene.view.differences(size, rows, per_pixel)
        outcome = scene.look(da, db, size[1])
        power = colouring.degree(scene.formula)
        spacing = scene.view.spacing(size[1])
        light = colouring.colour(outcome, scene.rules, self.colours, power, spacing)
        points = light.reshape(rows.stop - rows.start, per_pixel, size[1], per_pixel, 3)
        return np.clip(encode(points.mean(axis=(1, 3))), 0, 1).astype(np.float32)


def still_steps(drawing: Drawing, size: Size, *, threads: int, state: State | None = None) -> Iterator[Step]:
    """Draw a picture, yielding a step for every few bands of rows; `state` is one's, to continue after it."""
    image = torch.zeros(1, 3, *size) if state is None else state["image"].clone()
    bands = _bands(size, drawing.per_pixel)
    first = 0 if state is None else int(state["band"])
    with ThreadPoolExecutor(threads) as pool:
        for at in range(first, len(bands), threads):
            several = bands[at : at + threads]
            for rows, pixels in zip(several, pool.map(lambda rows: drawing.rows(size, rows), several), strict=True):
                image[0, :, rows] = torch.from_numpy(pixels).permute(2, 0, 1)
            done = at + len(several)
            now = image.clone()
            yield Step(
                stage="rows",
                step=several[-1].stop,
                steps=size[0],
                progress=done / len(bands),
                image=now,
                scores=_SILENT,
                state={"band": number(done), "image": now},
            )


def _bands(size: Size, per_pixel: int) -> list[slice]:
    height = max(1, round(BAND / (size[1] * per_pixel**2)))
    return [slice(top, min(top + height, size[0])) for top in range(0, size[0], height)]


def frame_count(settings: IterateSettings) -> int:
    """Return how many frames the film has."""
    return max(1, round(settings.seconds * Fraction(settings.fps)))


def film_steps(
    drawing: Drawing, settings: IterateSettings, size: Size, *, threads: int, state: State | None = None
) -> Iterator[Step]:
    """Move from the width of the drawing's view to the `zoom` of the settings, yielding a step for each frame."""
    assert settings.zoom is not None, "a film has an end"
    frames, fps = frame_count(settings), Fraction(settings.fps)
    view = drawing.scene.view
    for index in range(0 if state is None else int(state["index"]), frames):
        share = index / max(1, frames - 1)
        width = view.width * (settings.zoom / view.width) ** share
        scene = replace(drawing.scene, view=replace(view, width=width))
        image = _whole(replace(drawing, scene=scene), size, threads)
        yield Step(
            stage="frame",
            step=index + 1,
            steps=frames,
            progress=(index + 1) / frames,
            image=image,
            scores=_SILENT,
            state={"index": number(index + 1)},
            frame=Frame(index, float(index / fps)),
        )


def _whole(drawing: Drawing, size: Size, threads: int) -> Image:
    for step in still_steps(drawing, size, threads=threads):
        image = step.image
    return image


@dataclass(frozen=True, eq=False)
class Orbits:
    """The places that orbits pass, counted in the pixels of a picture.

    Where the plane's points are parameters, they are sampled in `around` (left, bottom, width, height) and the orbits
    of those that escape are counted (Melinda Green's Buddhabrot, 1993); else the orbits that stay, of points in there.
    """

    scene: Scene
    around: tuple[float, float, float, float]
    size: Size
    seed: int

    def counted(self, index: int) -> Array:
        """Return how often the orbits of batch `index` pass each pixel, flat."""
        generator = np.random.default_rng(fold_in(self.seed, "orbits", index))
        left, bottom, width, height = self.around
        a = left + width * generator.random(STARTS)
        b = bottom + height * generator.random(STARTS)
        scene = self.scene
        ready = escape.prepare(scene.formula, scene.rules)
        count = escape.iterate(ready, a, b).count
        escaping = scene.formula.parameter
        chosen = np.flatnonzero(count != NEVER if escaping else count == NEVER)
        lasting = np.where(count == NEVER, scene.rules.iterations, count)[chosen]
        return self._passed(ready, a[chosen], b[chosen], lasting, 0 if escaping else TRANSIENT)

    def _passed(self, ready: escape.Iteration, a: Array, b: Array, lasting: Array, skipped: int) -> Array:
        program = ready.program
        total = np.zeros(self.size[0] * self.size[1], np.int64)
        for at in range(0, len(a), BLOCK):
            points = {"a": a[at : at + BLOCK], "b": b[at : at + BLOCK]}
            order = np.argsort(-lasting[at : at + BLOCK], kind="stable")
            points = {name: column[order] for name, column in points.items()}
            lasts = lasting[at : at + BLOCK][order]
            start = {name: columns_of(program.graph, [node], points)[node] for name, node in ready.start.items()}
            machine = Interpreter(program, len(lasts))
            machine.load(start, columns_of(program.graph, program.fixed, points))
            with np.errstate(all="ignore"):
                for step in range(int(lasts[0])):
                    machine.set_input("n", float(step))
                    machine.apply()
                    alive = int(np.searchsorted(-lasts, -step - 1, side="left"))
                    if step >= skipped:
                        total += self._pixels(machine.state["x"][:alive], machine.state["y"][:alive])
                    if alive < machine.count // 2:
                        machine.keep(np.arange(alive))
        return total

    def _pixels(self, x: Array, y: Array) -> Array:
        height, width = self.size
        across, down = self.scene.view.pixels_of(self.size, x, y)
        inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
        places = down[inside].astype(np.int64) * width + across[inside].astype(np.int64)
        return np.bincount(places, minlength=height * width)


def orbit_steps(
    orbits: Orbits, colours: Colours, samples: float, *, threads: int, state: State | None = None
) -> Iterator[Step]:
    """Sample orbits until each pixel has been passed `samples` times on average; yield a step for every few batches."""
    height, width = orbits.size
    wanted = samples * height * width
    total = torch.zeros(height * width, dtype=torch.int64) if state is None else state["total"].clone()
    done = 0 if state is None else int(state["batch"])
    with ThreadPoolExecutor(threads) as pool:
        while int(total.sum()) < wanted and done < MOST_STARTS:
            for passed in pool.map(orbits.counted, range(done, done + threads)):
                total += torch.from_numpy(passed)
            done += threads
            progress = max(int(total.sum()) / wanted, done / MOST_STARTS)
            yield Step(
                stage="orbits",
                step=done * STARTS,
                steps=None,
                progress=min(1.0, progress),
                image=density(total.numpy().reshape(height, width), colours),
                scores=_SILENT,
                state={"batch": number(done), "total": total.clone()},
            )


def density(total: Array, colours: Colours) -> Image:
    """Return counts as a picture, 1 3 h w: dark where few orbits pass, by the logarithm of how many."""
    mean = max(1e-9, float(total.mean()))
    most = max(float(np.quantile(total, 0.9995)), mean)
    light = np.log1p(total / mean) / np.log1p(most / mean)
    dark_to_light = ramp(colours.palette)
    shades = dark_to_light[(np.clip(light, 0, 1) * (len(dark_to_light) - 1)).astype(np.int64)]
    pixels = np.clip(encode(shades), 0, 1).astype(np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()
