"""Time per megapixel and memory of a step, from small canvases to very large ones.

    .venv/bin/python benchmarks/canvas.py [--net lite] [--cpu] [--sizes 512x512 ... 6000x4000]

Each canvas in a process of its own, set up as the command line does it. Memory is the peak above that of the process
with the canvas at hand.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from parts import setup

SIZES = ("512x512", "1024x1024", "2048x2048", "4096x4096", "6000x4000")


def measure(net: str, text: str, cpu: bool) -> str:
    """One line of the table, measured in this process."""
    import torch
    from parts import ours

    if cpu:
        torch.set_num_threads(1)
    width, height = map(int, text.split("x"))
    engine = ours.engine(net)
    engine(torch.rand(1, 3, 64, 64))
    image = torch.rand(1, 3, height, width)
    resting, megapixels = ours.peak_mib(), height * width / 2**20
    taken = ours.seconds(lambda: engine(image), 1 if cpu else 3, time.process_time if cpu else time.perf_counter)
    way = engine.traversal((height, width))
    how = f"tiles of {way.own}" if way.own else "whole"
    how += f", {way.middle} between halves" if way.middle else ""
    memory = ours.peak_mib() - resting
    return f"{text:>10} {megapixels:6.2f} {taken:8.2f} {taken / megapixels:9.3f} {memory:9.0f}  {how}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--net", default="pocket", choices=["pocket", "lite"])
    parser.add_argument("--cpu", action="store_true", help="one thread, and its time on the processor")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(measure(asked.net, asked.one, asked.cpu))
        return
    setup.as_the_command_line()
    print(f"{'pixels':>10} {'Mpx':>6} {'s/step':>8} {'s/Mpx':>9} {'peak MiB':>9}")
    for size in asked.sizes:
        given = ["--net", asked.net, *(["--cpu"] if asked.cpu else [])]
        subprocess.run([sys.executable, __file__, "--one", size, *given], check=True)


if __name__ == "__main__":
    main()
