"""The kaleidoscope: a canvas whose images are symmetric, whatever its parameters are.

A symmetric image is determined by a part of it, the fundamental domain. Every pixel is looked up where a few
reflections or rotations take it into that part, so that its parameters draw the whole image. Reflections join without a
seam. Rotations do not, so neighbouring sectors are cross-faded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas.base import Canvas
from phosphene.errors import SettingError
from phosphene.types import Image, Size
from phosphene.vjp import vjp

MOST_SECTORS = 24

FADE = 0.5
"""Share of a sector over which it is cross-faded with its neighbours on both sides."""

SOFTENING = 1 / 8
"""Weight of each neighbour in the filter that images are resampled through: without the finest detail, which no grid
of pixels can rotate, a rotated image differs from itself by less than 1/255 on average."""

Fold = Callable[[Tensor], Tensor]
"""Image (n c h w) to symmetric image of the same size; linear."""

Points = Float[Tensor, "h w"]


class SymmetricCanvas(Canvas):
    """A canvas that shows the images of another one symmetrised.

    >>> from phosphene.canvas.pixels import PixelCanvas
    >>> image = SymmetricCanvas(PixelCanvas(torch.rand(1, 3, 32, 48)), "mirror")()
    >>> torch.equal(image, image.flip(-1))
    True

    Args:
        inner: the canvas whose parameters are drawn with.
        symmetry: see `symmetrise`.

    Raises:
        SettingError: for another symmetry.
    """

    def __init__(self, inner: Canvas, symmetry: str) -> None:
        super().__init__()
        self.size = inner.size
        self.inner = inner
        self.symmetry = symmetry
        self._fold = fold(symmetry, inner.size)

    def forward(self) -> Image:
        return self._fold(self.inner()).clamp(0, 1)

    def showing(self, image: Image) -> SymmetricCanvas:
        return SymmetricCanvas(self.inner.showing(image), self.symmetry)

    def resized(self, size: Size) -> Image:
        return symmetrise(super().resized(size), self.symmetry)

    def settle(self) -> None:
        self.inner.settle()

    def uphill(self, gradient: Image) -> Image:
        """Return the direction of the inner canvas for the mean of the gradient over equivalent pixels."""
        with torch.enable_grad():
            pixels = torch.zeros_like(gradient, requires_grad=True)
            folded = self._fold(pixels)
        together = torch.stack((gradient, torch.ones_like(gradient)))
        totals, counts = (vjp([folded], [pixels], [each], retain_graph=True)[0] for each in together)
        mean = self._fold(totals) / self._fold(counts).clamp_min(0.5)
        return self.inner.uphill(mean)

    def moved(self, direction: Image, step_size: float) -> SymmetricCanvas:
        return SymmetricCanvas(self.inner.moved(direction, step_size), self.symmetry)


def symmetric(canvas: Canvas, symmetry: str | None) -> Canvas:
    """Return the canvas with this symmetry; itself for None."""
    return canvas if symmetry is None else SymmetricCanvas(canvas, symmetry)


def symmetrise(image: Image, symmetry: str) -> Image:
    """Make an image symmetric about its centre.

    >>> image = symmetrise(torch.rand(1, 3, 32, 32), "p4m")
    >>> torch.equal(image, image.rot90(1, (2, 3)))
    True

    Args:
        image: `n 3 h w`, of any size.
        symmetry: "mirror" for left and right; "rotate:N" for N equal sectors, 2 to 24; "p4m" and "p6m" for the
            wallpaper groups of a kaleidoscope with mirrors at 45 and at 30 degrees, one cell of which is as wide as
            the shorter side.

    Raises:
        SettingError: for another symmetry.
    """
    return fold(symmetry, (image.shape[-2], image.shape[-1]))(image).clamp(0, 1)


def fold(symmetry: str, size: Size) -> Fold:
    """Return the linear map that makes images of this size symmetric; see `symmetrise`."""
    if symmetry == "mirror":
        return _mirror
    if symmetry == "p4m":
        return _fold_square
    if symmetry == "p6m":
        return lambda image: _sample(_soften(image), _hexagonal(size))
    match = re.fullmatch(r"rotate:(\d{1,2})", symmetry)
    if match is None or not 2 <= int(match[1]) <= MOST_SECTORS:
        raise SettingError(
            f"symmetry must be mirror, rotate:N with N from 2 to {MOST_SECTORS}, p4m or p6m, but is {symmetry!r}",
            setting="symmetry",
            value=symmetry,
        )
    sectors = int(match[1])

    def rotated(image: Tensor) -> Tensor:
        own, neighbour, weight = _sectors(size, sectors)
        image, weight = _soften(image), weight.to(image)
        return _sample(image, own) * weight + _sample(image, neighbour) * (1 - weight)

    return rotated


def _mirror(image: Tensor) -> Tensor:
    half = (image.shape[-1] + 1) // 2
    left = image[..., :half]
    return torch.cat((left, left[..., : image.shape[-1] - half].flip(-1)), dim=-1)


def _fold_square(image: Tensor) -> Tensor:
    index = _square((image.shape[-2], image.shape[-1])).to(image.device)
    return image.flatten(2).index_select(2, index.flatten()).view(image.shape)


@lru_cache(maxsize=1)
def _square(size: Size) -> Int[Tensor, "h w"]:
    """Return the index of the pixel in the triangle 0 <= y <= x from the centre that each pixel shows."""
    height, width = size
    half = (min(size) + 1) // 2
    down, across = (_steps(side, half) for side in size)
    far = torch.maximum(down[:, None], across[None, :])
    near = torch.minimum(down[:, None], across[None, :])
    return (height // 2 + near).clamp(max=height - 1) * width + (width // 2 + far).clamp(max=width - 1)


def _steps(side: int, half: int) -> Int[Tensor, " side"]:
    """Return the distance of each pixel of a side from its centre in pixels, reflected at `half` and again at 0."""
    places = torch.arange(side)
    if side % 2:
        period = 2 * half - 1
        distance = (places - side // 2).abs() % period
        return torch.minimum(distance, period - distance)
    period = 2 * half
    distance = torch.maximum(places - side // 2, side // 2 - 1 - places) % period
    return torch.minimum(distance, period - 1 - distance)


def _centred(size: Size) -> tuple[Tensor, Tensor]:
    """Return (x, y) of each pixel from the centre, in pixels."""
    y, x = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in size)
    return x.expand(size), y[:, None].expand(size)


@lru_cache(maxsize=1)
def _hexagonal(size: Size) -> Float[Tensor, "1 h w 2"]:
    """Return where a kaleidoscope with mirrors at 30, 60 and 90 degrees looks each pixel up."""
    x, y = _centred(size)
    if size[0] > size[1]:  # neighbouring cells lie along the longer side
        x, y = y, x
    cell = float(min(size))
    # The hexagonal lattice of cell centres is two rectangular ones; the nearest centre is the nearer of theirs.
    offsets = []
    for shift in (0.0, 0.5):
        right, down = cell * shift, cell * shift * math.sqrt(3)
        offsets.append((_wrap(x - right, cell), _wrap(y - down, cell * math.sqrt(3))))
    (x, y), (other_x, other_y) = offsets
    nearer = x.square() + y.square() <= other_x.square() + other_y.square()
    x, y = torch.where(nearer, x, other_x), torch.where(nearer, y, other_y)
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    sixth = math.pi / 3
    angle = (angle - sixth * (angle / sixth).round()).abs()
    x, y = radius * angle.cos(), radius * angle.sin()
    return _grid(y, x, size) if size[0] > size[1] else _grid(x, y, size)


def _wrap(places: Tensor, period: float) -> Tensor:
    return places - period * (places / period).round()


@lru_cache(maxsize=1)
def _sectors(size: Size, sectors: int) -> tuple[Tensor, Tensor, Points]:
    """Return where each pixel is looked up in the first sector, and in its continuation on the other side of the
    nearest border; and the weight of the former."""
    x, y = _centred(size)
    if size[0] > size[1]:  # the first sector lies along the longer side
        x, y = y, x
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    width = 2 * math.pi / sectors
    own = _wrap(angle, width)
    neighbour = own - width * torch.where(own < 0, -1.0, 1.0)
    # From 1/2 on the border to 1 in the middle of the sector.
    share = ((width / 2 - own.abs()) / (width / 2 * FADE)).clamp(max=1) / 2 + 0.5
    weight = (0.5 - 0.5 * torch.cos(math.pi * share)).float()
    grids = []
    for turned in (own, neighbour):
        across, down = radius * turned.cos(), radius * turned.sin()
        grids.append(_grid(down, across, size) if size[0] > size[1] else _grid(across, down, size))
    return grids[0], grids[1], weight


def _grid(x: Points, y: Points, size: Size) -> Float[Tensor, "1 h w 2"]:
    """Return places in pixels from the centre as `grid_sample` takes them."""
    return torch.stack((x * 2 / size[1], y * 2 / size[0]), dim=-1).float()[None]


def _sample(image: Tensor, grid: Tensor) -> Tensor:
    """Look an image up at the places of a grid."""
    grid = grid.to(image).expand(len(image), -1, -1, -1)
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def _soften(image: Tensor) -> Tensor:
    """Blur an image a little along both axes."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    rows = (1 - 2 * SOFTENING) * padded[..., 1:-1, :] + SOFTENING * (padded[..., 2:, :] + padded[..., :-2, :])
    return (1 - 2 * SOFTENING) * rows[..., 1:-1] + SOFTENING * (rows[..., 2:] + rows[..., :-2])
