"""One activation of each of many pictures, at a random position, and the labels that it argues for.

Pictures are read as they are looked at, so that a hundred thousand need no more memory than one, beside the vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.loops.step import State, number
from phosphene.media.dataset.collection import Collection, Skipped
from phosphene.nets.base import Net
from phosphene.nets.intervention import can_intervene, logits_with
from phosphene.rng import fold_in
from phosphene.types import Features, Image

BATCH = 16
"""Pictures that go through the network at once."""

ARGUED = 12
"""Labels that are kept for each activation: those that it argues for most."""

INNER = 5
"""Rows and columns from which on positions at the border, which see padding, are left out."""


@dataclass
class Sample:
    """Activations of the pictures that were read so far.

    Attributes:
        vectors: `n c` in float16, the layer's activation at one position of each picture.
        pictures: `n`, each one's index in the collection.
        labels: `n ARGUED`, the labels that each argues for most, -1 where that is not known.
        effects: `n ARGUED`, by how much: the change of the label's logit, beside that of the mean label, when this
            position's activation is set to 0.
        seen: pictures of the collection that were looked at.
        unreadable: those that could not be read, and why.
    """

    vectors: Tensor
    pictures: Tensor
    labels: Tensor
    effects: Tensor
    seen: int
    unreadable: tuple[Skipped, ...] = ()

    def state(self) -> State:
        """Return what `from_state` gives back."""
        return {
            "vectors": self.vectors,
            "pictures": self.pictures,
            "labels": self.labels,
            "effects": self.effects,
            "seen": number(self.seen),
            "unreadable": pack_skipped(self.unreadable),
        }

    @classmethod
    def from_state(cls, state: State) -> Sample:
        """Return the sample that `state` kept."""
        skipped = unpack_skipped(state["unreadable"])
        return cls(state["vectors"], state["pictures"], state["labels"], state["effects"], int(state["seen"]), skipped)

    @classmethod
    def empty(cls, channels: int) -> Sample:
        """Return the sample before the first picture."""
        whole = torch.zeros(0, dtype=torch.int32)
        return cls(
            torch.zeros(0, channels, dtype=torch.float16),
            whole,
            whole.view(0, 1).expand(0, ARGUED).contiguous(),
            torch.zeros(0, ARGUED, dtype=torch.float16),
            0,
        )


NAMED = 3
"""Files that are named of those that are left out."""


def pack_skipped(skipped: Sequence[Skipped]) -> Tensor:
    """Return files that could not be read as bytes for a state."""
    text = json.dumps([[each.name, each.reason] for each in skipped]).encode("utf-8")
    return torch.from_numpy(np.frombuffer(text, np.uint8).copy())


def unpack_skipped(packed: Tensor | None) -> tuple[Skipped, ...]:
    """Return what `pack_skipped` was given; nothing for None."""
    return () if packed is None else tuple(Skipped(*each) for each in json.loads(packed.numpy().tobytes()))


def complaint(unreadable: Sequence[Skipped], collection: Collection) -> str | None:
    """Return a sentence that counts and names what was left out of a collection, if there is anything."""
    bad = (*unreadable, *collection.skipped)
    if not bad:
        return None
    named = "; ".join(f"{each.name} ({each.reason})" for each in bad[:NAMED])
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return f"{len(bad)} of {len(collection) + len(collection.skipped)} files are left out: {named}{more}"


def read_batches(
    collection: Collection, side: int, start: int, *, size: int = BATCH, workers: int = 2
) -> Iterator[tuple[list[int], Image, list[Skipped], int]]:
    """Yield batches of pictures from number `start` on: the indices read, `n 3 side side`, those unread, and the next.

    The next batch is decoded while the caller works on one.
    """

    def read(index: int) -> np.ndarray | Skipped:
        try:
            return collection.read(index, side)[0]
        except ImageError as problem:
            return Skipped(collection.name(index), str(problem).replace(f"{problem.path} ", "", 1))

    with ThreadPoolExecutor(workers) as pool:
        starts = range(start, len(collection), size)
        coming = [pool.submit(read, index) for index in range(start, min(start + size, len(collection)))]
        for first in starts:
            some = range(first, min(first + size, len(collection)))
            found = [each.result() for each in coming]
            coming = [pool.submit(read, i) for i in range(some.stop, min(some.stop + size, len(collection)))]
            good = [(i, each) for i, each in zip(some, found, strict=True) if not isinstance(each, Skipped)]
            bad = [each for each in found if isinstance(each, Skipped)]
            pixels = np.stack([each for _, each in good]) if good else np.zeros((0, side, side, 3), np.uint8)
            image = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
            yield [i for i, _ in good], image, bad, some.stop


class Sampler:
    """Takes one activation of `layer` from each picture of a collection, and measures what it argues for."""

    def __init__(self, net: Net, layer: str, seed: int, dtype: torch.dtype) -> None:
        self._card, self._seed = net.card, seed
        self.layer = net.card.layer(layer).name
        self._net = net if next(net.parameters()).dtype == dtype else net.converted(dtype)
        self._device = next(self._net.parameters()).device
        self._argues = can_intervene(self._net, self.layer)

    @torch.no_grad()
    def add(self, sample: Sample, indices: list[int], image: Image) -> Sample:
        """Return the sample with those of these pictures, `n 3 h w`, added."""
        if not indices:
            return sample
        image = image.to(self._device)
        names = [self.layer, *([self._card.classes] if self._argues and self._card.classes else [])]
        found = self._net(image, names)
        features = found[self.layer]
        rows, columns = self._positions(indices, features)
        here = torch.arange(len(indices))
        vectors = features[here, :, rows, columns].half().cpu()
        labels = torch.full((len(indices), ARGUED), -1, dtype=torch.int32)
        effects = torch.zeros(len(indices), ARGUED, dtype=torch.float16)
        if self._argues:
            assert self._card.classes is not None
            without = logits_with(self._net, image, self.layer, _silenced(rows, columns))
            effect = self._centred(found[self._card.classes]) - self._centred(without)
            best = effect.topk(min(ARGUED, effect.shape[1]), dim=1)
            labels[:, : best.indices.shape[1]] = best.indices.int().cpu()
            effects[:, : best.values.shape[1]] = best.values.half().cpu()
        return Sample(
            torch.cat((sample.vectors, vectors)),
            torch.cat((sample.pictures, torch.tensor(indices, dtype=torch.int32))),
            torch.cat((sample.labels, labels)),
            torch.cat((sample.effects, effects)),
            sample.seen,
            sample.unreadable,
        )

    def _centred(self, logits: Tensor) -> Float[Tensor, "n k"]:
        logits = logits.float()[:, : len(self._card.labels)]
        return logits - logits.mean(dim=1, keepdim=True)

    def _positions(self, indices: list[int], features: Features) -> tuple[Tensor, Tensor]:
        """Return the row and column of each picture's activation, drawn by the picture's place in the collection."""
        found = []
        for index in indices:
            generator = torch.Generator().manual_seed(fold_in(self._seed, "position", index))
            place = []
            for length in features.shape[-2:]:
                border = 1 if length >= INNER else 0
                place.append(border + int(torch.randint(length - 2 * border, (), generator=generator)))
            found.append(place)
        rows, columns = torch.tensor(found).T
        return rows, columns


def _silenced(rows: Tensor, columns: Tensor) -> Callable[[Features], Features]:
    def change(activation: Features) -> Features:
        changed = activation.clone()
        changed[torch.arange(len(rows)), :, rows, columns] = 0
        return changed

    return change
