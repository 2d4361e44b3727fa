"""Clips whose motion is known: a photograph panned and zoomed, before which something else passes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Shown:
    """A frame of a clip."""

    index: int
    pts: int
    duration: int
    time: Fraction
    image: Tensor


@dataclass(frozen=True)
class Scene:
    """The astronaut, seen by a camera that pans and comes closer, while a piece of the coffee photograph passes."""

    height: int = 72
    width: int = 128
    speed: float = 1.0

    def shown(self, count: int) -> list[Shown]:
        """The first frames."""
        return [Shown(t, t, 1, Fraction(t, 25), self.frame(t)) for t in range(count)]

    def frame(self, t: int) -> Tensor:
        """The frame at `t`."""
        x, y = self._grid()
        scale, left, top = self._camera(t)
        background = _sample(_photo(data.astronaut()), left + x * scale, top + y * scale)
        edge_x, edge_y = self._edge(t)
        before = _sample(_photo(data.coffee()), 40 + (x - edge_x), 20 + (y - edge_y))
        return torch.where(self._covered(t), before, background)

    def flow(self, t: int) -> tuple[Tensor, Tensor]:
        """From frame `t` to the one before: where each pixel was (1 2 h w), and whether it was seen (1 1 h w)."""
        x, y = self._grid()
        scale, left, top = self._camera(t)
        scale_before, left_before, top_before = self._camera(t - 1)
        covered = self._covered(t)
        step = self._edge(t)[0] - self._edge(t - 1)[0]
        was_x = torch.where(covered, x - step, (left + x * scale - left_before) / scale_before)
        was_y = torch.where(covered, y, (top + y * scale - top_before) / scale_before)
        hidden = self._covered(t - 1, was_x, was_y, margin=1.5) & ~covered
        blended = self._covered(t, margin=1.5) & ~self._covered(t, margin=-1.5)
        out = (was_x < 0) | (was_x > self.width - 1) | (was_y < 0) | (was_y > self.height - 1)
        return torch.stack((was_x - x, was_y - y))[None], (~(hidden | blended | out)).float()[None, None]

    def change(self, images: list[Tensor]) -> float:
        """The mean difference of each picture from the one before, moved along the true flow, where that was seen."""
        changes = []
        for t in range(1, len(images)):
            flow, seen = self.flow(t)
            x, y = self._grid()
            moved = _sample(images[t - 1], x + flow[0, 0], y + flow[0, 1])
            changes.append(((moved - images[t]).abs() * seen).sum() / (3 * seen.sum()))
        return float(torch.stack(changes).mean())

    def _grid(self) -> tuple[Tensor, Tensor]:
        y, x = torch.meshgrid(torch.arange(self.height) + 0.0, torch.arange(self.width) + 0.0, indexing="ij")
        return x, y

    def _camera(self, t: int) -> tuple[float, float, float]:
        t = t * self.speed
        return 1.0 - 0.007 * t, 12 + 1.4 * t, 10 + 0.8 * t

    def _edge(self, t: float) -> tuple[float, float]:
        return self.width * 0.1 + 2.1 * t * self.speed, self.height * 0.35

    def _covered(self, t: float, x: Tensor | None = None, y: Tensor | None = None, margin: float = 0.0) -> Tensor:
        if x is None or y is None:
            x, y = self._grid()
        left, top = self._edge(t)
        inside_x = (x >= left - margin) & (x < left + self.width * 0.2 + margin)
        return inside_x & (y >= top - margin) & (y < top + self.height * 0.4 + margin)


@dataclass(frozen=True)
class FastMover(Scene):
    """A piece of the coffee photograph that passes quickly before the astronaut, blurred by its motion."""

    height: int = 144
    width: int = 256
    pace: float = 8.0
    """Pixels in a frame."""

    def frame(self, t: int) -> Tensor:
        """The frame at `t`: the mean of four moments while the shutter is open."""
        return torch.stack([self._moment(t + 0.5 * (k / 4 - 0.5)) for k in range(4)]).mean(dim=0)

    def strength_of_mover(self, detail: Tensor, t: int) -> float:
        """How strong a detail is on what moves, as a share of its strength on the rest."""
        inside = self._covered(t, margin=-2)[None, None].float()
        outside = 1 - self._covered(t, margin=6)[None, None].float()
        return float(_std(detail, inside) / _std(detail, outside))

    def _moment(self, t: float) -> Tensor:
        x, y = self._grid()
        background = _sample(_photo(data.astronaut(), 0.75), 12 + t + x, 10 + 0.5 * t + y)
        left, top = self._edge(t)
        before = _sample(_photo(data.coffee(), 0.5), 40 + (x - left), 20 + (y - top))
        return torch.where(self._covered(t), before, background)

    def _edge(self, t: float) -> tuple[float, float]:
        return -0.3 * self.width + self.pace * (t - 2.5), self.height * 0.35

    def _covered(self, t: float, x: Tensor | None = None, y: Tensor | None = None, margin: float = 0.0) -> Tensor:
        if x is None or y is None:
            x, y = self._grid()
        left, top = self._edge(t)
        half_width, half_height = 0.15 * self.width + margin, 0.175 * self.height + margin
        across = (x - left - 0.15 * self.width) / half_width
        down = (y - top - 0.175 * self.height) / half_height
        return across.abs() ** 4 + down.abs() ** 4 < 1


def _std(image: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum()
    mean = (image * mask).sum(dim=(2, 3), keepdim=True) / count
    return ((image - mean).square() * mask).sum().div(3 * count).sqrt()


def _photo(pixels: object, scale: float = 0.375) -> Tensor:
    whole = torch.as_tensor(pixels).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(whole, scale_factor=scale, mode="bilinear", antialias=True)


def _sample(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)[None]
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(0, 1)
