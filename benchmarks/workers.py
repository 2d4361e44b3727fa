"""Two workers of one thread against one, on the tiles of a step of a print; in wall-clock and in processor time.

    .venv/bin/python benchmarks/workers.py [--megapixels 8] [--target mixed4c]

Both ways are timed alternately, on the same canvas, each with its own workers already set up. "tiles" is the parts of a
step that workers do; "strips" is what the asking process does alone. Efficiency is told in processor time, which other
work on the machine disturbs less: the workers' time for the same tiles, alone and together.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import tempfile
import time
from pathlib import Path


def processor_seconds() -> float:
    """The processor time of the workers so far, on Linux."""
    total = 0.0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / 100
    return total


def main() -> None:
    """Print the table."""
    import torch

    from phosphene import nets
    from phosphene.cluster.processes import Processes
    from phosphene.cluster.worker import Setup
    from phosphene.gradients.engine import Engine
    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.loops.on_disk import OnDisk
    from phosphene.loops.prints import reader
    from phosphene.media.planes import Planes
    from phosphene.objectives.base import resolve
    from phosphene.objectives.expr import parse
    from phosphene.recipe import DreamSettings

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=8)
    parser.add_argument("--target", default="mixed4c")
    parser.add_argument("--steps", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    net = nets.load("pocket")
    engine = Engine(net, resolve(parse(asked.target), net.card), tile=512)
    side = round(math.sqrt(asked.megapixels * 1e6))
    photo = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    rows = []
    for count in (1, 2):
        workers = Processes(Setup.of([engine.net], engine.dtype, 1), count)
        try:
            with tempfile.TemporaryDirectory() as folder:
                store = Planes(Path(folder) / "canvas")
                surface = OnDisk(
                    engine,
                    reader(photo),
                    (512, 512),
                    None,
                    [(side, side)],
                    0,
                    DreamSettings(octaves=1),
                    Arithmetic(0),
                    store,
                    crew=workers,
                )
                surface.begin(torch.zeros(1, 3, 1, 1))
                for _ in surface.enter(0, None):
                    pass
                for step in range(asked.steps):
                    wall, own, theirs = time.perf_counter(), time.process_time(), processor_seconds()
                    for _ in surface.step(0, step):
                        pass
                    wall, own = time.perf_counter() - wall, time.process_time() - own
                    rows.append((count, step, wall, own, processor_seconds() - theirs))
        finally:
            workers.close()
    print(f"{'workers':>7} {'step':>4} {'wall s':>8} {'asking process s':>17} {'workers s':>10} {'busy at a time':>15}")
    for count, step, wall, own, theirs in rows:
        print(f"{count:7} {step:4} {wall:8.1f} {own:17.1f} {theirs:10.1f} {(own + theirs) / wall:15.2f}")


if __name__ == "__main__":
    main()
