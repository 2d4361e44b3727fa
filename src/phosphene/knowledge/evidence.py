"""What each part of a label does: how far it fires the label alone, what is left without it, and whether it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.nets.base import Net
from phosphene.nets.intervention import can_intervene, logits_with
from phosphene.objectives.features import Class
from phosphene.types import Features, Image, Scores

REGION = 0.4
"""Share of a part's strongest response in a picture from which on a place belongs to the part."""

PRESENT, FEWEST = 0.3, 0.25
"""Share of a part's strongest response in all pictures from which on a picture has the part, and the share of the
pictures that must have it for anything to be said of it."""

ARGUED = 3
"""Labels that are told for a part."""

COPIES, PASTED, RISE = 6, 0.3, 0.25
"""The most copies of a part that are pasted on grey; each one's side as a share of the picture's; and by how much each
raises the logit where a part counts."""

BATCH = 16

NOTABLE = 0.5
"""By how much a part must raise the label's logit to be told that it argues more for others."""

FIRES, MARGIN, NEEDED, LARGEST = 0.5, 0.25, 0.5, 0.5
"""Share of the pictures from which on a part alone fires a label; how much larger that must be than elsewhere; the
share of the pictures that must lose the label without a part for the label to need it; and the share of a picture from
which on a region is no part of it any more."""


@dataclass(frozen=True)
class Part:
    """One part of a label.

    Attributes:
        vector: `c`, its direction in the layer.
        maps: `n 1 h w`, where it is in each picture, 0 to 1, where 1 is its strongest response in any of them.
        having: the pictures that have it, by their index, the one in which it is strongest first.
        alone: share of these in which the label still comes first when all but the part's region is grey.
        elsewhere: the same when all is grey but a region of the same form half a picture away: what any place does.
        keeps: how much of the label's logit, beside that of the mean label and beyond that of a grey picture, is left
            in these when all but the part's region is grey, as a share.
        without: the same when the part's region is grey.
        whole: share of these in which the label comes first.
        effect: mean change of the label's logit, beside that of the mean label, that the part makes in the layer, over
            all pictures; NaN where that is not known.
        argues: labels whose logits it raises most, with how far; empty where that is not known.
        own: whether the label itself, or one under it, is among these.
        imagined: the label's probability in the picture that is imagined of the part alone.
        copies: the label's logit, beside that of the mean label, for 0 to `COPIES` pasted copies of the part.
        area: mean share of a picture that the part's region takes.
    """

    vector: Tensor
    maps: Tensor
    having: tuple[int, ...]
    alone: float
    elsewhere: float
    keeps: float
    without: float
    whole: float
    effect: float
    argues: tuple[tuple[str, float], ...]
    own: bool
    imagined: float
    copies: tuple[float, ...]
    area: float

    @property
    def fires(self) -> bool:
        """Whether the part fires the label without the rest, as other places of the same pictures do not."""
        return self.alone >= FIRES and self.alone - self.elsewhere >= MARGIN

    @property
    def needed(self) -> bool:
        """Whether many of the pictures in which the label comes first lose it without the part."""
        return self.whole > 0 and self.without <= (1 - NEEDED) * self.whole

    @property
    def counts(self) -> bool:
        """Whether each of the first three copies raises the logit notably."""
        return all(after - before >= RISE for before, after in zip(self.copies[:3], self.copies[1:4], strict=True))


