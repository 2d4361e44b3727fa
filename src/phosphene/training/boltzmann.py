"""Restricted Boltzmann machines: they learn what pictures look like, without classes, and dream by Gibbs chains.

A machine gives every state of its visible units v (pixels, in stds) and hidden units h (0 or 1) an energy:

    E(v, h) = |v - b|^2 / 2 - (v - m)^T W (h - l) - c^T h        (Gaussian visible units)

Learning lowers the energy of pictures and raises that of what the machine dreams: chains that are never restarted
(persistent contrastive divergence), at several temperatures that exchange their states, so that none is stuck. The
means m and l are kept in the middle (centring), which keeps learning stable.

Sources: Hinton, "Training Products of Experts by Minimizing Contrastive Divergence" (2002). Tieleman, "Training
Restricted Boltzmann Machines using Approximations to the Likelihood Gradient" (ICML 2008). Cho, Raiko and Ilin,
"Improved Learning of Gaussian-Bernoulli Restricted Boltzmann Machines" (ICANN 2011): tempering. Montavon and Müller,
"Deep Boltzmann Machines and the Centering Trick" (2012). Hinton, Osindero and Teh, "A Fast Learning Algorithm for Deep
Belief Nets" (2006): stacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.rng import fold_in

TEMPERED = (1.0, 0.9, 0.8, 0.65, 0.5)
"""How much the coupling counts in the chains of each temperature; the first are the machine's own."""

CHAINS = 64
MOMENTUM = 0.5
DECAY = 2e-4
"""How much the weights are drawn towards zero with each update, in learning rates."""

SLIDING = 0.01
"""How fast the means of the hidden units follow."""

PARTS = ("weight", "visible_bias", "hidden_bias", "visible_mean", "hidden_mean")


