"""Seconds per step and peak memory of phosphene's engine and of the plain way, side by side.

    .venv/bin/python benchmarks/step.py [--nets pocket googlenet lite] [--sizes 256 512 1024] [--repeat 5] [--cpu]

The plain way is `parts/plain.py`. Each way runs in a process of its own, in turn, so that a noisy machine disturbs all
alike, and phosphene's is set up as the command line does it; seconds are medians. Memory is the peak of resident memory
above that of the process with the network loaded, a small picture done and the large one at hand. With `--cpu`, seconds
are of one core's time, not of the clock's: for a machine that is shared with others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from phosphene.cli.root import LIBRARIES

WAYS = ("plain", "float32", "auto")
NETS = ("pocket", "googlenet", "lite")


def measure(net: str, way: str, size: int, repeat: int, cpu: bool) -> dict[str, float]:
    """Run one way at one size, in this process."""
    import torch
    from parts import ours, plain

    if cpu:
        torch.set_num_threads(1)
    run = plain.plain_step(net, ours.TARGETS[net]) if way == "plain" else ours.engine(net, way)
    run(torch.rand(1, 3, 64, 64))
    image = torch.rand(1, 3, size, size)
    resting = ours.peak_mib()
    taken = ours.seconds(lambda: run(image), repeat, time.process_time if cpu else time.perf_counter)
    return {"seconds": taken, "mib": ours.peak_mib() - resting}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", default=NETS, choices=NETS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="one thread, and its time on the processor")
    parser.add_argument("--one", nargs=3, metavar=("NET", "WAY", "SIZE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        net, way, size = asked.one
        print(json.dumps(measure(net, way, int(size), asked.repeat, asked.cpu)))
        return
    print(f"{'net':10} {'pixels':>10} {'way':>8} {'s/step':>8} {'times as fast':>14} {'peak MiB':>9} {'share':>6}")
    for net in asked.nets:
        for size in asked.sizes:
            plain: dict[str, float] = {}
            for way in WAYS:
                command = [sys.executable, __file__, "--one", net, way, str(size), "--repeat", str(asked.repeat)]
                command += ["--cpu"] if asked.cpu else []
                settings = {**os.environ} if way == "plain" else {**LIBRARIES, **os.environ}
                answer = subprocess.run(command, check=True, capture_output=True, text=True, env=settings)
                found = json.loads(answer.stdout)
                plain = plain or found
                print(
                    f"{net:10} {size:>5}x{size:<4} {way:>8} {found['seconds']:8.3f} "
                    f"{plain['seconds'] / found['seconds']:13.1f}x {found['mib']:9.0f} "
                    f"{found['mib'] / plain['mib']:6.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
