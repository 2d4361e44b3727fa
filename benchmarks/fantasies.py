"""What a network imagines for each of its classes, named by the nearest neighbours among the real pictures.

    .venv/bin/phosphene learn --letters -o letters.pt2
    .venv/bin/phosphene sheet --net letters.pt2 all -o letters.png
    .venv/bin/python benchmarks/fantasies.py letters.pt2 letters.png --letters
    .venv/bin/python benchmarks/fantasies.py mine.pt2 mine.png photos/

Each of its pictures and each real one is shrunk to at most 28
pixels, and its mean is removed; the five with the greatest cosine vote. Colours are not compared: a picture in colour
becomes grey along the axis on which its pixels differ most, and is turned over if its border is light. How many real
pictures are named right by the others tells how much such a classifier can be asked.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene import nets
from phosphene.loops.sheet import Grid, columns_for
from phosphene.media.dataset.store import fill
from phosphene.media.image import read_image
from phosphene.recipe import Dataset
from phosphene.training import data

LARGEST, NEAREST, MOST = 28, 5, 20_000


def features(images: Tensor, side: int, *, colour: bool) -> Tensor:
    """Return a unit vector for each of the images, `n c h w` in [0, 1]."""
    small = F.interpolate(images, size=(side, side), mode="area")
    grey = torch.stack([_inked(each) for each in small]) if colour else small.mean(dim=1)
    rows = grey.flatten(1)
    return F.normalize(rows - rows.mean(dim=1, keepdim=True))


def _inked(image: Tensor) -> Tensor:
    """Return a picture in colour, `3 h w`, along the axis on which it varies most, with a dark border."""
    pixels = image.flatten(1) - image.flatten(1).mean(dim=1, keepdim=True)
    axis = torch.linalg.eigh(pixels @ pixels.T).eigenvectors[:, -1]
    found = (axis @ pixels).view(image.shape[1:])
    border = torch.cat([found[0], found[-1], found[:, 0], found[:, -1]])
    return found if border.median() < found.mean() else -found


def named(mine: Tensor, known: Tensor, labels: Tensor, *, itself: bool = False) -> Tensor:
    """Return the label that the nearest neighbours of each row vote for; `itself` if they are rows of `known`."""
    nearest = (mine @ known.T).topk(NEAREST + itself).indices[:, int(itself) :]
    return torch.stack([labels[each].bincount().argmax() for each in nearest])


def main() -> None:
    """Print who names what on the sheet of a network."""
    parser = argparse.ArgumentParser(description="Tell how many of a network's fantasies their neighbours name.")
    parser.add_argument("net")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("dataset", nargs="?", type=Path)
    for own in ("digits", "shapes", "letters"):
        parser.add_argument(f"--{own}", dest="own", action="store_const", const=own)
    given = parser.parse_args()
    source: object = given.dataset if given.own is None else Dataset(own=given.own)
    collection, _ = data.find(Dataset(), source, None, ())
    net = nets.load(given.net)
    side, colour = min(LARGEST, net.card.input.size), net.card.input.channels > 1
    for store, _ in fill(collection, side):  # noqa: B007
        pass
    pixels = torch.from_numpy(store.take(range(0, len(store.indices), max(1, len(store.indices) // MOST))))
    labels = torch.from_numpy(collection.targets[store.indices])[:: max(1, len(store.indices) // MOST)]
    known = features(pixels.permute(0, 3, 1, 2).float() / 255, side, colour=colour)
    some = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))[:1000]
    right = float((named(known[some], known, labels, itself=True) == labels[some]).double().mean())
    count, size = len(collection.classes), (128, 128)
    cells = Grid(count, size, columns_for(count, size), 4).cells(read_image(given.sheet).image)
    found = named(features(cells, side, colour=colour), known, labels).tolist()
    small = F.interpolate(cells, size=(net.card.input.size,) * 2, mode="area")
    with torch.no_grad():
        scores = net(small if colour else small.mean(dim=1, keepdim=True), [str(net.card.classes)])
    own = scores[str(net.card.classes)].argmax(dim=1).tolist()
    for index, name in enumerate(collection.classes):
        print(
            f"{name}: neighbours say {collection.classes[found[index]]}, the network {collection.classes[own[index]]}"
        )
    hits = [sum(each == index for index, each in enumerate(names)) for names in (found, own)]
    print(f"of {count}: neighbours name {hits[0]}, the network {hits[1]}; of real ones neighbours name {right:.1%}")


if __name__ == "__main__":
    main()
