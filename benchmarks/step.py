"""Seconds per step and peak memory of phosphene's engine and of the plain way, side by side.

    .venv/bin/python benchmarks/step.py [--target mixed4c] [--sizes 256 512 1024] [--repeat 7]

The plain way is what the known tools do: float32, the whole network to its logits, gradients for the weights too.
Each way runs in a process of its own, in turn, so that a noisy machine disturbs all alike; seconds are medians.
Memory is the peak of resident memory above that of the process with the network loaded.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

WAYS = ("plain", "float32", "auto")


def measure(way: str, target: str, size: int, repeat: int) -> dict[str, float]:
    """Run one way at one size, in this process."""
    import torch

    from phosphene.gradients.engine import Engine
    from phosphene.nets import pocket
    from phosphene.objectives.base import resolve
    from phosphene.objectives.expr import parse

    net = pocket.load()
    objective = resolve(parse(target), net.card)
    if way == "plain":
        net.requires_grad_(True)

        def step(image: torch.Tensor) -> None:
            leaf = image.clone().requires_grad_()
            activations = net(leaf, list(net.card.layers))
            objective(activations).sum().backward()
            net.zero_grad()
    else:
        engine = Engine(net, objective, precision=way, tile=0)

        def step(image: torch.Tensor) -> None:
            engine(image)

    step(torch.rand(1, 3, 64, 64))
    image = torch.rand(1, 3, size, size)
    resting = peak_mib()
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        step(image)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": statistics.median(seconds), "mib": peak_mib() - resting}


def peak_mib() -> float:
    """Peak resident memory of this process so far; Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="mixed4c")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, size = options.one
        print(json.dumps(measure(way, options.target, int(size), options.repeat)))
        return
    print(f"{'pixels':>10} {'way':>8} {'s/step':>8} {'times as fast':>14} {'peak MiB':>9} {'share':>6}")
    for size in options.sizes:
        plain: dict[str, float] = {}
        for way in WAYS:
            command = [sys.executable, __file__, "--one", way, str(size)]
            command += ["--target", options.target, "--repeat", str(options.repeat)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            result = json.loads(answer)
            plain = plain or result
            print(
                f"{size:>5}x{size:<4} {way:>8} {result['seconds']:8.3f} {plain['seconds'] / result['seconds']:13.1f}x "
                f"{result['mib']:9.0f} {result['mib'] / plain['mib']:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
