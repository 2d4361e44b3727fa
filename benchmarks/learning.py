"""How fast a network learns, beside a plain loop: float32, no channels-last, each picture decoded when it is needed.

    .venv/bin/python benchmarks/learning.py
    .venv/bin/python benchmarks/learning.py --threads 1 --width 48

Both train the same network on the same photographs (480 x 360 pixels, JPEG, about as large as ImageNet's) with the same
looks at each batch. Each has a process of its own, as it would have, and they take turns, batch by batch, so that other
work slows both. The plain loop reads files with Pillow, turns and resizes them one by one, as most training scripts do.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.gradients import allocator
from phosphene.gradients.precision import choose_dtype
from phosphene.media.dataset.folder import open_dataset
from phosphene.media.dataset.store import fill
from phosphene.nets.zoo.small import residual
from phosphene.recipe import Dataset, LearnRecipe
from phosphene.training import pictures
from phosphene.training.attack import moved
from phosphene.training.classifier import Classifier

BATCH, SIDE, LOOKS, LENGTH = 64, 64, 3, 1.0


def written(folder: Path) -> Path:
    """Write 512 parts of scikit-learn's two photographs as JPEG files, a class for each photograph."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    for name, photograph in zip(("flower", "temple"), load_sample_images().images, strict=True):
        (folder / name).mkdir()
        for index in range(256):
            top, left = rng.integers(0, [photograph.shape[0] - 360, photograph.shape[1] - 480])
            part = photograph[top : top + 360, left : left + 480]
            PIL.Image.fromarray(part).save(folder / name / f"{index}.jpg", quality=90)
    return folder


class Plain:
    """A training loop as most scripts have it."""

    def __init__(self, folder: Path, width: int) -> None:
        self.files = sorted(folder.rglob("*.jpg"))
        self.classes = sorted({each.parent.name for each in self.files})
        structure = residual(len(self.classes), channels=3, size=SIDE, width=width)
        self.net = structure.untrained(structure.card("plain", mean=(0.5,) * 3, std=(0.25,) * 3), with_batch_norm=True)
        self.net.train()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-3)
        self.rng = np.random.default_rng(0)

    def batch(self) -> tuple[Tensor, Tensor]:
        images, labels = [], []
        for index in self.rng.choice(len(self.files), BATCH, replace=False):
            picture = PIL.Image.open(self.files[index]).convert("RGB").rotate(self.rng.uniform(-8, 8))
            picture = picture.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC)
            images.append(torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255)
            labels.append(self.classes.index(self.files[index].parent.name))
        return torch.stack(images), torch.tensor(labels)

    def step(self) -> None:
        images, labels = self.batch()
        change = torch.zeros_like(images)
        for _ in range(LOOKS):
            seen = (images + change).clamp(0, 1).requires_grad_()
            x = ((seen - 0.5) / 0.25).contiguous()
            loss = F.cross_entropy(self._scores(x), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            assert seen.grad is not None
            change = moved(change, seen.grad, LENGTH)

    def _scores(self, x: Tensor) -> Tensor:
        values = {"image": x}
        for name in self.net.steps:
            values[name] = self.net.operation(name)([values[each] for each in self.net.inputs(name)], False)
        return values["logits"]


def ours(folder: Path, width: int) -> Classifier:
    """Return the training as `phosphene learn` does it."""
    collection = open_dataset(folder)
    for store, _ in fill(collection, SIDE):  # noqa: B007
        pass
    seen = pictures.TrainingPictures(store, collection, 3, 0.1, 0)
    recipe = LearnRecipe(
        source=Dataset(), side=SIDE, width=width, epochs=1000, rate=1e-3, attack=LENGTH, attack_from=0.0
    )
    structure = residual(len(collection.classes), channels=3, size=SIDE, width=width)
    labels = tuple((each,) for each in collection.classes)
    card = structure.card("ours", mean=(0.5,) * 3, std=(0.25,) * 3, labels=labels)
    net = structure.untrained(card, with_batch_norm=True)
    dtype = choose_dtype("auto", torch.device("cpu"))
    return Classifier(net, seen, recipe, pictures.Views((0.85, 1.0), 8.0, 0.1, True), dtype)


def child(pipe: Connection, name: str, folder: Path, width: int, threads: int) -> None:
    """Take a step whenever the pipe says so, and answer how long it took: seconds, and seconds of processor."""
    torch.set_num_threads(threads)
    step: Callable[[], object]
    if name == "plain":
        step = Plain(folder, width).step
    else:
        allocator.keep_memory()
        memory, trained = allocator.Keeper(), ours(folder, width)

        def step() -> None:
            with memory.step(torch.Size([BATCH])):
                trained.learn()

    while pipe.recv():
        began = time.perf_counter(), time.process_time()
        step()
        pipe.send((time.perf_counter() - began[0], time.process_time() - began[1]))


def main() -> None:
    """Print the seconds for a batch in both ways, and their ratio."""
    parser = argparse.ArgumentParser(description="Compare the time of training steps with those of a plain loop.")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    spent: dict[str, list[tuple[float, float]]] = {"plain": [], "phosphene": []}
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder))
        pipes, processes = {}, []
        for name in spent:
            pipes[name], other = spawn.Pipe()
            processes.append(
                spawn.Process(target=child, args=(other, name, Path(folder), given.width, given.threads), daemon=True)
            )
            processes[-1].start()
        for number in range(given.batches + 2):
            for name, pipe in pipes.items():
                pipe.send(True)
                if number > 1:  # the first two warm up
                    spent[name].append(pipe.recv())
                else:
                    pipe.recv()
        for process in processes:
            process.terminate()
    print(f"{BATCH} pictures of {SIDE} x {SIDE}, {LOOKS} looks, width {given.width}, {given.threads} threads")
    for what, index in (("seconds", 0), ("seconds of processor", 1)):
        before, after = (statistics.median(each[index] for each in spent[name]) for name in ("plain", "phosphene"))
        print(f"{what}: plain {before:.2f}, phosphene {after:.2f}: {before / after:.1f} times as fast")


if __name__ == "__main__":
    main()
