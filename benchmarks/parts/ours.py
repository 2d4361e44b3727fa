"""Phosphene's engine for a network and a target, and what is measured of a process."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch

from phosphene import nets
from phosphene.gradients.allocator import keep_memory
from phosphene.gradients.engine import Engine
from phosphene.nets.base import Net
from phosphene.nets.zoo import googlenet
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse

TARGETS = {"pocket": "mixed4c", "googlenet": "inception_4c/output", "lite": "block15"}


def network(name: str) -> Net:
    """A bundled network, or GoogLeNet with random weights, which cost the same as learnt ones."""
    if name != "googlenet":
        return nets.load(name)
    structure = googlenet.structure(1000)
    weights = {
        f"{step}.{kind}": torch.randn(weight.shape) * (2 / max(1, weight[0].numel())) ** 0.5
        for step, operation in structure.table.steps.items()
        for kind, weight in operation.named_parameters()
    }
    card = structure.card(name, mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
    return structure.net(card, weights)


def engine(name: str, precision: str = "auto", target: str | None = None, *, device: str = "cpu") -> Engine:
    """Return the engine for the network's benchmark target, or another, with memory kept as the command line does."""
    keep_memory()
    net = network(name).to(device)
    return Engine(net, resolve(parse(quoted(target or TARGETS[name])), net.card), precision=precision)


def quoted(name: str) -> str:
    """A layer's name as the objective language has it."""
    return f'"{name}"' if "/" in name else name


def peak_mib() -> float:
    """Peak resident memory of this process so far; Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def seconds(step: Callable[[], object], repeat: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """The median time of a call, two first ones left out, in which libraries and memory settle."""
    taken = []
    for _ in range(repeat + 2):
        began = clock()
        step()
        taken.append(clock() - began)
    return statistics.median(taken[2:])
