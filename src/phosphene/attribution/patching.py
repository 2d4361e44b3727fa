"""What a network makes of a photo when part of a layer is that of another photo: activation patching.

Source: Heimersheim and Nanda, "How to use and interpret activation patching" (2024).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from phosphene import nets
from phosphene.attribution.sight import LABEL_SIZES, averaged, class_target, probabilities, with_mirror
from phosphene.attribution.view import network, picture, size_of, view_size, within_reach
from phosphene.errors import SettingError
from phosphene.nets.base import Net
from phosphene.nets.intervention import changed, check_open
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.objectives.features import Channel, Layer
from phosphene.objectives.name import spread
from phosphene.resampling import resize
from phosphene.types import Features, Image, Size

_NUMBER = r"\s*([0-9]*\.?[0-9]+)\s*"
_PLACE = re.compile(rf'\s*("[^"]*"[^,@]*|[^,@"]+)(?:@{_NUMBER},{_NUMBER}(?:\.\.{_NUMBER},{_NUMBER})?)?\s*')


@dataclass(frozen=True)
class Patch:
    """Part of a layer.

    Attributes:
        layer: its name.
        channels: the channels, from 0; None for all of them.
        left, top, right, bottom: the rectangle, 0 to 1; every position that it touches is meant.
    """

    layer: str
    channels: tuple[int, ...] | None = None
    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def mask(self, features: Features) -> Bool[Tensor, "1 c rows columns"]:
        """Return which of a layer's activations are meant."""
        channels, rows, columns = features.shape[1:]
        chosen = torch.zeros(1, channels, rows, columns, dtype=torch.bool, device=features.device)
        down, along = _touched(self.top, self.bottom, rows), _touched(self.left, self.right, columns)
        chosen[:, slice(None) if self.channels is None else list(self.channels), down, along] = True
        return chosen


class PatchedLabel(NamedTuple):
    """A label, the target that asks for it, and its probability in a photo, in it patched, and in the other photo."""

    label: str
    target: str
    probability: float
    patched: float
    other: float


def read_patches(text: str, net: Net) -> tuple[Patch, ...]:
    """Return the parts of layers that a text names, separated by commas.

        read_patches("block13:3, block13:40..44, block12@0,0..0.5,1", net)

    A part is a layer, a channel or several, everywhere or at a position `@x,y` or rectangle `@left,top..right,bottom`.

    Raises:
        ExpressionError: for a text that cannot be read, or a channel that the layer does not have.
        UnknownNameError: for a layer that the network does not have.
        SettingError: for anything else than such parts, places outside the picture, layers without positions, or a
            network whose inside is closed.
    """
    found, at = [], 0
    while at <= len(text):
        match = _PLACE.match(text, at)
        if match is None or text[match.end() : match.end() + 1] not in ("", ","):
            raise _wrong(text[at:].strip(), text)
        found += _patches(match, net, text)
        at = match.end() + 1
    return tuple(found)


@torch.no_grad()
def patched_labels(
    source: object, other: object, patches: str | Sequence[Patch], *, net: str | Net = nets.RECOGNISES, count: int = 5
) -> tuple[PatchedLabel, ...]:
    """Tell how labels change when parts of layers, for a picture, are replaced by what they are for another one.

        patched_labels("dog.jpg", "cat.jpg", "block13:0..40")[0]    # PatchedLabel('Egyptian cat', ...)

    The other picture is cropped to the proportions of the first. If every channel of a layer is replaced everywhere,
    and none passes it by, the labels are those of the other picture.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w), of any size.
        other: the picture that activations are taken from, likewise.
        patches: the parts of layers, as `read_patches` reads them.
        net: a network, or its name.
        count: the largest number of labels to tell: those whose probability changes most.

    Raises:
        ImageError: for a file that is not a picture.
        SettingError: for something that cannot be a source, a network without labels, and as `read_patches`.
        UnknownNameError: for an unknown net or layer.
    """
    net = network(net)
    parts = read_patches(patches, net) if isinstance(patches, str) else tuple(patches)
    if net.card.classes is None:
        raise SettingError(f"net {net.card.name!r} knows no labels: choose another", setting="net", value=net.card.name)
    image = within_reach(picture(source), net)
    given = _cropped(within_reach(picture(other), net), size_of(image))
    before, after, theirs = probabilities(image, net), _patched(image, given, parts, net), probabilities(given, net)
    most = (after - before).abs().argsort(descending=True, stable=True)[:count].tolist()
    return tuple(
        PatchedLabel(
            net.card.labels[index][0],
            class_target(net.card, index),
            *(float(each[index]) for each in (before, after, theirs)),
        )
        for index in most
    )


