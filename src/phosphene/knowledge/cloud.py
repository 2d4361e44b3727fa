"""What a network sees in a cloud: its own best reading of each region becomes what grows there, again and again.

    picture ──► regions ──► the best label of each ──► some steps towards it, there ──► the picture, read again

Each region is shown to the network alone, at the size of its input; regions overlap by half, and each one's step fades
towards its edge. The region that the network is surest of is read first, and no other is read as the same thing. Steps
are coarse at first, so that shapes come before detail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.base import Canvas
from phosphene.canvas.pixels import PixelCanvas
from phosphene.gradients.shaping import shapings
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.scorer import unit_length
from phosphene.loops.sheet import Each
from phosphene.loops.step import Frame, State, Step, number
from phosphene.media.image.lettering import line, line_height
from phosphene.nets.base import Net
from phosphene.objectives.base import resolve
from phosphene.objectives.features import Class
from phosphene.recipe.cloud import CloudSettings
from phosphene.resampling import resize
from phosphene.types import Image, Size

COARSE, FINE = 0.12, 0.6
"""Resolution of the first round's steps and of the last round's, as a share of the picture's."""

NEAREST = 0.8
"""The closest look at a region, as a share of its side."""

EDGE = 0.1
"""How much of its step a region takes at its edge."""

PANEL, LETTERS = 0.36, 30
"""Width of the readings as a share of the picture's, and how many of its letters' sizes that is."""


@dataclass(frozen=True)
class Reading:
    """What a region is read as, its probability, and where it is: the middle, as shares of the picture."""

    label: str
    probability: float
    x: float
    y: float


def windows(size: Size, regions: int) -> tuple[int, list[tuple[int, int]]]:
    """Return the side of square regions, of which `regions` are along the longer side, and the top and left of each.

    >>> windows((100, 200), 3)
    (100, [(0, 0), (0, 50), (0, 100)])
    """
    height, width = size
    side = min(height, width, round(2 * max(height, width) / (regions + 1)))

    def along(length: int) -> list[int]:
        count = max(1, round(2 * length / side) - 1)
        return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]

    return side, [(top, left) for top in along(height) for left in along(width)]


