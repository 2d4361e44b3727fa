"""The arithmetic that a recipe's version fixes: how random numbers are derived, and how parameters are moved.

A recipe must give the same pixels in later versions of phosphene. Whatever could change them without being a setting is
asked of an `Arithmetic`; `phosphene.loops.version1` has that of recipes of version 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from phosphene.loops.step import State, number
from phosphene.rng import fold_in
from phosphene.transforms import Draw

TINY = torch.finfo(torch.float32).tiny


class Optimizer(ABC):
    """Moves one parameter tensor uphill."""

    parameter: nn.Parameter

    @abstractmethod
    def step(self, gradient: Tensor, rate: float | Tensor) -> None:
        """Move the parameter in place; `rate` is a number, or a tensor that broadcasts to the parameter."""

    @abstractmethod
    def state(self) -> State:
        """Return what `resume` continues from; not the parameter itself. Later steps do not change it."""

    @abstractmethod
    def resume(self, state: State) -> None:
        """Continue from what `state` returned."""


class Arithmetic:
    """The arithmetic of current recipes.

    Args:
        seed: the seed of the recipe, or one derived from it.
    """

    catches_up = True
    """Video: whether regions that have come into view are dreamt on further (`phosphene.loops.new_regions`)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def at(self, *path: int | str) -> Arithmetic:
        """Return the arithmetic of a part of the work, such as ("frame", 3) or ("batch", 1)."""
        return type(self)(fold_in(self.seed, *path))

    def rng(self, *path: int | str) -> torch.Generator:
        """Return the RNG for one purpose at one place, such as ("views", octave, step)."""
        return torch.Generator().manual_seed(fold_in(self.seed, *path))

    def draws(self, *path: int | str) -> Draw:
        """Return a source of whole numbers for one purpose at one place."""
        generator = self.rng(*path)
        return lambda low, high: int(torch.randint(low, high + 1, (), generator=generator))

    def integers(self, low: int, high: int, count: int, *path: int | str) -> list[int]:
        """Return `count` whole numbers from `low` to `high`, both included."""
        draw = self.draws(*path)
        return [draw(low, high) for _ in range(count)]

    def optimizer(self, parameter: nn.Parameter, betas: tuple[float, float]) -> Optimizer:
        """Return Adam for this parameter, with these decay rates of its moments."""
        return Adam(parameter, betas)


class Adam(Optimizer):
    """`torch.optim.Adam`, uphill, with a rate for each step (Kingma and Ba, ICLR 2015)."""

    def __init__(self, parameter: nn.Parameter, betas: tuple[float, float]) -> None:
        self.parameter = parameter
        # With the smallest epsilon, a scaled objective takes the same steps.
        self._adam = torch.optim.Adam([parameter], lr=1.0, betas=betas, eps=TINY, maximize=True)

    def step(self, gradient: Tensor, rate: float | Tensor) -> None:
        before = self.parameter.detach().clone()
        self.parameter.grad = gradient
        self._adam.step()
        self.parameter.grad = None
        with torch.no_grad():  # Adam itself takes one rate for the whole parameter
            self.parameter.copy_(before.lerp(self.parameter, rate))

    def state(self) -> State:
        kept = self._adam.state[self.parameter]
        if not kept:
            zeros = torch.zeros_like(self.parameter)
            return {"steps": number(0), "mean": zeros, "square": zeros}
        return {
            "steps": number(int(kept["step"])),
            "mean": kept["exp_avg"].clone(),
            "square": kept["exp_avg_sq"].clone(),
        }

    def resume(self, state: State) -> None:
        self._adam.state[self.parameter] = {
            "step": state["steps"].float(),
            "exp_avg": state["mean"].to(self.parameter.device, copy=True),
            "exp_avg_sq": state["square"].to(self.parameter.device, copy=True),
        }
