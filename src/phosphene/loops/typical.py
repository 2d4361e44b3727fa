"""What the pictures that a network learnt have in common, as a prior for those that it imagines.

A network that has seen nothing but light letters on black knows nothing about grey. Ascent that begins with grey may
end anywhere, such as in letters within letters on white. So it begins with the mean of the pictures that were learnt,
and where these hardly differ, as on their ground, what is imagined is drawn to the mean.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.card import Card, PictureStatistics
from phosphene.resampling import resize
from phosphene.types import Image, Size

LEAST = 0.05
"""What is added to stds, so that places that never differ are not drawn to the mean beyond all measure."""

STEADY = 0.5
"""There is a ground if pictures differ somewhere by less than this share of the std where they differ most. Those of
photographs, or of things in any colour, do not: their mean tells nothing."""


def typical_of(card: Card, weight: float) -> Typical | None:
    """Return how pictures look that the network of this card learnt; None where nothing is known, or nothing usual."""
    known = card.pictures
    if known is None or weight == 0 or known.std.min() > STEADY * known.std.max():
        return None
    return Typical(known, weight)


class Typical:
    """How pictures usually look, on canvases of any size.

    Args:
        known: the mean and std of pictures.
        weight: of the prior.
    """

    def __init__(self, known: PictureStatistics, weight: float) -> None:
        self._known, self._weight = known, weight
        self._sized: dict[Size, tuple[Image, Image]] = {}

    def mean(self, size: Size) -> Image:
        """Return the mean picture in the middle of this size, `1 c h w`; its borders go on beyond it."""
        return self._at(size)[0]

    def pull(self, image: Image) -> Image:
        """Return the direction, `n c h w`, in which images become more usual: none where pictures differ most."""
        mean, std = self._at((image.shape[-2], image.shape[-1]))
        precision = 1 / (std + LEAST) - 1 / (std.max() + LEAST)
        return (self._weight * precision).to(image) * (mean.to(image) - image)

    def _at(self, size: Size) -> tuple[Image, Image]:
        if size not in self._sized:
            self._sized[size] = (_fitted(self._known.mean, size), _fitted(self._known.std, size))
        return self._sized[size]


def _fitted(square: Tensor, size: Size) -> Image:
    """Return a square, `c side side`, as large as there is room for, with its borders continued."""
    side = min(size)
    image = resize(square[None], (side, side), clamp=True)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    return F.pad(image, (left, size[1] - side - left, top, size[0] - side - top), mode="replicate")
