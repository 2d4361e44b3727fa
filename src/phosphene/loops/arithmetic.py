"""The arithmetic that a recipe's version fixes: how random numbers are derived, and how parameters are moved.

A recipe must give the same pixels in later versions of phosphene. Whatever could change them without being a setting is
asked of an `Arithmetic`; `phosphene.loops.version1` has that of recipes of version 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

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
    """Adam, uphill, with a rate for each step (Kingma and Ba, ICLR 2015).

    PyTorch's function, not its class, which imports PyTorch's compiler: that takes seconds.
    """

    def __init__(self, parameter: nn.Parameter, betas: tuple[float, float]) -> None:
        self.parameter = parameter
        self._betas = betas
        self._steps = torch.zeros(())
        self._mean, self._square = torch.zeros_like(parameter), torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: float | Tensor) -> None:
        moved = self.parameter.clone()
        adam(
            [moved],
            [gradient],
            [self._mean],
            [self._square],
            [],
            [self._steps],
            foreach=False,
            has_complex=moved.is_complex(),
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=1.0,
            weight_decay=0.0,
            eps=TINY,  # so that a scaled objective takes the same steps
            maximize=True,
        )
        self.parameter.lerp_(moved, rate)  # Adam itself takes one rate for the whole parameter

    def state(self) -> State:
        return {"steps": number(int(self._steps)), "mean": self._mean.clone(), "square": self._square.clone()}

    def resume(self, state: State) -> None:
        self._steps = state["steps"].float()
        self._mean = state["mean"].to(self.parameter.device, copy=True)
        self._square = state["square"].to(self.parameter.device, copy=True)
