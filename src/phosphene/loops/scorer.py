"""Who looks at pictures that are being imagined: views through thinned networks, scored, and judged as photographs.

Kept apart from the loop, which turns what the beholder wants into steps.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import transforms
from phosphene.gradients import allocator
from phosphene.nets.base import Net
from phosphene.nets.card import ActivationStatistics
from phosphene.nets.ops.channel_dropout import apply_channel_dropout
from phosphene.objectives.base import Objective
from phosphene.objectives.feature_statistics import feature_statistics_loss
from phosphene.objectives.priors import diversity
from phosphene.types import Activations, Features, Image, Scores, Size

EVERY = 2
"""Only every second layer is compared with its usual level: neighbours say nearly the same, and each takes time."""


@dataclass(frozen=True)
class ViewSpec:
    """Where views look: so many `views`, of `size`, at shares of the picture's height in `zoom`."""

    views: int
    size: Size
    zoom: tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """How a beholder looks, whatever it looks for; `loops.imagine.ImagineSettings` says what each is."""

    rotate: float
    flip: bool
    tint: float
    noise: float
    thin: float
    natural: float
    diversity: float


class Scorer:
    """Scores pictures for one objective in one network, and says in which direction they should change.

    `dtype` is what the network runs in; the network is copied, never changed.
    """

    def __init__(self, net: Net, objective: Objective, augmentation: Augmentation, dtype: torch.dtype) -> None:
        card = net.card
        self._net = copy.deepcopy(net).to(dtype)
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = next(self._net.parameters()).device
        self._dtype = dtype
        self._memory = allocator.Keeper()
        self._objective = objective
        self._augmentation = augmentation
        self._weight = sum(abs(coefficient) for coefficient, _ in objective.terms())
        names = list(card.layers)
        deepest = max(names.index(name) for name in objective.layers())
        spatial = [name for name in names[: deepest + 1] if card.layer(name).receptive is not None]
        statistics = {name: card.layer(name).statistics for name in spatial[1::EVERY]} if augmentation.natural else {}
        self._statistics: dict[str, ActivationStatistics] = {
            name: level for name, level in statistics.items() if level is not None
        }
        # Pictures are told apart by a layer of middle depth: by texture and parts, and not by what they show.
        self._telling = spatial[len(spatial) * 2 // 3] if spatial else None
        telling = {self._telling} if self._telling and augmentation.diversity else set()
        self._layers = sorted({*objective.layers(), *self._statistics, *telling})

    def __call__(
        self, image: Image, view_specs: Sequence[ViewSpec], generator: torch.Generator
    ) -> tuple[Scores, Image]:
        """The score of each picture, and the direction in which it should change: both detached.

        The direction has a root mean square of 1 over each picture, so that what else pulls at the picture has the same
        weight whatever is looked for.
        """
        with self._memory.step(image.shape):
            return self._see(image, view_specs, generator)

    def _see(self, image: Image, view_specs: Sequence[ViewSpec], generator: torch.Generator) -> tuple[Scores, Image]:
        n = len(image)
        leaf = image.detach().requires_grad_()
        scores = torch.zeros(n)
        wanted = torch.zeros(())
        total = sum(view_spec.views for view_spec in view_specs)
        for view_spec in view_specs:
            activations = self._look(leaf, view_spec, generator)
            mine = self._scores(activations, n) * (view_spec.views / total)
            scores = scores + mine.detach().to(image.device)
            wanted = wanted + mine.sum() + self._priors(activations, view_spec.views, n) * (view_spec.views / total)
        scale = leaf[0].numel() if self._dtype == torch.float16 else 1  # or it would vanish; its length is set below
        (gradient,) = torch.autograd.grad(wanted * scale, leaf)
        length = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return scores, gradient / (length + torch.finfo(gradient.dtype).tiny)

    @torch.no_grad()
    def evaluate(self, image: Image, view_spec: ViewSpec, generator: torch.Generator, times: int) -> Scores:
        """The mean score of each picture over `times` glances, each through another thinned network."""
        looks = (self._scores(self._look(image, view_spec, generator), len(image)) for _ in range(times))
        return torch.stack(list(looks)).mean(dim=0).to(image.device)

    def _look(self, image: Image, view_spec: ViewSpec, generator: torch.Generator) -> Activations:
        augmentation = self._augmentation
        views = transforms.views(
            view_spec.views,
            view_spec.size,
            zoom=view_spec.zoom,
            rotate=augmentation.rotate,
            flip=augmentation.flip,
            generator=generator,
        )
        pale = transforms.tint(augmentation.tint, generator=generator)
        grain = transforms.noise(augmentation.noise, generator=generator)
        seen = transforms.compose([views, pale, grain])(image).to(self._device)
        return apply_channel_dropout(self._net, seen, self._layers, augmentation.thin, generator=generator)

    def _scores(self, activations: Activations, n: int) -> Scores:
        return self._objective(activations).view(n, -1).mean(dim=1)

    def _priors(self, activations: Activations, views: int, n: int) -> Float[Tensor, ""]:
        """What pictures should be like, whatever they show; in the units of the objective, however it is scaled."""
        pull = torch.zeros(())
        if self._statistics:
            each = [
                feature_statistics_loss(activations[name], level, views) for name, level in self._statistics.items()
            ]
            pull = pull - self._augmentation.natural * torch.stack(each).mean(dim=0).sum()
        if n > 1 and self._augmentation.diversity and self._telling:
            features = _side_by_side(activations[self._telling], views)
            pull = pull + n * self._augmentation.diversity * diversity(features)
        return self._weight * pull


def _side_by_side(activation: Features, views: int) -> Float[Tensor, "pictures c rows w"]:
    """The positions of all views of a picture as those of one tall picture."""
    each = activation.unflatten(0, (-1, views))
    return each.transpose(1, 2).flatten(2, 3)
