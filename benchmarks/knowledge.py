"""The parts of what a network knows, beside other ways: icons together and one by one, factors and layouts as by
scikit-learn, and memory for many pictures and few. One core's processor time, ratios within one run.

    .venv/bin/python benchmarks/knowledge.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from parts import setup

ICONS, STEPS = 16, 8
POINTS, DIMENSIONS = 500, 50
ROWS, CHANNELS, FACTORS, UPDATES = 1176, 320, 6, 200
FEW, MANY, SIDE = 100, 1000, 96

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """The processor seconds of a call, and what it returns."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def icons() -> None:
    """Print the seconds for an icon of an atlas of `lite`, one by one and together."""
    import torch
    from parts import ours

    from phosphene.knowledge.atlas import SETTINGS
    from phosphene.knowledge.icons import icon_steps
    from phosphene.loops.arithmetic import Arithmetic
    from phosphene.objectives.functions.direction import Direction
    from phosphene.recipe import AtlasRecipe, default_of

    net, size = ours.network("lite"), default_of(AtlasRecipe, "size")
    settings = SETTINGS.model_copy(update={"steps": STEPS})
    directions = [Direction(f"cell {i}", "block12", vector=torch.randn(192)) for i in range(ICONS)]

    def draw(some: list[Direction]) -> None:
        for _ in icon_steps(net, some, settings, arithmetic=Arithmetic(0), size=size, dtype=torch.float32):
            pass

    draw(directions[:1])
    alone, _ = timed(lambda: [draw([each]) for each in directions])
    together, _ = timed(lambda: draw(directions))
    print(
        f"{ICONS} icons of block12, {STEPS} steps each: {alone / ICONS:.2f} s an icon one by one, "
        f"{together / ICONS:.2f} s together, {alone / together:.1f} times as fast",
        flush=True,
    )


def factors() -> None:
    """Print time and error of non-negative factors, of the same updates from random beginnings."""
    import numpy as np
    import torch
    from sklearn.decomposition import NMF

    from phosphene.knowledge.factors import non_negative_factors

    rng = torch.Generator().manual_seed(0)
    made = torch.rand(ROWS, FACTORS, generator=rng) ** 4 @ torch.rand(FACTORS, CHANNELS, generator=rng) ** 4
    rows = made + 0.1 * torch.rand(ROWS, CHANNELS, generator=rng)
    model = NMF(FACTORS, init="random", solver="mu", max_iter=UPDATES, tol=0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stops before it has converged is what is asked for
        theirs, found = timed(lambda: model.fit_transform(rows.double().numpy()))
    own, (amounts, vectors) = timed(lambda: non_negative_factors(rows, FACTORS, generator=rng, updates=UPDATES))
    left = float((amounts.double() @ vectors.double() - rows).norm())
    their_left = float(np.linalg.norm(found @ model.components_ - rows.double().numpy()))
    print(
        f"{FACTORS} factors of {ROWS} x {CHANNELS}: {own:.2f} s, scikit-learn {theirs:.2f} s "
        f"({theirs / own:.2f} times as long); what is left over {left / their_left:.3f} times as much",
        flush=True,
    )


def layout() -> None:
    """Print time and divergence of t-SNE for as many steps."""
    import torch
    from sklearn.manifold import TSNE

    from phosphene.knowledge import tsne
    from phosphene.knowledge.atlas import STEPS

    rng = torch.Generator().manual_seed(0)
    centres = 6 * torch.randn(20, DIMENSIONS, generator=rng)
    points = centres.repeat_interleave(POINTS // 20, dim=0) + 2 * torch.randn(POINTS, DIMENSIONS, generator=rng)

    def ours() -> float:
        joint = tsne.joint_probabilities(points, 30.0)
        made = tsne.TsneState.of(tsne.principal_components(points, 2))
        for _ in range(STEPS):
            made.step(joint)
        return tsne.divergence(joint, made.places)

    model = TSNE(perplexity=30, method="exact", init="pca", random_state=0, max_iter=STEPS)
    own, divergence = timed(ours)
    theirs, _ = timed(lambda: model.fit_transform(points.numpy()))
    print(
        f"{POINTS} points laid out, {STEPS} steps: {own:.1f} s, scikit-learn's exact t-SNE {theirs:.1f} s "
        f"({theirs / own:.1f} times as long); divergence {divergence / model.kl_divergence_:.3f} times as large",
        flush=True,
    )


def read(folder: Path, count: int) -> None:
    """Print the peak memory of this process after it took activations of the first pictures of a folder."""
    import torch
    from parts import ours

    from phosphene.knowledge.sampling import Sample, Sampler, read_batches
    from phosphene.media.dataset.folder import open_dataset

    net = ours.network("pocket")
    collection = open_dataset(folder)
    sampler, sample = Sampler(net, "mixed4c", 0, torch.float32), Sample.empty(512)
    for indices, image, _, seen in read_batches(collection, net.card.input.size, 0):
        sample = sampler.add(sample, indices, image)
        if seen >= count:
            break
    print(ours.peak_mib())


def memory() -> None:
    """Print the peak memory of a process that reads few pictures, and of one that reads many."""
    import torch

    from phosphene.media.image import write_image

    with tempfile.TemporaryDirectory() as folder:
        for index in range(MANY):
            write_image(Path(folder, f"{index:04}.jpg"), torch.rand(1, 3, SIDE, SIDE))
        command = [sys.executable, __file__, "--read", folder, "--count"]
        few, many = (
            float(subprocess.run([*command, str(count)], check=True, capture_output=True, text=True).stdout)
            for count in (FEW, MANY)
        )
    print(
        f"activations of {FEW} pictures: a peak of {few:.0f} MiB; of {MANY}: {many:.0f} MiB, {many / few:.3f} times",
        flush=True,
    )


def main() -> None:
    """Print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=FEW, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    setup.as_the_command_line()
    import torch

    torch.set_num_threads(1)
    if asked.read is not None:
        read(asked.read, asked.count)
        return
    icons()
    factors()
    layout()
    memory()


if __name__ == "__main__":
    main()
