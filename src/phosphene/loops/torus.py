"""Pictures that repeat without a seam: everything is done on a torus, whose edges are joined.

The network sees the picture rolled by a random amount and continued beyond its edges, so that gradients go round them;
pictures are resized, and gradients shaped, with their neighbours on the other side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.base import Canvas
from phosphene.canvas.fourier import FourierCanvas
from phosphene.gradients.engine import Engine
from phosphene.gradients.shaping import shapings
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import PhotoBases, canvas_for
from phosphene.loops.octaves import Bases, InMemory, Surface, octave_steps
from phosphene.loops.step import State, Step
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import Span, resize_part
from phosphene.transforms import Draw, Transform
from phosphene.types import Image, Size

HALO = 64
"""Pixels that the network sees beyond each edge."""

RIM = 32
"""Pixels beyond each edge that a gradient is shaped with; a multiple of the coarsest level of the Laplacian pyramid."""

FADE = 0.25
"""Share of a photograph's side over which opposite edges are blended."""


def continued(image: Tensor, pixels: int) -> Tensor:
    """Return an image, `n c h w`, padded on each edge with pixels of the opposite side, even more than it has."""
    down, across = (torch.arange(-pixels, side + pixels, device=image.device) % side for side in image.shape[-2:])
    return image.index_select(-2, down).index_select(-1, across)


def resize_around(image: Tensor, size: Size, resampling: str = "bicubic", *, clamp: bool = False) -> Tensor:
    """Resize an image on the torus, as `resampling.resize` does in the plane.

    >>> image = torch.rand(1, 3, 8, 12)
    >>> torch.equal(resize_around(image.roll(4, -1), (16, 24)), resize_around(image, (16, 24)).roll(8, -1))
    True
    """
    height, width = image.shape[-2:]
    if (height, width) == tuple(size):
        return image

    def tripled(rows: Span, columns: Span) -> Tensor:
        down, across = (
            torch.arange(*span, device=image.device) % side for span, side in ((rows, height), (columns, width))
        )
        return image.index_select(-2, down).index_select(-1, across)

    own, wanted = (3 * height, 3 * width), (3 * size[0], 3 * size[1])
    middle = (size[0], 2 * size[0]), (size[1], 2 * size[1])
    resized = resize_part(tripled, own, wanted, *middle, resampling)
    return resized.clamp_(0, 1) if clamp else resized