@dataclass
class Machine:
    """One restricted Boltzmann machine; all tensors are float32, `weight` is visible x hidden.

    `gaussian` says that the visible units are numbers of unit variance; else they are 0 or 1.
    """

    weight: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    visible_mean: Tensor
    hidden_mean: Tensor
    gaussian: bool

    @classmethod
    def untrained(cls, mean: Tensor, hidden: int, *, gaussian: bool, generator: torch.Generator) -> Machine:
        """Return a machine for visible units of this mean, that knows nothing else."""
        weight = 0.01 * torch.randn(len(mean), hidden, generator=generator)
        bias = mean.clone() if gaussian else torch.logit(mean.clamp(0.01, 0.99))
        half = torch.full((hidden,), 0.5)
        return cls(weight, bias, torch.zeros(hidden), mean.clone(), half, gaussian)

    def hidden(self, v: Tensor, coupling: Tensor | float = 1.0) -> Tensor:
        """Return the probabilities of the hidden units, `... hidden`, for visible ones, `... visible`."""
        return torch.sigmoid(coupling * (self.hidden_bias + (v - self.visible_mean) @ self.weight))

    def visible(self, h: Tensor, coupling: Tensor | float = 1.0) -> Tensor:
        """Return the means of the visible units for hidden ones."""
        driven = self.visible_bias + coupling * ((h - self.hidden_mean) @ self.weight.T)
        return driven if self.gaussian else torch.sigmoid(driven)

    def sampled(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Return visible units drawn around their means."""
        if self.gaussian:
            return mean + torch.randn(mean.shape, generator=generator)
        return torch.bernoulli(mean, generator=generator)

    def sweep(self, v: Tensor, generator: torch.Generator, coupling: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the visible units after one step of the chain, and their means."""
        h = torch.bernoulli(self.hidden(v, coupling), generator=generator)
        mean = self.visible(h, coupling)
        return self.sampled(mean, generator), mean

    def free_energy(self, v: Tensor) -> Tensor:
        """Return the free energy of visible units, one number for each row: low for what the machine expects."""
        driven = self.hidden_bias + (v - self.visible_mean) @ self.weight
        own = (v - self.visible_bias).square().sum(-1) / 2 if self.gaussian else -(v @ self.visible_bias)
        return own + (v - self.visible_mean) @ (self.weight @ self.hidden_mean) - F.softplus(driven).sum(-1)

    def coupled(self, driven: Tensor, coupling: Tensor) -> Tensor:
        """Return the part of the free energy that depends on the coupling, a number for each row.

        `driven` is what the visible units drive the hidden ones with, `(v - m)^T W`.
        """
        return coupling * (driven @ self.hidden_mean) - F.softplus(
            coupling[..., None] * (self.hidden_bias + driven)
        ).sum(-1)

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """Return the machine's tensors by name."""
        return {f"{prefix}{name}": getattr(self, name) for name in PARTS}


class Learner:
    """A machine, its chains and the momentum of its weights: everything that training changes."""

    def __init__(self, machine: Machine, rate: float, updates: int, seed: int) -> None:
        self.machine, self.rate, self.updates, self.seed = machine, rate, updates, seed
        self.update = 0
        generator = torch.Generator().manual_seed(fold_in(seed, "chains"))
        shape = (len(TEMPERED), CHAINS, len(machine.visible_bias))
        self.chains = machine.sampled(machine.visible(machine.hidden_mean).expand(shape), generator)
        self._means = self.chains[0]
        self._momentum = torch.zeros_like(machine.weight)
        self.activity = torch.full_like(machine.hidden_bias, 0.5)

    def learn(self, v: Tensor) -> dict[str, float]:
        """Take one step with a batch of visible units, `n visible`; return how it went."""
        machine = self.machine
        generator = torch.Generator().manual_seed(fold_in(self.seed, "update", self.update))
        self._wander(generator)
        dreamt = self.chains[0]
        seen, imagined = machine.hidden(v), machine.hidden(dreamt)
        rate = self.rate * (1 - self.update / self.updates) + self.rate * 0.02
        gradient = _correlation(machine, v, seen) - _correlation(machine, dreamt, imagined)
        self._momentum.mul_(MOMENTUM).add_(gradient - DECAY * machine.weight)
        machine.weight.add_(self._momentum, alpha=rate)
        machine.visible_bias.add_(v.mean(0) - dreamt.mean(0), alpha=rate)
        machine.hidden_bias.add_(seen.mean(0) - imagined.mean(0), alpha=rate)
        self._centre(seen.mean(0))
        self.update += 1
        self.activity.lerp_(seen.mean(0), 0.02)
        error = (machine.visible(seen) - v).square().mean()
        return {"loss": float(error), "rate": rate}

    def _centre(self, mean: Tensor) -> None:
        """Let the means of the hidden units follow, without a change of the machine's distribution."""
        machine = self.machine
        change = SLIDING * (mean - machine.hidden_mean)
        machine.visible_bias.add_(machine.weight @ change)
        machine.hidden_mean.add_(change)

    def _wander(self, generator: torch.Generator) -> None:
        """Take one step of all chains, then let neighbouring temperatures exchange some of their states."""
        coupling = torch.tensor(TEMPERED)[:, None, None]
        self.chains, means = self.machine.sweep(self.chains, generator, coupling)
        self._means = means[0]
        driven = (self.chains - self.machine.visible_mean) @ self.machine.weight
        for low in range(self.update % 2, len(TEMPERED) - 1, 2):
            both, turned = coupling[low : low + 2, 0], coupling[[low + 1, low], 0]
            pair = driven[low : low + 2]
            gain = (self.machine.coupled(pair, both) - self.machine.coupled(pair, turned)).sum(0)
            swap = torch.rand(CHAINS, generator=generator).log() < gain
            one, two = self.chains[low].clone(), self.chains[low + 1].clone()
            self.chains[low] = torch.where(swap[:, None], two, one)
            self.chains[low + 1] = torch.where(swap[:, None], one, two)

    def test(self, training: Tensor, held: Tensor) -> dict[str, float]:
        """Return mean free energies, per visible unit, and the share of hidden units that are always on or off."""
        generator = torch.Generator().manual_seed(fold_in(self.seed, "noise"))
        machine = self.machine
        noise = machine.sampled(machine.visible_mean.expand(CHAINS, -1), generator)
        several = {"training": training, "held-out": held, "fantasy": self._means, "noise": noise}
        units = len(machine.visible_bias)
        found = {f"{name} free energy": float(machine.free_energy(v).mean()) / units for name, v in several.items()}
        dead = ((self.activity < 0.005) | (self.activity > 0.995)).double().mean()
        return {**found, "dead units": float(dead)}

    def state(self) -> dict[str, Tensor]:
        """Return what training continues from, copied."""
        found = {name: tensor.clone() for name, tensor in self.machine.tensors().items()}
        found |= {"chains": self.chains.clone(), "momentum": self._momentum.clone(), "activity": self.activity.clone()}
        found["means"] = self._means.clone()
        return {**found, "update": torch.tensor(self.update)}

    def resume(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        for name in PARTS:
            setattr(self.machine, name, state[name].clone())
        self.chains, self._momentum = state["chains"].clone(), state["momentum"].clone()
        self._means = state["means"].clone()
        self.activity, self.update = state["activity"].clone(), int(state["update"])


def _correlation(machine: Machine, v: Tensor, h: Tensor) -> Tensor:
    return (v - machine.visible_mean).T @ (h - machine.hidden_mean) / len(v)


@dataclass(frozen=True)
class Stack:
    """One machine, or several, each of which has learnt what the hidden units of the one below do.

    `mean` and `std` turn pixels in [0, 1] into the visible units of the first.
    """

    machines: tuple[Machine, ...]
    std: float
    side: int
    channels: int

    def units(self, images: Tensor) -> Tensor:
        """Return images, `n channels side side` in [0, 1], as visible units of the lowest machine."""
        return images.flatten(1) / self.std

    def images(self, v: Tensor) -> Tensor:
        """Return visible units as images."""
        return (v * self.std).unflatten(1, (self.channels, self.side, self.side)).clamp(0, 1)

    def up(self, v: Tensor) -> Tensor:
        """Return what the highest machine sees for visible units of the lowest."""
        for machine in self.machines[:-1]:
            v = machine.hidden(v)
        return v

    def down(self, v: Tensor) -> Tensor:
        """Return the means of the lowest machine's visible units for visible units of the highest."""
        for machine in reversed(self.machines[:-1]):
            v = machine.visible(v)
        return v

    def chain(
        self,
        count: int,
        *,
        seed: int,
        known: Tensor | None = None,
        where: Tensor | None = None,
        sweep: int = 0,
        state: Tensor | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images of `count` Gibbs chains, `n channels side side`, and their state, after each sweep.

        Args:
            count: number of chains.
            seed: of the chains.
            known: visible units, `n visible` in the lowest machine's units, that are clamped ...
            where: ... at the units that are true here.
            sweep: the sweep to begin with.
            state: the state after the sweep before; None to begin from the machine's means.
        """
        top = self.machines[-1]
        if state is None:
            generator = torch.Generator().manual_seed(fold_in(seed, "start"))
            state = top.sampled(top.visible(top.hidden_mean).expand(count, -1), generator)
        while True:
            generator = torch.Generator().manual_seed(fold_in(seed, "sweep", sweep))
            if known is not None and where is not None:
                below = torch.where(where, known, self.down(state) if len(self.machines) > 1 else state)
                state = self.up(below)
            state, mean = top.sweep(state, generator)
            shown = self.down(mean)
            if known is not None and where is not None:
                shown = torch.where(where, known, shown)
            yield self.images(shown), state
            sweep += 1
