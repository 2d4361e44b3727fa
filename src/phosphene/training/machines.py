"""The training of a Boltzmann machine, or of a stack of them, from the lowest to the highest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from phosphene.loops.ascent import part
from phosphene.loops.step import State, Step, number
from phosphene.recipe.learning import LearnRecipe
from phosphene.rng import fold_in
from phosphene.training.boltzmann import PARTS, Learner, Machine, Stack
from phosphene.training.classifier import contact_sheet
from phosphene.training.live import LiveState
from phosphene.training.pictures import TrainingPictures

STD = 0.25
"""The std of the noise that a machine expects in pixels, which are in [0, 1] and are divided by it."""

RATE = 0.01

UPDATES = 6_000
"""Updates of each machine by default."""

REPORT, TEST = 10, 100
"""Updates between events, and between tests."""

TESTED = 512


def updates(recipe: LearnRecipe, count: int) -> int:
    """Return the updates of each machine for this number of pictures."""
    assert not isinstance(recipe.epochs, str), "the recipe is resolved"
    return recipe.epochs * max(1, count // min(recipe.batch, count))


def epochs_for(count: int, batch: int) -> int:
    """Return the epochs that come to about `UPDATES`.

    >>> epochs_for(1600, 64)
    240
    """
    return max(1, math.ceil(UPDATES / max(1, count // min(batch, count))))


class Machines:
    """The machines that are trained, one after the other, on some pictures."""

    def __init__(self, pictures: TrainingPictures, recipe: LearnRecipe) -> None:
        self.pictures, self.recipe = pictures, recipe
        self.depth = 2 if recipe.model == "stack" else 1
        self.updates = updates(recipe, len(pictures.training))
        self.done: list[Machine] = []
        self.learner = self._begin()
        self.test: dict[str, float] = {}

    def stack(self) -> Stack:
        """Return the machines as they are, as one."""
        return Stack((*self.done, self.learner.machine), STD, self.pictures.store.side, self.pictures.channels)

    def batch(self, which: Any) -> Tensor:
        """Return pictures as visible units of the machine that learns."""
        units = self.pictures.take(which).flatten(1) / STD
        for machine in self.done:
            units = machine.hidden(units)
        return units

    def learn(self) -> dict[str, float]:
        """Take one step of the machine that learns; go on to the next one when it has learnt."""
        if self.learner.update == self.updates:
            self.done.append(self.learner.machine)
            self.learner = self._begin()
        batch = min(self.recipe.batch, len(self.pictures.training))
        epoch, place = divmod(self.learner.update, max(1, len(self.pictures.training) // batch))
        which = self.pictures.order(epoch)[place * batch : (place + 1) * batch]
        metrics = self.learner.learn(self.batch(which))
        if self.learner.update % TEST == 0 or self.learner.update == self.updates:
            some = self.batch(self.pictures.sample(TESTED))
            self.test = self.learner.test(
                some, self.batch(self.pictures.held[:: max(1, len(self.pictures.held) // TESTED)][:TESTED])
            )
        return {**metrics, **self.test}

    @property
    def step(self) -> int:
        """The updates of all machines so far."""
        return len(self.done) * self.updates + self.learner.update

    def _begin(self) -> Learner:
        """Return the learner of the next machine."""
        index = len(self.done)
        generator = torch.Generator().manual_seed(fold_in(self.recipe.seed, "machine", index))
        mean = self.batch(self.pictures.sample()).mean(0)
        width, rate = self.recipe.width, self.recipe.rate
        assert not isinstance(width, str), "the recipe is resolved"
        assert not isinstance(rate, str), "the recipe is resolved"
        machine = Machine.untrained(mean, width, gaussian=index == 0, generator=generator)
        return Learner(machine, rate, self.updates, fold_in(self.recipe.seed, "learner", index))

    def state(self) -> dict[str, Tensor]:
        """Return what training continues from, copied."""
        found = {f"learner.{name}": tensor for name, tensor in self.learner.state().items()}
        for index, machine in enumerate(self.done):
            found |= machine.tensors(f"done.{index}.")
        found |= {f"test.{name}": number(each) for name, each in self.test.items()}
        return {**found, "count": number(len(self.done))}

    def resume(self, state: State) -> None:
        """Continue from what `state` returned."""
        self.done = [
            Machine(**{name: state[f"done.{index}.{name}"] for name in PARTS}, gaussian=index == 0)
            for index in range(int(state["count"]))
        ]
        self.learner = self._begin()
        self.learner.resume(dict(part(state, "learner.")))
        self.test = {name: float(each) for name, each in part(state, "test.").items()}


def machine_steps(machines: Machines, *, state: State | None = None) -> Iterator[Step]:
    """Train all machines, yielding after every few updates; metrics are free energies and the share of dead units.

    Args:
        machines: what is trained.
        state: that of a step, to continue after it, to the same bytes.
    """
    if state is not None:
        machines.resume(state)
    total = machines.updates * machines.depth
    live = LiveState(machines.state)
    while machines.step < total:
        live.expire()
        metrics = machines.learn()
        while machines.step % REPORT and machines.step < total:
            metrics = machines.learn()
        live = LiveState(machines.state)
        stack = machines.stack()
        below = machines.learner.chains[0]
        shown = stack.images(stack.down(machines.learner.machine.visible(machines.learner.machine.hidden(below))))
        yield Step(
            stage="updates" if machines.depth == 1 else f"machine {len(machines.done) + 1} of {machines.depth}",
            step=machines.step,
            steps=total,
            progress=machines.step / total,
            image=contact_sheet(shown),
            scores=torch.tensor([metrics.get("held-out free energy", 0.0)]),
            state=live,
            metrics=metrics,
        )
