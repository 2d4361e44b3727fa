"""Scores excerpts of sounds in a network, and finds the direction in which a sound should change."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.nets.base import Net
from phosphene.nets.ops.channel_dropout import apply_channel_dropout
from phosphene.nets.ops.log_mel import LogMel
from phosphene.objectives.base import Objective
from phosphene.objectives.feature_statistics import feature_statistics_loss
from phosphene.recipe.sounds import SoundSettings
from phosphene.transforms.sound import equalised, excerpts
from phosphene.types import Scores

BATCH = 2
"""Sounds that are compared at once."""


class Listener:
    """Hears sounds through random changes, as `settings` say, and scores them.

    Args:
        net: a network that takes sound.
        objectives: resolved expressions; a sound's score is their sum, each times a weight.
        settings: those of the recipe.
    """

    def __init__(self, net: Net, objectives: tuple[Objective, ...], settings: SoundSettings) -> None:
        spec = net.card.input.sound
        assert spec is not None, "the builder has checked that the network hears"
        self.spec = spec
        self._net, self._objectives, self._settings = net, objectives, settings
        self._log_mel = LogMel(spec).to(next(net.parameters()).device)
        self._device = next(net.parameters()).device
        named = {name for objective in objectives for name in objective.layers()}
        order = list(net.card.layers)
        deepest = max(order.index(name) for name in named)
        known = {name: net.card.layers[name].statistics for name in order[: deepest + 1]} if settings.natural else {}
        self._statistics = {name: statistics for name, statistics in known.items() if statistics is not None}
        self._layers = sorted({*named, *self._statistics})
        self._weight = sum(abs(factor) for objective in objectives for factor, _ in objective.terms())

    def direction(
        self, wave: Float[Tensor, "n samples"], weights: Tensor, generator: torch.Generator
    ) -> tuple[Scores, Float[Tensor, "n samples"]]:
        """Return the mean score of the excerpts, and the direction in which they score higher and are natural."""
        leaf = wave.detach().requires_grad_()
        found = self._heard(leaf, self._settings.views, generator)
        scores = self._scores(found, weights)
        wanted = scores.mean()
        if self._statistics:
            losses = [
                feature_statistics_loss(found[name], statistics, len(found[name])).mean()
                for name, statistics in self._statistics.items()
            ]
            wanted = wanted - self._settings.natural * self._weight * torch.stack(losses).mean()
        (gradient,) = torch.autograd.grad(wanted, leaf)
        return scores.detach().mean(dim=0, keepdim=True).cpu(), gradient

    @torch.no_grad()
    def compare(
        self, waves: Float[Tensor, "n samples"], weights: Tensor, looks: int, generator: torch.Generator
    ) -> Scores:
        """Return the mean score of each sound over `looks` random excerpts, the same channels dropped for all."""
        parts = []
        for batch in waves.split(BATCH):
            scores = self._scores(self._heard(batch, looks, generator), weights)
            parts.append(scores.view(len(batch), looks).mean(dim=1))
        return torch.cat(parts).cpu()

    def _heard(self, waves: Tensor, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        seen = excerpts(waves, count, self.spec.samples, self._settings.speed, generator=generator)
        log_mel = self._log_mel(seen.to(self._device))[:, :, : self.spec.frames]
        log_mel = equalised(log_mel, self.spec.gain, generator=generator)
        share = self._settings.channel_dropout
        return apply_channel_dropout(self._net, log_mel, self._layers, share, generator=generator)

    def _scores(self, found: dict[str, Tensor], weights: Tensor) -> Scores:
        scores = torch.stack([objective(found) for objective in self._objectives])
        return (weights[:, None].to(scores) * scores).sum(dim=0)
