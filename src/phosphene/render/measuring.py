"""Activation statistics from a folder of photographs, one at a time, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import ImageError, SettingError
from phosphene.media.image import read_image
from phosphene.nets import measured
from phosphene.nets.base import Net
from phosphene.nets.statistics import measure_statistics
from phosphene.resampling import resize
from phosphene.types import Image, Size

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".gif"})
"""Suffixes of the files that are looked at, in the folder and in those within it."""

SMALLEST = 16
"""Pixels of a view's shorter side at least; a panorama is squeezed to have them."""


@dataclass(frozen=True)
class Measurement:
    """What came of it: the file of the statistics, the number of photographs, and those that could not be read."""

    path: Path
    pictures: int
    unreadable: tuple[Path, ...]


def measure_folder(
    net: Net, folder: Path, *, force: bool = False, progress: Callable[[int, int], object] = lambda done, of: None
) -> Measurement:
    """Measure how a network responds to the photographs in `folder`, and keep that for whenever it is loaded.

        measure_folder(ph.wrap(module), Path("holidays")).pictures

    Each photograph is shown with about as many pixels as the network's own input, its proportions kept. Nothing is kept
    until all are done.

    Args:
        net: a network of colour pictures.
        folder: photographs, in folders of any depth. Files that cannot be read are left out.
        force: measure again where statistics have been measured before.
        progress: called with the number of files that are done, and of all.

    Raises:
        ImageError: for a folder without pictures, or one of which none can be read.
        SettingError: for a network that takes no colour pictures, or was measured before.
        WeightsError: if the statistics cannot be kept.
    """
    card = net.card
    if card.input.channels != 3:
        raise SettingError(f"{card.name} must take colour pictures to be measured on photographs, but does not")
    if measured.path(card).is_file() and not force:
        raise SettingError(
            f"the statistics of {card.name} have been measured already: --force (force=True in Python) measures again"
        )
    if not folder.is_dir():
        raise ImageError(f"there is no folder {folder}", path=folder)
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in PICTURES and each.is_file())
    if not files:
        raise ImageError(f"the folder {folder} has no pictures", path=folder)
    unreadable: list[Path] = []

    def images() -> Iterator[Image]:
        for done, file in enumerate(files):
            progress(done, len(files))
            try:
                image = read_image(file).image
            except ImageError:
                unreadable.append(file)
                continue
            yield resize(image, view_size((image.shape[-2], image.shape[-1]), card.input.size), clamp=True)
        progress(len(files), len(files))
        if len(unreadable) == len(files):
            raise ImageError(f"none of the {len(files)} pictures in {folder} can be read", path=folder)

    statistics = measure_statistics(net, images())
    return Measurement(measured.keep(card, statistics), len(files) - len(unreadable), tuple(unreadable))


def view_size(size: Size, side: int) -> Size:
    """Return the size with the proportions of `size` and about as many pixels as a square of `side`.

    >>> view_size((300, 1200), 64)
    (32, 128)
    """
    stretch = math.sqrt(size[0] / size[1])
    return max(SMALLEST, round(side * stretch)), max(SMALLEST, round(side / stretch))
