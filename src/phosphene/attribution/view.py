"""Shows a picture to a network near the size of the pictures that the network was trained on."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import nets
from phosphene.errors import SettingError
from phosphene.media.image import as_photograph
from phosphene.nets.base import Net
from phosphene.nets.card import Card
from phosphene.resampling import resize
from phosphene.types import Image, Size

FLATTEST = 4.0
"""The longest proportion that is kept; beyond it the short side would be too short to see anything on."""

LARGEST = 8
"""Of the net's own size: a larger photograph is first shrunk to it, once for all sizes that it is shown in."""

GREY = 0.5
"""The grey on which a transparent picture is laid."""


def network(net: str | Net) -> Net:
    """Return the network itself, or the one with this name; raise an error that lists similar names."""
    if not isinstance(net, str):
        return net
    with torch.random.fork_rng(devices=[]):  # making layers draws from it
        return nets.load(net)


def picture(source: object) -> Image:
    """Return the picture in a source as a copy, 1 3 h w; transparent parts are composited on grey.

    Raises `ImageError` for a file that is not a picture, and `SettingError` for a batch or what cannot be a source.
    """
    photo = as_photograph(source)  # type: ignore[arg-type]  # it answers anything
    if len(photo.image) != 1:
        raise SettingError(
            f"one picture is seen at a time, not a batch of {len(photo.image)}: give batch[i : i + 1]",
            setting="source",
            value=tuple(photo.image.shape),
        )
    if photo.alpha is None:
        return photo.image
    return photo.image.sub_(GREY).mul_(photo.alpha).add_(GREY)


def within_reach(image: Image, net: Net) -> Float[Tensor, "1 3 height width"]:
    """Move the picture to the network's device, downscaled to the largest useful size."""
    height, width = size_of(image)
    scale = net.card.input.size * LARGEST / math.sqrt(height * width)
    if scale < 1:
        image = resize(image, (max(1, round(height * scale)), max(1, round(width * scale)))).clamp_(0, 1)
    return image.to(next(net.parameters()).device)


def view(image: Image, card: Card, factor: float = 1.0) -> Float[Tensor, "n 3 height width"]:
    """Resize the picture to `factor` times the network's input size; return a copy if it has that size."""
    if card.input.sound is not None:
        raise SettingError(
            f"net {card.name!r} hears and does not see: ask what it hears", setting="net", value=card.name
        )
    return resize(image, view_size(size_of(image), card, factor)).clamp(0, 1)


def view_size(size: Size, card: Card, factor: float = 1.0) -> Size:
    """Return the size at which a picture of `size` is viewed: the area of a square of `factor` times the input size.

    Proportions are kept up to `FLATTEST`, and sides are whole strides of the deepest layer, so that its positions
    cover the picture evenly.

    >>> from phosphene.nets.zoo import pocket
    >>> view_size((300, 450), pocket.load().card)
    (48, 80)
    """
    height, width = size
    stride = max(layer.receptive.stride for layer in card.layers.values() if layer.receptive)
    tall = math.sqrt(min(max(height / width, 1 / FLATTEST), FLATTEST))
    strides = card.input.size * factor / stride
    return max(1, round(strides * tall)) * stride, max(1, round(strides / tall)) * stride


def size_of(image: Image) -> Size:
    """Return (height, width) in pixels."""
    return image.shape[-2], image.shape[-1]
