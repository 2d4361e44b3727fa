"""The arithmetic of phosphene 0.1.0, for recipes of version 1: the same pixels as it made, to the byte."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from phosphene.loops.arithmetic import Arithmetic, Optimizer
from phosphene.loops.step import State, number
from phosphene.transforms import Draw


class Version1(Arithmetic):
    """Arithmetic that derives random numbers and moves parameters as 0.1.0 did.

    It knows these paths; 0.1.0 had no labels, and numbers of different purposes could be the same.

    - `at("frame", i)`, `at("batch", i)`
    - `rng("noise")`: a picture of noise that a dream starts from, and the first canvas of `lucid`
    - `rng("canvas")`, `rng("views", octave, step)`, `rng("sketches", octave)`: of `imagine` and `morph`
    - `draws("jitter", octave, step)` of `dream`, `draws("transforms", step)` of `lucid`
    """

    catches_up = False

    def at(self, *path: int | str) -> Arithmetic:
        label, index = path
        if label == "batch":
            return self if index == 0 else Version1(self._random(index).getrandbits(63))
        assert label == "frame", path
        return Version1(self._random(index).getrandbits(32))

    def rng(self, *path: int | str) -> torch.Generator:
        label, *place = path
        if label == "noise":
            return torch.Generator().manual_seed(self.seed)
        if label == "canvas":
            place = [0, -1]
        elif label == "sketches":
            place = [*place, -1]
        else:
            assert label == "views", path
        return torch.Generator().manual_seed(self._random(*place).getrandbits(63))

    def draws(self, *path: int | str) -> Draw:
        label, *place = path
        assert label in ("jitter", "transforms"), path
        return self._random(*place).randint

    def optimizer(self, parameter: nn.Parameter, betas: tuple[float, float]) -> Optimizer:
        return _Adam(parameter, betas)

    def _random(self, *place: int | str) -> random.Random:
        return random.Random("/".join(map(str, (self.seed, *place))))


class _Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015, algorithm 1), uphill, in the order of operations of 0.1.0."""

    def __init__(self, parameter: nn.Parameter, betas: tuple[float, float]) -> None:
        self.parameter = parameter
        self._betas = betas
        self._steps = 0
        self._mean = torch.zeros_like(parameter)
        self._square = torch.zeros_like(parameter)

    def step(self, gradient: Tensor, rate: float | Tensor) -> None:
        self._steps += 1
        first, second = self._betas
        self._mean = self._mean.lerp(gradient, 1 - first)
        self._square = self._square.lerp(gradient.square(), 1 - second)
        unbiased = (self._square / (1 - second**self._steps)).sqrt() + torch.finfo(self._square.dtype).tiny
        moved = self.parameter.detach() + rate / (1 - first**self._steps) * self._mean / unbiased
        with torch.no_grad():
            self.parameter.copy_(moved)

    def state(self) -> State:
        return {"steps": number(self._steps), "mean": self._mean, "square": self._square}

    def resume(self, state: State) -> None:
        self._steps = int(state["steps"])
        self._mean, self._square = (state[name].to(self.parameter.device) for name in ("mean", "square"))


def arithmetic_for(version: int, seed: int) -> Arithmetic:
    """Return the arithmetic of recipes of this version."""
    return (Version1 if version == 1 else Arithmetic)(seed)
