"""How near a step comes to what the processor can do at all, and where the rest of it goes.

    .venv/bin/python benchmarks/limit.py [--sizes 512 1024] [--device cuda]

The limit is the rate of a large convolution in the step's own format, measured in the same run; the step's work is
counted from the convolutions that it does, forward and towards the picture, none for what others might waste.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from parts import ours, setup
from torch.nn import functional as F
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from phosphene.gradients.engine import Engine


def waited(work: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """`work`, over only when the device is done with it."""

    def run() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run


def best_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Operations per second of the best of some large convolutions."""
    rates = []
    for channels in (128, 256, 512):
        side = 128 * 128 // channels
        x = torch.randn(1 if device.type == "cpu" else 64, channels, side, side, dtype=dtype, device=device)
        weight = torch.randn(channels, channels, 3, 3, dtype=dtype, device=device)
        x, weight = (each.contiguous(memory_format=torch.channels_last) for each in (x, weight))
        taken = ours.seconds(waited(partial(F.conv2d, x, weight, padding=1), device), 9)
        rates.append(2 * x.numel() * channels * 9 / taken)
    return max(rates)


def work(engine: Engine, size: int) -> float:
    """Operations of a step's convolutions: those of the way forth, and as many on the way back."""
    image = torch.rand(1, 3, size, size, device=engine.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        engine.net(image, engine.layers)
    return 2.0 * counter.get_total_flops()


def main() -> None:
    """Print the share and the profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    setup.as_the_command_line()
    for net in ours.TARGETS:
        engine = ours.engine(net, device=asked.device)
        limit = best_rate(engine.dtype, engine.device)
        print(f"{net}: {str(engine.dtype).removeprefix('torch.')} convolutions reach {limit / 1e9:.0f} GFLOP/s")
        for size in asked.sizes:
            image = torch.rand(1, 3, size, size, device=engine.device)
            taken = ours.seconds(waited(partial(engine, image), engine.device), 7)
            rate = work(engine, size) / taken
            print(f"  {size:4}: {taken:.3f} s a step, {rate / 1e9:4.0f} GFLOP/s, {rate / limit:.0%} of the limit")
        with profile() as record:
            engine(image)
        averages = sorted(record.key_averages(), key=lambda each: -each.self_cpu_time_total)
        total = sum(each.self_cpu_time_total for each in averages)
        for each in averages[:9]:
            print(f"        {each.self_cpu_time_total / total:6.1%}  {each.key}")


if __name__ == "__main__":
    main()
