"""The report that every loop yields after each step, and the state that a loop resumes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from phosphene.errors import RecipeError
from phosphene.types import Image

State = Mapping[str, Tensor]
"""A state to resume from: tensors only, so that reading it from a file runs no code. Numbers are 0-d tensors."""


@dataclass(frozen=True)
class Frame:
    """A finished frame of a film.

    Attributes:
        index: counted from 0.
        time: seconds from the beginning of the film.
        pts: presentation time in the film's ticks, if frames do not simply follow at the film's rate.
        duration: in the same ticks.
    """

    index: int
    time: float
    pts: int | None = None
    duration: int | None = None


@dataclass(frozen=True)
class Step:
    """One step of a loop, after which the caller may show, save, cancel or resume.

    Attributes:
        stage: the current part of the work in plain words, such as "octave 2 of 5", "sketch", "shape", "frame".
        step: steps done in this stage, from 1.
        steps: steps of this stage; None if unknown.
        progress: share of all the work that is done, by cost, 0 to 1.
        image: the pictures so far, `n c h w`, never changed by later steps; for films the newest frame.
        scores: the objective's values, one for each picture that was looked at.
        state: what the same loop resumes from, to the same bytes.
        frame: the finished frame of a film; None for a step that finishes none.
        metrics: further numbers by name, such as a network's accuracy while it learns.
        note: a sentence for the user, if there is one.
    """

    stage: str
    step: int
    steps: int | None
    progress: float
    image: Image = field(repr=False)
    scores: Float[Tensor, " several"] = field(repr=False)
    state: State = field(repr=False, compare=False)
    frame: Frame | None = None
    metrics: Mapping[str, float] = field(default_factory=dict, repr=False)
    note: str | None = None

    @property
    def score(self) -> float:
        """The mean of the scores. Reading it waits for a graphics card."""
        return float(self.scores.mean())


def pack(state: State) -> bytes:
    """Return a state as bytes, in the safetensors format."""
    return save({name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()})


def unpack(data: bytes) -> State:
    """Return the state that `pack` wrote; raises `RecipeError` for anything else."""
    try:
        return load(data)
    except (SafetensorError, ValueError) as problem:
        raise RecipeError(f"the saved state of unfinished work cannot be read: {problem}") from None


def number(value: float) -> Tensor:
    """Return a number as a state holds it: whole numbers exactly, others in double precision."""
    return torch.tensor(value) if isinstance(value, int) else torch.tensor(value, dtype=torch.float64)
