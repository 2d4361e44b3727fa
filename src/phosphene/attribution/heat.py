"""Where in a picture a network finds a target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene import nets
from phosphene.attribution.sight import see
from phosphene.attribution.view import network, picture, size_of, view, view_size, within_reach
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.resampling import resize
from phosphene.types import Image

HEAT_SIZES = (1.0, 2.0, 3.0)
"""Of the net's own. At the first there are few positions, and what is small in the picture is lost in the others'
responses; the larger ones find it. Maps add up as they are, so that a size counts as much as it finds."""

LUMINANCE = (0.2126, 0.7152, 0.0722)

VEIL, CONTRAST = 0.18, 0.3
"""A picture without evidence is dark grey, and keeps this much of its contrast: enough to be recognised,
and another grey than night or snow have, so that light and dark photographs read alike."""


def heatmap(source: object, target: str | Objective | None = None, *, net: str | Net = nets.RECOGNISES) -> Image:
    """Return the picture, 1 3 h w, with its own colours where it is evidence for `target`, and grey elsewhere.

        write_image("where.png", heatmap("cup.jpg", "class:espresso"))

    Takes and raises what `evidence` does.
    """
    image = picture(source)
    veil = 1 - evidence(image, target, net=net).to(image.device)
    grey = (image * image.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    return image.lerp_(grey.mul_(CONTRAST).add_(VEIL).expand_as(image), veil)


def evidence(
    source: object, target: str | Objective | None = None, *, net: str | Net = nets.RECOGNISES
) -> Float[Tensor, "1 1 h w"]:
    """Return how much each place of the picture is evidence for `target`, from 0 (none, or against) to 1 (most).

        evidence("cup.jpg", "class:espresso").shape     # torch.Size([1, 1, 400, 600])

    For each term of the target: response times the gradient of the term with respect to it, summed over channels, at
    each position of the term's layer. This is HiResCAM (Draelos and Carin, arXiv 2011.08891, 2020), the form of
    Grad-CAM (Selvaraju et al., ICCV 2017) in which a position counts with its own gradient. For a channel it is the
    response itself. Classes are explained at the layer whose mean they are computed from, where it is the class
    activation map (Zhou et al., CVPR 2016). The maps of all terms and `HEAT_SIZES` are added up and enlarged smoothly.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w), of any size.
        target: text or an expression; None for the top label, or channel where the net has no classes.
        net: a network, or its name.

    Raises:
        ExpressionError: for a target that cannot be read, or scored on this net.
        UnknownNameError: for a net, layer or label that is not there.
        ImageError: for a file that is not a picture.
        SettingError: for something that cannot be a source.
    """
    net = network(net)
    image = picture(source)
    size = size_of(image)
    image = within_reach(image, net)
    if target is None:
        sight = see(image, net=net, count=1)
        target = (*(each.target for each in sight.labels), *(each.target for each in sight.channels))[0]
    objective = resolve(parse(str(target)), net.card, partial(_guide, net))
    finest = view_size(size, net.card, max(HEAT_SIZES))
    total = torch.zeros(1, 1, *finest, device=image.device)
    for factor in HEAT_SIZES:
        for found in contributions(net, objective, view(image, net.card, factor)):
            # Bicubic would overshoot, and find evidence beside regions that speak against the target.
            total += F.interpolate(found, finest, mode="bilinear", align_corners=False)
    total.clamp_(min=0)
    total /= total.max().clamp(min=torch.finfo(total.dtype).tiny)  # all 0 without any evidence
    return F.interpolate(total, size, mode="bicubic", align_corners=False).clamp_(0, 1)


def contributions(net: Net, objective: Objective, image: Image) -> Iterator[Float[Tensor, "1 1 rows columns"]]:
    """Return the share of each position in each term, times the number of positions, so that grids compare."""
    card = net.card
    # A layer without positions is explained at the last layer before it that has some.
    last = card.pooled or [name for name, layer in card.layers.items() if layer.receptive and layer.name == name][-1]
    explained = {name: name if card.layer(name).receptive else last for name in objective.layers()}
    with torch.enable_grad():
        activations = net(image.requires_grad_(), {*explained, *explained.values()})
        for coefficient, leaf in objective.terms():
            features = activations[explained[leaf.layer]]
            score = coefficient * leaf.score(activations[leaf.layer]).sum()
            (gradient,) = torch.autograd.grad(score, features, retain_graph=True)
            each = (features * gradient).sum(dim=1, keepdim=True).detach()
            yield each * each.numel()


def _guide(net: Net, path: str, layer: str, side: int | None = None) -> Float[Tensor, "c rows columns"]:
    image = within_reach(picture(path), net)
    if side is not None:
        height, width = size_of(image)
        scale = side / max(height, width)
        image = resize(image, (max(1, round(height * scale)), max(1, round(width * scale)))).clamp(0, 1)
    with torch.no_grad():
        return net(image, [layer])[layer][0]