def _patched(image: Image, other: Image, patches: Sequence[Patch], net: Net) -> Tensor:
    """Return each label's probability in the patched picture, `k`, in the views that `probabilities` averages."""
    classes, names = net.card.classes, sorted({each.layer for each in patches})
    assert classes is not None, "it is checked"
    found = []
    for factor in LABEL_SIZES:
        size = view_size(size_of(image), net.card, factor)
        shown, donor = (with_mirror(resize(each, size).clamp(0, 1)) for each in (image, other))
        given = net(donor, names)
        with ExitStack() as hooks:
            for each in patches:
                mask = each.mask(given[each.layer])
                replaced = _replaced(given[each.layer], torch.cat((mask, mask.flip(3))))
                hooks.enter_context(changed(net, each.layer, replaced))
            # The layers themselves are asked for too, so that no fused operation steps over them.
            found.append(net(shown, [*names, classes])[classes])
    return averaged(found, net.card)


def _replaced(given: Features, mask: Tensor) -> Callable[[Features], Features]:
    return lambda activation: torch.where(mask, given, activation)


def _cropped(image: Image, like: Size) -> Image:
    """Return the middle of a picture in the proportions of `like`, (height, width)."""
    height, width = size_of(image)
    tall = like[0] / like[1]
    rows, columns = min(height, max(1, round(width * tall))), min(width, max(1, round(height / tall)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[..., top : top + rows, left : left + columns]


def _touched(low: float, high: float, count: int) -> slice:
    first = min(int(low * count), count - 1)
    return slice(first, max(first + 1, min(count, -int(-high * count // 1))))


def _patches(match: re.Match[str], net: Net, text: str) -> list[Patch]:
    what, *numbers = match.groups()
    left, top, right, bottom = _rectangle([None if each is None else float(each) for each in numbers], match[0], text)
    found: dict[str, list[int] | None] = {}
    for each in spread(what):
        node = resolve(parse(each), net.card)
        if not isinstance(node, Layer | Channel):
            raise _wrong(match[0].strip(), text)
        layer = net.card.layer(node.layer)
        if layer.receptive is None:
            raise SettingError(f"{layer.name} has no positions: patch a layer before it", setting="patch", value=text)
        check_open(net, layer.name)
        if isinstance(node, Layer):
            found[layer.name] = None
            continue
        found[layer.name] = [*(found.get(layer.name) or []), node.index]
    return [
        Patch(name, None if channels is None else tuple(channels), left, top, right, bottom)
        for name, channels in found.items()
    ]


def _rectangle(numbers: list[float | None], part: str, text: str) -> tuple[float, float, float, float]:
    x, y, right, bottom = numbers
    if x is None or y is None:
        return 0.0, 0.0, 1.0, 1.0
    right, bottom = (x, y) if right is None or bottom is None else (right, bottom)
    if not (0 <= x <= right <= 1 and 0 <= y <= bottom <= 1):
        raise SettingError(
            f"places go from 0,0 at the top left to 1,1, and from left,top to right,bottom, but {part.strip()!r} was "
            "asked for",
            setting="patch",
            value=text,
        )
    return x, y, right, bottom


def _wrong(part: str, text: str) -> SettingError:
    return SettingError(
        "patch must be layers or channels, perhaps at a place, as in mixed4c, mixed4c:0..15 or mixed4c@0,0..0.5,1, "
        f"but is {part!r}",
        setting="patch",
        value=text,
    )
