"""Seconds and memory of a step of a dream's canvas on the disk, beside one in memory.

    .venv/bin/python benchmarks/prints.py [--megapixels 4 24] [--target mixed4c] [--disk-only] [--folder FOLDER]

Both are a step of the last octave of a dream, in the number format that this machine chooses, with the same network and
target; each in a process of its own. The first step of each is left out. Processor time (user and system) is told too,
which other work on the machine disturbs less. Memory is the peak of anonymous memory: mapped files do not count. With
one `--megapixels` of 1000 and `--disk-only`, the step takes some 35 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def anonymous() -> int:
    """The bytes of anonymous memory of this process, on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


class Peak(threading.Thread):
    """The most anonymous memory while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = anonymous()
        self.start()

    def run(self) -> None:
        while True:
            self.most = max(self.most, anonymous())
            time.sleep(0.05)


def measure(way: str, megapixels: float, target: str, steps: int, folder: str) -> dict[str, float]:
    """Take steps one way, in this process."""
    import torch

    from phosphene import nets
    from phosphene.gradients.allocator import keep_memory
    from phosphene.gradients.engine import Engine
    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.loops.dream import canvas_for, jitter_of
    from phosphene.loops.octaves import Bases, InMemory, Surface
    from phosphene.loops.on_disk import OnDisk
    from phosphene.loops.prints import reader
    from phosphene.media.planes import Planes
    from phosphene.objectives.base import resolve
    from phosphene.objectives.expr import parse
    from phosphene.recipe import DreamSettings

    keep_memory()
    net = nets.load("pocket")
    engine = Engine(net, resolve(parse(target), net.card))
    settings = DreamSettings(octaves=1)
    side = round(math.sqrt(megapixels * 1e6))
    photo = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    peak = Peak()
    if way == "disk":
        store = Planes(Path(folder) / "canvas")
        disk = OnDisk(engine, reader(photo), (512, 512), None, [(side, side)], 0, settings, Arithmetic(0), store)
        disk.begin(torch.zeros(1, 3, 1, 1))
        surface: Surface = disk
    else:

        class Random(Bases):
            sizes = ((side, side),)

            def __getitem__(self, octave: int) -> torch.Tensor:
                return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))

        def make(image: torch.Tensor):
            return canvas_for(settings, image)

        surface = InMemory(engine, Random(), settings, Arithmetic(0), make, jitter_of(settings))
    began = time.perf_counter()
    for _ in surface.enter(0, None):
        pass
    entered = time.perf_counter() - began
    taken, processor = [], []
    for step in range(steps):
        began, spent = time.perf_counter(), time.process_time()
        for share, _ in surface.step(0, step):
            if way == "disk" and sys.stderr.isatty():
                print(f"\r{share:.1%}", end="", file=sys.stderr)
        taken.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    seconds, spent = min(taken[1:] or taken), min(processor[1:] or processor)
    return {"enter": entered, "seconds": seconds, "processor": spent, "mib": peak.most / 2**20}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[4, 24])
    parser.add_argument("--target", default="mixed4c")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--disk-only", action="store_true")
    parser.add_argument("--folder", default=None, help="where the canvas is; by default a temporary folder")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "MEGAPIXELS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one[0], float(asked.one[1]), asked.target, asked.steps, asked.folder)))
        return
    columns = ("megapixels", "way", "begin s", "s/step", "cpu s/step", "cpu s/megapixel", "peak MiB")
    print(" ".join(f"{name:>{max(8, len(name))}}" for name in columns))
    for megapixels in asked.megapixels:
        for way in ("disk",) if asked.disk_only else ("memory", "disk"):
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                command = [sys.executable, __file__, "--one", way, str(megapixels)]
                command += ["--target", asked.target, "--steps", str(asked.steps), "--folder", folder]
                answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(answer.stdout)
            print(
                f"{megapixels:10.0f} {way:>8} {found['enter']:8.1f} {found['seconds']:8.1f} {found['processor']:10.1f} "
                f"{found['processor'] / megapixels:15.2f} {found['mib']:8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
