"""Two workers of one thread against one: tiles of a print, batches of a sheet, photos, and scenes of a clip.

    .venv/bin/python benchmarks/workers.py [tiles|sheet|photos|film ...] [--megapixels 4] [--target mixed4c]

Each kind is timed with one worker and with two, in wall-clock and in processor time; workers are already set up.
"asking" is what the asking process does alone. On a machine that does other work, look at the workers' processor time,
alone and together, and at what the asking process adds: on free cores, two workers are 2 x alone / together times as
fast as one, as long as the asking process takes less than they do.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from parts import setup


def processor_seconds() -> float:
    """The processor time of the workers so far, on Linux."""
    total = 0.0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / 100
    return total


def tiles(asked: argparse.Namespace, engine: Any, pool: Any, folder: Path) -> Iterator[object]:
    """A step of a print, after the canvas has been prepared."""
    import torch

    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.loops.on_disk import OnDisk
    from phosphene.loops.prints import reader
    from phosphene.media.planes import Planes
    from phosphene.recipe import DreamSettings

    side = round(math.sqrt(asked.megapixels * 1e6))
    photo = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    store, settings, size = Planes(folder / "canvas"), DreamSettings(octaves=1), (512, 512)
    surface = OnDisk(engine, reader(photo), size, None, [(side, side)], 0, settings, Arithmetic(0), store, crew=pool)
    surface.begin(torch.zeros(1, 3, 1, 1))
    for _ in surface.enter(0, None):
        pass
    yield None
    yield from surface.step(0, 0)


def sheet(asked: argparse.Namespace, engine: Any, pool: Any, folder: Path) -> Iterator[object]:
    """Four batches of four channels."""
    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.loops.parts import finished
    from phosphene.loops.sheet import Batch
    from phosphene.objectives.base import resolve
    from phosphene.objectives.features import Channel
    from phosphene.recipe import SheetRecipe, default_of
    from phosphene.recipe.stills import ImagineSettings

    few = {name: default_of(SheetRecipe, name) for name in ("sketches", "views")}
    settings = ImagineSettings(**few, steps=16)
    channels = [resolve(Channel("mixed4c", i), engine.net.card) for i in range(16)]
    batches = [
        Batch(tuple(channels[i : i + 4]), settings, Arithmetic(i), (96, 96), "auto", None, tuple(range(i, i + 4)), ())
        for i in range(0, 16, 4)
    ]
    yield None
    yield from finished(batches, pool)


def photos(asked: argparse.Namespace, engine: Any, pool: Any, folder: Path) -> Iterator[object]:
    """Eight photos of 256 pixels, each a dream of five steps in two octaves."""
    import torch

    from phosphene.loops.parts import finished
    from phosphene.media.image import write_image
    from phosphene.render.format import Format
    from phosphene.render.several import JobTask

    settings = {"target": asked.target, "octaves": 2, "steps": 5}
    tasks = []
    for i in range(8):
        write_image(folder / f"{i}.png", torch.rand(1, 3, 192, 256, generator=torch.Generator().manual_seed(i)))
        place = folder / f"{i}-dream.png"
        tasks.append(JobTask(folder, "dream", folder / f"{i}.png", settings, place, Format(), fresh=True))
    yield None
    yield from finished(tasks, pool)


def film(asked: argparse.Namespace, engine: Any, pool: Any, folder: Path) -> Iterator[object]:
    """Four scenes of four frames of 256 x 144, panned."""
    import torch
    from torch.nn import functional as F

    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.loops.scenes import video_in_scenes
    from phosphene.loops.target_schedule import TargetSchedule
    from phosphene.recipe.films import VideoSettings
    from phosphene.recipe.keyframes import Keys

    clip = []
    for which in range(4):
        coarse = torch.rand(1, 3, 18, 32, generator=torch.Generator().manual_seed(which))
        wide = F.interpolate(coarse, (160, 272), mode="bicubic").clamp(0, 1)
        for t in range(4):
            index, image = 4 * which + t, wide[:, :, t : t + 144, t : t + 256]
            clip.append(SimpleNamespace(index=index, pts=index, duration=1, time=Fraction(index, 25), image=image))
    schedule = TargetSchedule(engine, Keys((0.0,), (engine.objective,)))
    yield None
    settings = VideoSettings(octaves=2)
    yield from video_in_scenes(
        schedule, clip, settings, size=(144, 256), arithmetic=Arithmetic(0), crew=pool, precision="auto", tile="auto"
    )


KINDS: dict[str, Callable[..., Iterator[object]]] = {"tiles": tiles, "sheet": sheet, "photos": photos, "film": film}


def main() -> None:
    """Print the table."""
    import torch

    from phosphene import nets
    from phosphene.cluster.processes import Processes
    from phosphene.cluster.worker import Setup
    from phosphene.gradients.engine import Engine
    from phosphene.objectives.base import resolve
    from phosphene.objectives.expr import parse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="; ".join(KINDS))
    parser.add_argument("--megapixels", type=float, default=4)
    parser.add_argument("--target", default="mixed4c")
    asked = parser.parse_args()
    setup.as_the_command_line()
    torch.set_num_threads(1)
    net = nets.load("pocket")
    engine = Engine(net, resolve(parse(asked.target), net.card), tile=512)
    print(
        f"{'kind':>7} {'workers':>7} {'wall s':>8} {'asking s':>9} {'workers s':>10} {'busy at a time':>15}", flush=True
    )
    for kind in asked.kinds or KINDS:
        for count in (1, 2):
            shared = kind in ("tiles", "film")
            used, dtype = (engine.net, engine.dtype) if shared else (net, None)
            pool = Processes(Setup.of([used], dtype, 1), count)
            try:
                with tempfile.TemporaryDirectory() as folder:
                    work = KINDS[kind](asked, engine, pool, Path(folder))
                    next(work)
                    wall, own, theirs = time.perf_counter(), time.process_time(), processor_seconds()
                    for _ in work:
                        pass
                    wall, own = time.perf_counter() - wall, time.process_time() - own
                    theirs = processor_seconds() - theirs
            finally:
                pool.close()
            busy = (own + theirs) / wall
            print(f"{kind:>7} {count:7} {wall:8.1f} {own:9.1f} {theirs:10.1f} {busy:15.2f}", flush=True)


if __name__ == "__main__":
    main()