class Judge:
    """Measures how far pictures fire a label of a network."""

    def __init__(self, net: Net, label: Class) -> None:
        assert net.card.classes is not None, "the label was resolved on this net"
        self.net, self.label = net, label
        self._classes, self._count = net.card.classes, len(net.card.labels)
        self._own = list(label.indices)
        self._grey = torch.tensor(net.card.input.mean).view(1, -1, 1, 1).expand(1, 3, 1, 1)

    @torch.no_grad()
    def logits(self, images: Image) -> Float[Tensor, "n k"]:
        """Return the class scores of pictures."""
        return torch.cat([self.net(some, [self._classes])[self._classes] for some in images.split(BATCH)]).float()[
            :, : self._count
        ]

    def probability(self, images: Image) -> Scores:
        """Return the label's probability in each picture, 0 to 1."""
        return self.logits(images).softmax(dim=1)[:, self._own].sum(dim=1)

    def evidence(self, logits: Float[Tensor, "n k"]) -> Scores:
        """Return the label's logit less that of the mean label."""
        return logits[:, self._own].logsumexp(dim=1) - logits.mean(dim=1)

    def first(self, images: Image) -> float:
        """Return the share of the pictures in which the label, or one under it, comes first."""
        best = self.logits(images).argmax(dim=1)
        return float(torch.isin(best, torch.tensor(self._own)).float().mean())

    @torch.no_grad()
    def features(self, images: Image, layer: str) -> Float[Tensor, "n c rows columns"]:
        """Return a layer's activations of pictures."""
        return torch.cat([self.net(some, [layer])[layer] for some in images.split(BATCH)]).float()

    def part(
        self, images: Image, layer: str, vector: Tensor, amounts: Float[Tensor, "n rows columns"], icon: Tensor
    ) -> Part:
        """Measure one part: `amounts` is how much of it is at each position of `layer` in each picture."""
        strongest = amounts.amax(dim=(1, 2)).clamp(min=1e-12)
        maps = F.interpolate(amounts[:, None], images.shape[-2:], mode="bilinear", align_corners=False)
        order = strongest.argsort(descending=True, stable=True)
        having = order[strongest[order] >= PRESENT * strongest.max()]
        shown = images[having]
        region = (maps[having] >= REGION * strongest[having, None, None, None]).float()
        grey = self._grey.expand_as(shown)
        effect, raised = float("nan"), dict[int, float]()
        if can_intervene(self.net, layer):
            effect, raised = self._effect(images, layer, vector, amounts)
        alone = torch.lerp(grey, shown, region)
        away = region.roll((region.shape[2] // 2, region.shape[3] // 2), dims=(2, 3))
        return Part(
            vector=vector,
            maps=maps / strongest.max(),
            having=tuple(having.tolist()),
            alone=self.first(alone),
            elsewhere=self.first(torch.lerp(grey, shown, away)),
            keeps=self._kept(alone, shown),
            without=self.first(torch.lerp(shown, grey, region)),
            whole=self.first(shown),
            effect=effect,
            argues=tuple((self.net.card.labels[index][0], much) for index, much in raised.items()),
            own=not raised.keys().isdisjoint(self._own),
            imagined=float(self.probability(icon)[0]),
            copies=self._copies(images, maps, amounts),
            area=float(region.mean()),
        )

    def _kept(self, changed: Image, images: Image) -> float:
        """Return how much of the label's evidence beyond that of grey is left in changed pictures, as a share."""
        left, whole = (self.evidence(self.logits(each)).mean() for each in (changed, images))
        nothing = self.evidence(self.logits(self._grey.expand(1, 3, *images.shape[-2:]))).mean()
        return float((left - nothing) / (whole - nothing).clamp(min=1e-6)) if whole > nothing else float("nan")

    @torch.no_grad()
    def _effect(self, images: Image, layer: str, vector: Tensor, amounts: Tensor) -> tuple[float, dict[int, float]]:
        """Return the mean change of the label's evidence that a part makes, and those of the labels it raises most."""
        own, every = [], []
        for some, much in zip(images.split(BATCH), amounts.split(BATCH), strict=True):
            without = logits_with(self.net, some, layer, _less(much[:, None] * vector.view(1, -1, 1, 1)))
            without, with_it = without.float()[:, : self._count], self.logits(some)
            own.append(self.evidence(with_it) - self.evidence(without))
            every.append((with_it - with_it.mean(dim=1, keepdim=True)) - (without - without.mean(dim=1, keepdim=True)))
        raised, best, names = torch.cat(every).mean(dim=0), dict[int, float](), set[str]()
        for index in raised.topk(min(2 * ARGUED, self._count)).indices.tolist():
            name = self.net.card.labels[index][0]
            if name not in names and len(best) < ARGUED:  # two labels may have one name
                best[index] = float(raised[index])
            names.add(name)
        return float(torch.cat(own).mean()), best

    def _copies(self, images: Image, maps: Tensor, amounts: Tensor) -> tuple[float, ...]:
        """Return the label's evidence on grey with 0 to `COPIES` copies of the place where the part is strongest."""
        height, width = images.shape[-2:]
        side = max(4, round(min(height, width) * PASTED))
        best = int(amounts.amax(dim=(1, 2)).argmax())
        row, column = divmod(int(maps[best, 0].argmax()), width)
        top = min(max(0, row - side // 2), height - side)
        left = min(max(0, column - side // 2), width - side)
        cut = images[best, :, top : top + side, left : left + side]
        pages = self._grey.expand(1, 3, height, width).repeat(COPIES + 1, 1, 1, 1)
        for copy in range(COPIES):
            y = (copy // 3) * (height // 2) + (height // 2 - side) // 2
            x = (copy % 3) * (width // 3) + (width // 3 - side) // 2
            pages[copy + 1 :, :, y : y + side, x : x + side] = cut
        return tuple(self.evidence(self.logits(pages)).tolist())


def _less(taken: Tensor) -> Callable[[Features], Features]:
    return lambda activation: activation - taken.to(activation)


def verdict(label: str, parts: Sequence[Part], pictures: int) -> list[str]:
    """Return what the parts say of a label in sentences; `pictures` is how many there are.

    Parts are named by their number, from 1.
    """
    told = []
    small = [
        (number, each)
        for number, each in enumerate(parts, start=1)
        if each.area < LARGEST and len(each.having) >= FEWEST * pictures
    ]
    for number, each in small:
        have = len(each.having)
        them = f"the {have} pictures that have it" if have > 1 else "the picture that has it"
        if each.fires:
            told.append(
                f"Part {number} alone fires {label} in {each.alone:.0%} of {them}, with all else grey (another place "
                f"of the same form: {each.elsewhere:.0%}); it takes {each.area:.0%} of a picture."
            )
        if each.needed:
            told.append(
                f"Part {number} is needed: without it, {label} comes first in {each.without:.0%} of {them} instead of "
                f"{each.whole:.0%}."
            )
        if each.imagined >= FIRES:
            told.append(
                f"Part {number}, imagined alone, is taken for {label} with {each.imagined:.0%}: see whether its "
                f"picture shows {label} at all."
            )
        if each.effect >= NOTABLE and not each.own:
            *names, last = (name for name, _ in each.argues)
            told.append(
                f"Part {number} raises the logit of {label} by {each.effect:.1f}, but argues more for "
                f"{', '.join(names)} and {last}: it comes along."
            )
        if each.counts:
            told.append(f"Part {number} counts: each of three pasted copies raises the logit of {label} further.")
    if not any(each.fires or each.needed for _, each in small):
        told.append(
            f"No part of the pictures alone fires {label}, and none is needed by itself: the network looks for the "
            "whole."
        )
        if known := [each for each in small if each[1].keeps > 0]:
            number, best = max(known, key=lambda each: each[1].keeps)
            told.append(f"Part {number} alone keeps the most of its logit: {min(1.0, best.keeps):.0%}.")
    return told
