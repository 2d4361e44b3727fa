"""The time saved by doing many small pictures at once, and the cost of running two programs at once.

    .venv/bin/python benchmarks/many.py

First a step of the engine on many pictures, one by one and as a batch. Then channels imagined, one by one and on a
sheet, which by default also looks at half as many views and takes a third fewer steps. Then steps per second of one
program and of two, each with all cores, with the waiting of their threads as phosphene sets it and as it is by default.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from parts import setup

SPIN = "GOMP_SPINCOUNT"


def batch(size: int, count: int) -> None:
    """Print the seconds of a step of this many pictures, one by one and as a batch."""
    import torch
    from parts import ours

    engine = ours.engine("pocket", target="mixed4c:3")
    images = torch.rand(count, 3, size, size)
    alone = ours.seconds(lambda: [engine(image[None]) for image in images], 3)
    together = ours.seconds(lambda: engine(images), 3)
    print(f"{count} pictures of {size} x {size}: {alone:.3f} s one by one, {together:.3f} s at once", flush=True)


def sheet(count: int) -> None:
    """Print the seconds for a picture of a channel, imagined alone and together with others."""
    from parts import ours

    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.loops.imagine import imagine_steps
    from phosphene.loops.sheet import sheet_steps
    from phosphene.objectives.base import resolve
    from phosphene.objectives.features import Channel
    from phosphene.recipe import SheetRecipe, default_of
    from phosphene.recipe.stills import ImagineSettings

    net = ours.network("pocket")
    channels = [resolve(Channel("mixed4c", i), net.card) for i in range(count)]
    default = ImagineSettings()
    few = ImagineSettings(**{name: default_of(SheetRecipe, name) for name in ("steps", "sketches", "views")})
    ways = {
        "alone, as imagine does": [imagine_steps(net, channels[0], default, arithmetic=Arithmetic(0), size=(128, 128))],
        "alone, as a sheet does": [
            imagine_steps(net, each, few, arithmetic=Arithmetic(0), size=(128, 128)) for each in channels[:4]
        ],
        "on a sheet": [sheet_steps(net, channels, few, arithmetic=Arithmetic(0), size=(128, 128))],
    }
    for way, runs in ways.items():
        began = time.perf_counter()
        for run in runs:
            for _ in run:
                pass
        taken = (time.perf_counter() - began) / (count if way == "on a sheet" else len(runs))
        print(f"a channel at 128 x 128, {way}: {taken:.2f} s", flush=True)


def pace() -> None:
    """Print steps per second, in this process."""
    import torch
    from parts import ours

    engine = ours.engine("pocket")
    image = torch.rand(1, 3, 384, 384)
    ours.seconds(lambda: engine(image), 1)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < 5:
        engine(image)
        steps += 1
    print(steps / (time.perf_counter() - began))


def both(count: int, spin: str | None) -> float:
    """Steps per second of `count` programs together."""
    environment = {key: value for key, value in os.environ.items() if key != SPIN}
    environment |= {SPIN: spin} if spin else {}
    command = [sys.executable, __file__, "--pace"]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(float(each.communicate()[0]) for each in running)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pace", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().pace:
        pace()
        return
    setup.as_the_command_line()
    for size in (64, 128, 256):
        batch(size, 64 if size < 256 else 16)
    sheet(64)
    for spin in (None, "1000"):
        alone, two = both(1, spin), both(2, spin)
        print(f"{SPIN}={spin or 'default':8} one program {alone:5.2f} steps/s, two together {two:5.2f}", flush=True)


if __name__ == "__main__":
    main()