def seamless(image: Image) -> Image:
    """Return a photograph whose edges are joined: near them it is blended with itself, rolled by half.

    The contrast of what is blended is kept: weights are those of two independent pictures.
    """
    mean = image.mean(dim=(2, 3), keepdim=True)
    result = image - mean
    for axis in (-2, -1):
        side = image.shape[axis]
        place = (torch.arange(side, device=image.device) + 0.5) / side
        near = (torch.minimum(place, 1 - place) / FADE).clamp(0, 1) * (math.pi / 2)
        shape = (-1, 1) if axis == -2 else (1, -1)
        own, other = near.sin().square().view(shape), near.cos().square().view(shape)
        rolled = result.roll(side // 2, axis)
        result = (own * result + other * rolled) / (own.square() + other.square()).sqrt()
    return (result + mean).clamp(0, 1)


def rolled(draw: Draw) -> Transform:
    """Roll all images by any amount, and continue them beyond their edges; gradients go back the same way."""

    def look(image: Image) -> Tensor:
        down, across = draw(0, image.shape[-2] - 1), draw(0, image.shape[-1] - 1)
        return continued(image.roll((down, across), (-2, -1)), HALO)

    return look


class TorusBases(PhotoBases):
    """The photograph at the sizes of the octaves, on the torus."""

    def __getitem__(self, octave: int) -> Image:
        return self._make(resize_around(self._photo, self.sizes[octave], self._resampling))().detach()


class TilePrintBases(Bases):
    """The photograph at the sizes of a dream's own octaves and of the further ones of its print, on the torus.

    Args:
        own: the octaves of the dream itself; None for those of an imagined picture, which has none.
        photo: the photograph in its own size, with edges that join.
        further: sizes of the further octaves.
        settings: those of the dream.
        make: makes a canvas that shows an image.
    """

    def __init__(
        self,
        own: TorusBases | None,
        photo: Image,
        further: Sequence[Size],
        settings: DreamSettings,
        make: Callable[[Image], Canvas],
    ) -> None:
        self._count = 0 if own is None else len(own.sizes)
        self.sizes = [*(() if own is None else own.sizes), *further]
        self._own, self._photo, self._resampling, self._make = own, photo, settings.resampling, make

    def __getitem__(self, octave: int) -> Image:
        if self._own is not None and octave < self._count:
            return self._own[octave]
        part = resize_around(self._photo, self.sizes[octave], self._resampling, clamp=True)
        return self._make(part)().detach()


class OnTorus(InMemory):
    """A canvas in memory whose edges are joined."""

    def resized(self, detail: Tensor, size: Size) -> Tensor:
        return resize_around(detail, size, self._settings.resampling)

    def shaped(self, gradient: Image) -> Image:
        direction = shapings[self._settings.shaping](continued(gradient, RIM))
        return direction[..., RIM:-RIM, RIM:-RIM]


class TorusFourierCanvas(FourierCanvas):
    """A canvas of waves, which repeat by themselves, and are enlarged as what repeats."""

    def resized(self, size: Size) -> Image:
        return resize_around(self().detach(), size, clamp=True)

    def showing(self, image: Image) -> FourierCanvas:
        canvas = TorusFourierCanvas.from_image(image, decay=self.decay, decorrelate=self.decorrelate)
        assert isinstance(canvas, TorusFourierCanvas), "it is made by its own class"
        return canvas


def dream_steps(
    engine: Engine, photo: Image, settings: DreamSettings, *, arithmetic: Arithmetic, state: State | None = None
) -> Iterator[Step]:
    """Dream on a picture whose edges are joined, as `dream.dream_steps` does; the result tiles."""
    make = partial(canvas_for, settings)
    bases = TorusBases(photo.to(engine.device), settings, make)
    surface = OnTorus(engine, bases, settings, arithmetic, make, rolled)
    yield from octave_steps(surface, settings.steps, state)


def print_surface(
    engine: Engine,
    photo: Image,
    further: Sequence[Size],
    settings: DreamSettings,
    arithmetic: Arithmetic,
    begun: Image | None = None,
) -> Surface:
    """Return the canvas of a print that tiles, in memory.

    Args:
        engine: the network and the objective.
        photo: in its own size, with edges that join.
        further: sizes of the octaves beyond those of the dream itself.
        settings: those of the dream.
        arithmetic: the RNGs.
        begun: the photograph at the size of the dream itself; None for an imagined picture, the dream of which has no
            octaves of its own.
    """
    make = partial(canvas_for, settings)
    own = None if begun is None else TorusBases(begun, settings, make)
    return OnTorus(engine, TilePrintBases(own, photo, further, settings, make), settings, arithmetic, make, rolled)


def around(
    score: Callable[[Image], tuple[Tensor, Image]], image: Image, generator: torch.Generator
) -> tuple[Tensor, Image]:
    """Return scores, and a direction, of an image that is rolled by a random amount and back again."""
    down, across = (int(torch.randint(side, (), generator=generator)) for side in image.shape[-2:])
    scores, direction = score(image.roll((down, across), (-2, -1)))
    return scores, direction.roll((-down, -across), (-2, -1))


def curvature_around(image: Image) -> Image:
    """Return the discrete Laplacian on the torus; see `imagine.curvature`.

    >>> image = torch.rand(1, 3, 4, 5)
    >>> torch.equal(curvature_around(image.roll(2, -1)), curvature_around(image).roll(2, -1))
    True
    """
    padded = F.pad(image, (1, 1, 1, 1), mode="circular")
    horizontal = padded[..., 1:-1, 2:] + padded[..., 1:-1, :-2]
    vertical = padded[..., 2:, 1:-1] + padded[..., :-2, 1:-1]
    return horizontal + vertical - 4 * image
