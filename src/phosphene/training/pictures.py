"""The pictures of a dataset as training sees them: split in two, in random order, and changed at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene import transforms
from phosphene.media.dataset.collection import Collection
from phosphene.media.dataset.store import PictureStore
from phosphene.nets.card import PictureStatistics
from phosphene.rng import fold_in

SAMPLE = 2048
"""Pictures from which means, distances and the like are measured."""

NEIGHBOUR_SIDE = 12
"""Side in pixels to which pictures are shrunk before their nearest neighbours are looked for."""

PLACES = 32
"""Places on a side at which the mean and the std of pictures are measured."""

LEAST_MIRRORED = 0.85
"""A mirrored picture shows the same if its nearest neighbours name it at least this often, relative to the original."""


@dataclass(frozen=True)
class Views:
    """How pictures are changed at random before a network sees them."""

    zoom: tuple[float, float]
    rotate: float
    tint: float
    mirror: bool


class TrainingPictures:
    """The pictures of a store with their labels, split into those to learn from and those held out.

    Args:
        store: the decoded pictures.
        collection: where their labels are.
        channels: 1 for grey pictures, 3 for colour.
        held_out: share that is held out of each class, unless the dataset itself says which.
        seed: of the split and the order.
    """

    def __init__(self, store: PictureStore, collection: Collection, channels: int, held_out: float, seed: int) -> None:
        self.store, self.channels, self.seed = store, channels, seed
        self.labels = torch.from_numpy(collection.targets[store.indices].astype(np.int64))
        held = None if collection.held is None else collection.held[store.indices]
        if held is None or not held.any() or held.all():
            held = _split(self.labels.numpy(), held_out, seed)
        self.training, self.held = np.flatnonzero(~held), np.flatnonzero(held)

    def take(self, which: Sequence[int] | np.ndarray) -> Tensor:
        """Return these pictures of the store, `n channels side side` in [0, 1]."""
        pixels = torch.from_numpy(self.store.take(which)[..., : self.channels])
        return pixels.permute(0, 3, 1, 2).float().div_(255)

    def order(self, epoch: int) -> np.ndarray:
        """Return the pictures to learn from in the order of one epoch."""
        generator = torch.Generator().manual_seed(fold_in(self.seed, "order", epoch))
        return self.training[torch.randperm(len(self.training), generator=generator).numpy()]

    def sample(self, count: int = SAMPLE) -> np.ndarray:
        """Return some of the pictures to learn from, always the same."""
        return self.order(-1)[:count]


def _split(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return which pictures are held out: of each class this share, and at least one where it has several."""
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        generator = torch.Generator().manual_seed(fold_in(seed, "held out", int(label)))
        mine = mine[torch.randperm(len(mine), generator=generator).numpy()]
        held[mine[: max(round(share * len(mine)), int(len(mine) > 1))]] = True
    return held


class Batches:
    """The batches of training, the next of which is prepared by a thread while the network sees one."""

    def __init__(self, pictures: TrainingPictures, size: int, views: Views, device: torch.device) -> None:
        self.size = min(size, len(pictures.training))
        self.per_epoch = max(1, len(pictures.training) // self.size)
        self._pictures, self._views, self._device = pictures, views, device
        self._order: tuple[int, np.ndarray] = (-2, np.empty(0, np.int64))
        self._pool = ThreadPoolExecutor(1)
        self._next: tuple[tuple[int, int], Future[tuple[Tensor, Tensor]]] | None = None

    def __call__(self, step: int, side: int, following: int | None) -> tuple[Tensor, Tensor]:
        """Return the pictures, `n channels side side` in [0, 1], and labels of a step.

        `following` is the side of the next step's pictures, which are then prepared; None if there is none.
        """
        known, future = self._next or (None, None)
        found = future.result() if future is not None and known == (step, side) else self._make(step, side)
        self._next = None
        if following is not None:
            self._next = (step + 1, following), self._pool.submit(self._make, step + 1, following)
        return found

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _make(self, step: int, side: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, self.per_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, self._pictures.order(epoch))
        which = self._order[1][place * self.size : (place + 1) * self.size]
        generator = torch.Generator().manual_seed(fold_in(self._pictures.seed, "views", step))
        seen = changed(self._pictures.take(which), self._views, side, generator)
        seen = seen.contiguous(memory_format=torch.channels_last)
        return seen.to(self._device), self._pictures.labels[which].to(self._device)


def changed(images: Tensor, views: Views, side: int, generator: torch.Generator) -> Tensor:
    """Return the images, `n c h w`, as seen in random views of `side` pixels, in [0, 1]."""
    look = transforms.views(
        1, (side, side), zoom=views.zoom, rotate=views.rotate, flip=views.mirror, generator=generator
    )
    return transforms.tint(views.tint, generator=generator)(look(images)).clamp_(0, 1)


def mean_and_std(pictures: TrainingPictures) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean of each channel, and the std of all of them, rounded to three digits."""
    sample = pictures.take(pictures.sample())
    means = tuple(round(float(each), 3) for each in sample.mean(dim=(0, 2, 3)))
    std = max(round(float(sample.std(dim=(0, 2, 3)).mean()), 3), 0.01)
    return means, (std,) * len(means)


def statistics(pictures: TrainingPictures) -> PictureStatistics:
    """Return the mean and the std of the pictures at each place, of at most `PLACES` on a side."""
    sample = pictures.take(pictures.sample())
    side = min(sample.shape[-1], PLACES)
    sample = F.interpolate(sample, size=(side, side), mode="area")
    return PictureStatistics(sample.mean(dim=0), sample.std(dim=0, correction=0))


def _features(pictures: TrainingPictures, count: int) -> tuple[Tensor, Tensor]:
    which = pictures.sample(count)
    sample = pictures.take(which)
    side = min(sample.shape[-1], NEIGHBOUR_SIDE)
    return F.interpolate(sample, size=(side, side), mode="area"), pictures.labels[which]


def survives_mirroring(pictures: TrainingPictures) -> bool:
    """Return whether mirrored pictures show the same: their nearest neighbours name them nearly as often."""
    features, labels = _features(pictures, SAMPLE)
    plain = features.flatten(1)
    right = []
    for each in (features, features.flip(-1)):
        distance = torch.cdist(each.flatten(1), plain).fill_diagonal_(math.inf)
        right.append(float((labels[distance.argmin(dim=1)] == labels).double().mean()))
    return right[1] >= LEAST_MIRRORED * right[0]


def nearest_other_class(pictures: TrainingPictures) -> float:
    """Return the median distance (L2, pixels in [0, 1]) of a picture from the nearest one of another class."""
    which = pictures.sample(512)
    plain, labels = pictures.take(which).flatten(1), pictures.labels[which]
    distance = torch.cdist(plain, plain).masked_fill(labels[:, None] == labels[None, :], math.inf)
    nearest = distance.min(dim=1).values
    known = nearest[nearest.isfinite()]
    return float(known.median()) if len(known) else 1.0
