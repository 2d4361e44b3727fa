"""A finished sound from a source and what was dreamt: the change of every stretch, at the source's rate and loudness.

The change is mono and below half the rate at which the network hears. It is resampled and added to every channel alike,
so that the stereo image and all that lies above stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from phosphene.media.sound.loudness import Limiter, LoudnessMeter
from phosphene.media.sound.read import BLOCK
from phosphene.media.sound.resample import resampled
from phosphene.media.sound.write import SoundWriter

Blocks = Callable[[], Iterator[np.ndarray]]

MADE_LOUDNESS = -18.0
"""LUFS of a sound that is made from nothing."""

MOST_GAIN = 24.0
"""dB."""


def joined(parts: Sequence[Path], places: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Yield the change of all stretches: files of float32, crossfaded where they overlap."""
    held = np.zeros(0, np.float32)
    for index, (path, (begin, end)) in enumerate(zip(parts, places, strict=True)):
        part = np.fromfile(path, np.float32)[: end - begin]
        overlap = len(held)
        if overlap:
            fade = ((np.arange(overlap) + 0.5) / overlap).astype(np.float32)
            part[:overlap] = held * (1 - fade) + part[:overlap] * fade
        following = places[index + 1][0] - begin if index + 1 < len(places) else len(part)
        yield part[:following]
        held = part[following:]


def mixed(source: Blocks, change: Blocks, rate: int, heard_rate: int) -> Iterator[np.ndarray]:
    """Yield the source's blocks, `n channels`, with the change added to each channel."""
    changes = resampled(change(), heard_rate, rate)
    held = np.zeros(0, np.float32)
    for block in source():
        while len(held) < len(block) and (part := next(changes, None)) is not None:
            held = np.concatenate((held, part))
        here, held = held[: len(block)], held[len(block) :]
        out = block.copy()
        out[: len(here)] += here[:, None]
        yield out


def silence(seconds: float, rate: int) -> Iterator[np.ndarray]:
    """Yield blocks of a silent sound of one channel."""
    left = round(seconds * rate)
    while left > 0:
        yield np.zeros((min(left, BLOCK), 1), np.float32)
        left -= BLOCK


def write(
    writer: SoundWriter, source: Blocks, change: Blocks, rate: int, heard_rate: int, *, made: bool, ceiling: float
) -> None:
    """Write the source with the change, as loud as the source and never clipped; `made` is for one that was silent.

    `ceiling` is the largest sample.
    """
    before, after = None, None
    for block in mixed(source, change, rate, heard_rate):
        after = after or LoudnessMeter(rate, block.shape[1])
        after.add(torch.from_numpy(block.T))
    if not made:
        for block in source():
            before = before or LoudnessMeter(rate, block.shape[1])
            before.add(torch.from_numpy(block.T))
    wanted = MADE_LOUDNESS if before is None else before.loudness()
    now = wanted if after is None else after.loudness()
    gain = 10 ** (max(-MOST_GAIN, min(MOST_GAIN, wanted - now)) / 20) if math.isfinite(wanted - now) else 1.0
    limiter = None
    for block in mixed(source, change, rate, heard_rate):
        limiter = limiter or Limiter(rate, block.shape[1], ceiling)
        writer.write(limiter.add(torch.from_numpy(block.T) * gain).T.numpy())
    if limiter is not None:
        writer.write(limiter.flush().T.numpy())


def copy(writer: SoundWriter, source: Blocks) -> None:
    """Write the source as it is."""
    for block in source():
        writer.write(block)
