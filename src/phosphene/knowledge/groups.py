"""What a layer sees in a photo as few groups: factors of its activations, each a colour over the photo with its icon.

Source: Olah et al., "The Building Blocks of Interpretability" (Distill 2018), "Matrix factorization".
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import check
from phosphene.knowledge.atlas import SETTINGS
from phosphene.knowledge.factors import non_negative_factors
from phosphene.knowledge.icons import icon_steps
from phosphene.loops.arithmetic import Arithmetic
from phosphene.media.image.captions import captioned
from phosphene.nets.base import Net
from phosphene.nets.intervention import can_intervene, logits_with
from phosphene.objectives.functions.direction import Direction
from phosphene.recipe.stills import ImagineSettings
from phosphene.resampling import resize
from phosphene.types import Features, Image

ICON, STEPS, POWER = 112, 64, 2.0
"""Side of an icon, its steps of ascent, and the power of the cosine in its objective."""

LONGEST = 720
"""Longest side in pixels of the photo in the picture."""

DIM, INK, EDGE, GAP = 0.75, 0.8, 5, 10
"""How light the photo is beneath colours and how much they cover it; width of an icon's edge and of gaps, in pixels."""

LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Groups:
    """The groups of one photo, the largest first.

    Attributes:
        layer: whose activations are grouped.
        vectors: `count c`, each group's direction in the layer, of length 1.
        maps: `count 1 rows columns`, how much of each group is where, 0 to 1.
        shares: of all activation, one for each group; they add up to 1.
        labels: the label whose logit each group raises most, "" where that is not known.
        icons: `count 3 s s`, each group imagined alone.
    """

    layer: str
    vectors: Tensor
    maps: Float[Tensor, "count 1 rows columns"]
    shares: tuple[float, ...]
    labels: tuple[str, ...]
    icons: Tensor


def groups(
    image: Image, net: Net, *, layer: str | None = None, count: int = 5, steps: int | None = None, size: int = ICON
) -> Groups:
    """Take a layer's activations of a picture (1 3 h w, near the net's input size) apart into non-negative groups.

        groups(picture, net, layer="block11").labels    # ('goldfish', 'lakeside', ...)

    Args:
        image: as the network is to see it.
        net: any network with a card.
        layer: one with positions; by default the one that the network dreams of best.
        count: groups, from 1 to the layer's channels.
        steps: of ascent for each group's icon; None for `STEPS`.
        size: side of an icon in pixels.

    Raises:
        SettingError: for a count out of range, or a layer without positions.
        UnknownNameError: for a layer that the network does not have.
    """
    card = net.card.layer(net.card.default_target if layer is None else layer)
    check("layer", card.name, card.receptive is not None, "a layer with positions")
    check("count", count, 1 <= count <= card.channels, f"1 to {card.channels}, the channels of {card.name}")
    arithmetic = Arithmetic(0)
    with torch.no_grad():
        features = net(image, [card.name])[card.name].float().cpu()
    rows, columns = features.shape[-2:]
    amounts, vectors = non_negative_factors(features[0].flatten(1).T, count, generator=arithmetic.rng("factors"))
    maps = amounts.T.reshape(count, 1, rows, columns)
    total = amounts.sum(dim=0)
    directions = [Direction(f"group {i}", card.name, power=POWER, vector=each) for i, each in enumerate(vectors)]
    settings: ImagineSettings = SETTINGS.model_copy(update={"steps": steps or STEPS, "views": 1})
    *_, last = icon_steps(
        net, directions, settings, arithmetic=arithmetic, size=size, dtype=next(net.parameters()).dtype
    )
    return Groups(
        layer=card.name,
        vectors=vectors,
        maps=maps / maps.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12),
        shares=tuple((total / total.sum().clamp(min=1e-12)).tolist()),
        labels=_labels(net, image, card.name, maps, vectors),
        icons=last.image,
    )


@torch.no_grad()
def _labels(net: Net, image: Image, layer: str, amounts: Tensor, vectors: Tensor) -> tuple[str, ...]:
    """Return the label whose logit, beside the mean label's, falls most when a group is taken out of the layer."""
    if not can_intervene(net, layer):
        return ("",) * len(vectors)
    known = len(net.card.labels)

    def logits(taken: Tensor) -> Tensor:
        def less(activation: Features) -> Features:
            return activation - taken.to(activation)

        found = logits_with(net, image, layer, less)[0, :known].float()
        return found - found.mean()

    whole = logits(torch.zeros(1))
    lost = [
        whole - logits(much[None] * vector.view(1, -1, 1, 1)) for much, vector in zip(amounts, vectors, strict=True)
    ]
    return tuple(net.card.labels[int(each.argmax())][0] for each in lost)


def groups_picture(image: Image, found: Groups) -> Tensor:
    """Return the photo in the groups' colours, and beneath it the icon of each, framed in its colour, `1 3 h w`."""
    height, width = image.shape[-2:]
    scale = LONGEST / max(height, width)
    photo = resize(image.cpu(), (max(1, round(height * scale)), max(1, round(width * scale))), clamp=True)
    colours = torch.tensor(palette(len(found.vectors)))
    painted = _painted(photo, found.maps, colours)
    side = found.icons.shape[-1] + 2 * EDGE
    cells = colours[:, :, None, None].expand(-1, -1, side, side).clone()
    cells[:, :, EDGE:-EDGE, EDGE:-EDGE] = found.icons
    texts = [(label or f"group {i + 1}", f"{share:.0%}") for i, (label, share) in enumerate(_told(found))]
    columns = min(len(cells), max(1, (photo.shape[-1] + GAP) // (side + GAP)))
    return _stacked([painted, captioned(cells, texts, columns, GAP)])


def _told(found: Groups) -> Sequence[tuple[str, float]]:
    return list(zip(found.labels, found.shares, strict=True))


def _painted(photo: Tensor, maps: Tensor, colours: Tensor) -> Tensor:
    grey = (photo * photo.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    much = F.interpolate(maps, photo.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)
    ink = torch.einsum("nxhw,nc->chw", much, colours)[None] / much.sum(dim=0, keepdim=True).clamp(min=1e-6)
    cover = INK * much.amax(dim=0, keepdim=True)
    shaded = ink * (0.35 + 0.65 * grey / grey.max().clamp(min=1e-6))
    return torch.lerp((grey * DIM).expand_as(photo), shaded, cover).clamp(0, 1)


def _stacked(pictures: Sequence[Tensor]) -> Tensor:
    width = max(each.shape[-1] for each in pictures)
    rows = [F.pad(each, (0, width - each.shape[-1], 0, GAP), value=1.0) for each in pictures]
    return torch.cat(rows, dim=2)[:, :, : -GAP or None]


def palette(count: int) -> list[tuple[float, float, float]]:
    """Return colours as far apart in hue as there is room for, RGB in [0, 1].

    >>> len(set(palette(6)))
    6
    """
    return [colorsys.hsv_to_rgb((0.02 + i / count) % 1, 0.75 if i % 2 else 0.9, 1.0) for i in range(count)]
