"""Scores random views of images, and says in which direction the images should change.

Kept apart from the ascent, which turns directions into steps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

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
from phosphene.recipe.stills import ImagineSettings
from phosphene.transforms import Transform
from phosphene.types import Activations, Features, Image, Scores, Size

EVERY = 2
"""Only every second layer is compared with its activation statistics: neighbours say nearly the same."""


@dataclass(frozen=True)
class ViewSpec:
    """One kind of view: how many `views`, their `size`, and the shares of the image's height in `zoom`."""

    views: int
    size: Size
    zoom: tuple[float, float]


Augment = Callable[[ViewSpec, torch.Generator], Transform]
"""Makes the transform of one kind of view, which gives `views` images of `size` for each image."""

Look = Callable[[], tuple[Scores, Image]]
"""Computes the score of each image, and the direction in which it should change."""


def augmentation(settings: ImagineSettings, *, flip: bool) -> Augment:
    """Return the augmentation of these settings: views, some of them mirrored with `flip`, tinted and noisy."""

    def augment(view_spec: ViewSpec, generator: torch.Generator) -> Transform:
        views = transforms.views(
            view_spec.views,
            view_spec.size,
            zoom=view_spec.zoom,
            rotate=settings.rotate,
            flip=flip,
            generator=generator,
        )
        tint = transforms.tint(settings.tint, generator=generator)
        noise = transforms.noise(settings.noise, generator=generator)
        return transforms.compose([views, tint, noise])

    return augment


class Scorer:
    """Scores images for one objective in one network, and says in which direction they should change.

    Args:
        net: the network; it is copied, never changed.
        objective: a resolved expression.
        settings: the augmentation and the weights of the priors.
        dtype: the number format that the network runs in.
        flip: whether views are mirrored at random.
        augment: the augmentation, in place of that of the settings.
    """

    def __init__(
        self,
        net: Net,
        objective: Objective,
        settings: ImagineSettings,
        dtype: torch.dtype,
        *,
        flip: bool,
        augment: Augment | None = None,
    ) -> None:
        self._net = copy.deepcopy(net).to(dtype)
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = next(self._net.parameters()).device
        self._dtype = dtype
        self._memory = allocator.Keeper()
        self._objective = objective
        self._settings = settings
        self._augment = augment or augmentation(settings, flip=flip)
        self._weight = sum(abs(coefficient) for coefficient, _ in objective.terms())
        spatial = _spatial_layers(net, objective)
        self._statistics = _statistics(net, spatial[1::EVERY]) if settings.natural else {}
        # Images are told apart by a layer of middle depth: by texture and parts, and not by what they show.
        self._diverse = spatial[len(spatial) * 2 // 3] if spatial and settings.diversity else None
        diverse = set() if self._diverse is None else {self._diverse}
        self._layers = sorted({*objective.layers(), *self._statistics, *diverse})

    def __call__(
        self, image: Image, view_specs: Sequence[ViewSpec], generator: torch.Generator
    ) -> tuple[Scores, Image]:
        """Return the score of each image, and the direction in which it should change, both detached.

        The direction has a root mean square of 1 over each image, so that other influences on the image have the same
        weight for every objective.
        """
        return self.look(image, view_specs, generator)()

    @property
    def draws_early(self) -> bool:
        """Whether `look` draws all that is random, and what it returns nothing more."""
        return not self._settings.channel_dropout

    def look(self, image: Image, view_specs: Sequence[ViewSpec], generator: torch.Generator) -> Look:
        """Take the views, and return what scores them: what `__call__` returns, which another thread may compute."""
        leaf = image.detach().requires_grad_()
        seen = (self._seen(leaf, view_spec, generator) for view_spec in view_specs)
        return partial(self._score, leaf, view_specs, list(seen) if self.draws_early else seen, generator)

    def _score(
        self, leaf: Image, view_specs: Sequence[ViewSpec], seen: Iterable[Image], generator: torch.Generator
    ) -> tuple[Scores, Image]:
        n = len(leaf)
        scores = torch.zeros(n)
        wanted = torch.zeros(())
        total = sum(view_spec.views for view_spec in view_specs)
        with self._memory.step(leaf.shape):
            for view_spec, views in zip(view_specs, seen, strict=True):
                activations = self._activations(views, generator)
                mine = self._scores(activations, n) * (view_spec.views / total)
                scores = scores + mine.detach().to(leaf.device)
                wanted = wanted + mine.sum() + self._priors(activations, view_spec.views, n) * (view_spec.views / total)
            # In float16 the gradient of a mean would vanish; its length is set below.
            scale = leaf[0].numel() if self._dtype == torch.float16 else 1
            (gradient,) = torch.autograd.grad(wanted * scale, leaf)
        return scores, unit_length(gradient)

    @torch.no_grad()
    def evaluate(self, image: Image, view_spec: ViewSpec, generator: torch.Generator, times: int) -> Scores:
        """Return the mean score of each image over `times` looks, each with other channels dropped."""
        looks = (self._activations(self._seen(image, view_spec, generator), generator) for _ in range(times))
        return torch.stack([self._scores(each, len(image)) for each in looks]).mean(dim=0).to(image.device)

    def _seen(self, image: Image, view_spec: ViewSpec, generator: torch.Generator) -> Image:
        return self._augment(view_spec, generator)(image).to(self._device)

    def _activations(self, views: Image, generator: torch.Generator) -> Activations:
        dropped = self._settings.channel_dropout
        return apply_channel_dropout(self._net, views, self._layers, dropped, generator=generator)

    def _scores(self, activations: Activations, n: int) -> Scores:
        return self._objective(activations).view(n, -1).mean(dim=1)

    def _priors(self, activations: Activations, views: int, n: int) -> Float[Tensor, ""]:
        """Return what images should be like whatever they show, in the units of the objective."""
        pull = torch.zeros(())
        if self._statistics:
            losses = [
                feature_statistics_loss(activations[name], statistics, views)
                for name, statistics in self._statistics.items()
            ]
            pull = pull - self._settings.natural * torch.stack(losses).mean(dim=0).sum()
        if n > 1 and self._diverse:
            features = _side_by_side(activations[self._diverse], views)
            pull = pull + n * self._settings.diversity * diversity(features)
        return self._weight * pull


def unit_length(direction: Image) -> Image:
    """Return `direction` scaled to a root mean square of 1 over each image."""
    length = direction.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return direction / (length + torch.finfo(direction.dtype).tiny)


def _spatial_layers(net: Net, objective: Objective) -> list[str]:
    """Return the layers with positions, as deep as the objective looks."""
    names = list(net.card.layers)
    deepest = max(names.index(name) for name in objective.layers())
    return [name for name in names[: deepest + 1] if net.card.layer(name).receptive is not None]


def _statistics(net: Net, layers: Sequence[str]) -> dict[str, ActivationStatistics]:
    """Return the activation statistics of those of the layers whose statistics are known."""
    known = {name: net.card.layer(name).statistics for name in layers}
    return {name: statistics for name, statistics in known.items() if statistics is not None}


def _side_by_side(activation: Features, views: int) -> Float[Tensor, "pictures c rows w"]:
    """Return the positions of all views of an image as those of one tall image."""
    each = activation.unflatten(0, (-1, views))
    return each.transpose(1, 2).flatten(2, 3)