class CloudLoop:
    """The work of a cloud; `image` is `1 3 h w`, and `net` has labels."""

    def __init__(
        self, net: Net, image: Image, settings: CloudSettings, arithmetic: Arithmetic, dtype: torch.dtype
    ) -> None:
        assert net.card.classes is not None, "it is checked"
        self._net = net if next(net.parameters()).dtype == dtype else net.converted(dtype)
        self._device = next(net.parameters()).device
        self._image, self._settings, self._arithmetic = image, settings, arithmetic
        self._classes, self._card = net.card.classes, net.card
        self.size = (image.shape[-2], image.shape[-1])
        self.side, self.places = windows(self.size, settings.regions)
        ramp = torch.linspace(-1, 1, self.side + 2)[1:-1].abs()
        self._window = EDGE + (1 - EDGE) * torch.outer(*[torch.cos(ramp * torch.pi / 2) ** 2] * 2)

    @property
    def whole(self) -> Size:
        """The size of the picture with its readings."""
        return self.size[0], self.size[1] + (panel_width(self.size) if self._settings.captions else 0)

    def steps(self, state: State | None = None) -> Iterator[Step]:
        """Do the work step by step, from the beginning or from where `state` was taken, to the same bytes."""
        settings = self._settings
        count = settings.rounds * settings.steps
        done, canvas = 0, self._canvas(self._image.to(self._device))
        read = torch.zeros(len(self.places), 2)
        if state is not None:
            done, read = int(state["done"]), state["read"]
            canvas = self._canvas(state["image"].to(self._device))
        if done == count:
            yield self._step(count, canvas, read, torch.full((len(self.places),), torch.nan))
        for index in range(done, count):
            if index % settings.steps == 0:
                read = self._read(canvas().detach())
            scores, direction = self._direction(canvas, read[:, 0].long(), index)
            canvas = canvas.moved(direction, settings.step_size)
            yield self._step(index + 1, canvas, read, scores)

    def readings(self, read: Float[Tensor, "regions 2"]) -> list[Reading]:
        """Return what regions are read as, from each one's label and its probability."""
        height, width = self.size
        return [
            Reading(
                self._card.labels[int(index)][0], chance, (left + self.side / 2) / width, (top + self.side / 2) / height
            )
            for (top, left), (index, chance) in zip(self.places, read.tolist(), strict=True)
        ]

    def start(self) -> Image:
        """Return the picture before the first step, with its readings."""
        return self._shown(self._image, self._read(self._image.to(self._device)))

    def _canvas(self, image: Image) -> Canvas:
        settings = self._settings
        return PixelCanvas(image, natural_colour=settings.natural_colour, headroom=settings.headroom)

    def _step(self, done: int, canvas: Canvas, read: Tensor, scores: Tensor) -> Step:
        settings, image = self._settings, canvas().detach()
        count = settings.rounds * settings.steps
        shown = self._read(image) if done == count else read
        names = list(dict.fromkeys(each.label for each in self.readings(shown)))
        told = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        stage = f"round {(done - 1) // settings.steps + 1} of {settings.rounds}: {told}"
        state = {"done": number(done), "image": image.cpu(), "read": read}
        frame = Frame(done - 1, float((done - 1) / Fraction(settings.fps or 1)))
        step = (done - 1) % settings.steps + 1
        return Step(stage, step, settings.steps, done / count, self._shown(image, shown), scores, state, frame)

    def _shown(self, image: Tensor, read: Tensor) -> Tensor:
        image = image.cpu()
        if not self._settings.captions:
            return image
        return torch.cat((image, written(self.readings(read), self.size)), dim=3)

    @torch.no_grad()
    def _read(self, image: Image) -> Float[Tensor, "regions 2"]:
        """Return each region's best label, by index, and its probability; no two have the same label."""
        crops = self._crops(image, (0, 0), self.side)
        logits = self._net(crops, [self._classes])[self._classes][:, : len(self._card.labels)]
        chances = logits.float().softmax(dim=1).cpu()
        read, left = torch.zeros(len(chances), 2), chances.clone()
        for _ in range(len(chances)):
            region, label = divmod(int(left.argmax()), left.shape[1])
            read[region] = torch.tensor([float(label), float(chances[region, label])])
            left[region] = -1
            if len(chances) <= left.shape[1]:
                left[:, label] = left[:, label].clamp(max=-0.5)
        return read

    def _corner(self, place: tuple[int, int], shift: tuple[int, int], side: int) -> tuple[int, int]:
        """Return the top and left of a look at the middle of a region, shifted as far as the picture goes."""
        margin = (self.side - side) // 2
        top, left = (at + margin + by for at, by in zip(place, shift, strict=True))
        return min(max(0, top), self.size[0] - side), min(max(0, left), self.size[1] - side)

    def _crops(self, image: Image, shift: tuple[int, int], side: int) -> Float[Tensor, "regions 3 s s"]:
        corners = [self._corner(place, shift, side) for place in self.places]
        cut = torch.cat([image[:, :, top : top + side, left : left + side] for top, left in corners])
        return resize(cut, (self._card.input.size,) * 2, clamp=True)

    def _direction(self, canvas: Canvas, targets: Tensor, index: int) -> tuple[Tensor, Image]:
        image = canvas().detach()
        rng = self._arithmetic.rng("look", index)
        reach = min(self._settings.jitter, self.side // 4)
        down, right = torch.randint(-reach, reach + 1, (2,), generator=rng).tolist()
        side = round(self.side * (NEAREST + (1 - NEAREST) * float(torch.rand((), generator=rng))))
        crops = self._crops(image, (down, right), side).requires_grad_()
        objective = Each(tuple(resolve(Class(str(target)), self._card) for target in targets.tolist()))
        with torch.enable_grad():
            scores = objective(self._net(crops, [self._classes]))
            (gradient,) = torch.autograd.grad(scores.sum(), crops)
        window = resize(self._window[None, None], (side, side)).to(gradient.device)
        total, weight = torch.zeros_like(image), torch.zeros_like(image[:, :1])
        for place, own in zip(self.places, resize(unit_length(gradient.float()), (side, side)), strict=True):
            top, left = self._corner(place, (down, right), side)
            total[0, :, top : top + side, left : left + side] += own * window[0]
            weight[0, :, top : top + side, left : left + side] += window[0]
        direction = canvas.uphill(total / weight.clamp(min=EDGE))
        return scores.detach().cpu(), shapings["normalise"](self._coarse(direction, index))

    def _coarse(self, direction: Tensor, index: int) -> Tensor:
        """Return a direction without the detail for which the round is too early."""
        last = max(1, self._settings.rounds - 1)
        share = COARSE * (FINE / COARSE) ** min(1.0, index // self._settings.steps / last)
        small = (max(1, round(self.size[0] * share)), max(1, round(self.size[1] * share)))
        return resize(resize(direction, small), self.size)


def panel_width(size: Size) -> int:
    """Return the width of the readings beside a picture of `size`."""
    return 2 * max(48, round(size[1] * PANEL / 2))  # films have even sides


def written(readings: list[Reading], size: Size) -> Image:
    """Return the readings as a panel as high as the picture, each row of regions at its height, from left to right."""
    width = panel_width(size)
    letters = max(10, min(28, 2 * width // LETTERS))
    panel, tall = torch.ones(1, 3, size[0], width), line_height(letters)
    rows: dict[float, list[Reading]] = {}
    for each in readings:
        rows.setdefault(each.y, []).append(each)
    for y, several in rows.items():
        top = round(y * size[0] - tall * len(several) / 2)
        for place, each in enumerate(several):
            at = min(max(0, top + place * tall), size[0] - tall)
            if at >= 0:
                text = f"{each.label} {each.probability:.0%}"
                panel[0, :, at : at + tall] = line(text, width, letters)
    return panel
