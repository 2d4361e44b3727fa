"""The handwritten digits that come with phosphene."""

from __future__ import annotations

import gzip
from importlib import resources

import numpy as np

from phosphene.media.dataset.collection import ArrayCollection

LICENCE = "CC BY 4.0"


def digits() -> ArrayCollection:
    """Return the 1,797 handwritten digits of 8 x 8 pixels that scikit-learn comes with, light on dark.

    >>> digits().pixels.shape, digits().classes[3]
    ((1797, 8, 8), 'three')

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits" (UCI Machine Learning Repository, 1998).
    """
    packed = resources.files("phosphene.media.dataset").joinpath("digits/digits.csv.gz").read_bytes()
    table = np.loadtxt(gzip.decompress(packed).decode("ascii").splitlines(), delimiter=",", dtype=np.int64)
    pixels = np.round(table[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return ArrayCollection(names, table[:, 64], pixels=pixels, source="the bundled digits", licence=LICENCE)
