"""What a film can follow in a sound: how loud it is, where notes and beats begin, and how loud each band is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phosphene.media.sound.read import SoundFile
from phosphene.media.sound.resample import mixed_down

RATE, FRAME, HOP = 16_000, 1024, 320
"""In samples per second and samples: 64 ms, 50 times a second."""

STEP = HOP / RATE
BANDS = 24
LOWEST, HIGHEST = 40.0, 8000.0
"""Hz of the bands, which are equally wide on a logarithmic axis."""

FLOOR = 1e-7
"""Power of a band below which it is silent."""

QUIET, LOUD, RANGE = 10, 95, 12.0
"""Percentiles of the level that count as 0 and 1, and dB between them at least."""

SMOOTH = 0.25
"""Seconds over which levels are averaged."""

APART, AROUND = 0.1, 0.4
"""Seconds between two onsets at least, and around one with which it is compared."""

FADE = 0.18
"""Seconds in which an onset fades to a third."""


@dataclass(frozen=True)
class Music:
    """A sound over time, a value every `STEP` seconds, each from 0 to 1.

    Attributes:
        seconds: the length.
        loudness: from the sound's usual quiet to its usual loud.
        onsets: 1 at a strong beginning of a note or beat, fading after it.
        beats: when these are, in seconds.
        bands: the level of each of several bands, lowest first, `bands times`.
    """

    seconds: float
    loudness: np.ndarray
    onsets: np.ndarray
    beats: tuple[float, ...]
    bands: np.ndarray


def follow_music(sound: SoundFile, bands: int = 1) -> Music:
    """Return what a film can follow in a sound, with its spectrum divided into `bands`.

    The file streams; an hour takes about 20 MB. Raises `SoundError` for a file that ends early.
    """
    counted = _Counted(mixed_down(sound.blocks(), sound.rate, RATE))
    rows = list(_powers(counted))
    powers = np.concatenate(rows) if rows else np.zeros((1, BANDS), np.float32)
    groups = np.array_split(np.arange(BANDS), min(bands, BANDS))
    levels = np.stack([_level(powers[:, group].sum(axis=1)) for group in groups])
    onsets, beats = _onsets(powers)
    return Music(counted.samples / RATE, _level(powers.sum(axis=1)), onsets, beats, levels)


class _Counted:
    """Blocks, whose samples are counted as they pass."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        self._blocks, self.samples = blocks, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.samples += len(block)
            yield block


def _powers(blocks: _Counted) -> Iterator[np.ndarray]:
    """Yield the power in each band, `times bands`; each time is the middle of its frame."""
    window = np.hanning(FRAME).astype(np.float32)
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1)
    frequency = np.fft.rfftfreq(FRAME, 1 / RATE)
    # A band narrower than the distance of two bins has the nearest one.
    bins = [np.flatnonzero((frequency >= low) & (frequency < high)) for low, high in itertools.pairwise(edges)]
    bins = [each if len(each) else np.array([round(edges[i] * FRAME / RATE)]) for i, each in enumerate(bins)]
    held = np.zeros(FRAME // 2, np.float32)

    def rows(count: int) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(held, FRAME)[::HOP][:count]
        power = np.abs(np.fft.rfft(frames * window)) ** 2 / (FRAME * window.sum())
        return np.stack([power[:, each].sum(axis=1) for each in bins], axis=1).astype(np.float32)

    for block in blocks:
        held = np.concatenate((held, block))
        count = (len(held) - FRAME) // HOP + 1
        if count > 0:
            yield rows(count)
            held = held[count * HOP :]
    held = np.concatenate((held, np.zeros(FRAME, np.float32)))
    count = (len(held) - FRAME // 2) // HOP
    if count > 0:
        yield rows(count)


def _level(power: np.ndarray) -> np.ndarray:
    """Return a level from 0 to 1 over time, of a power."""
    decibels = 10 * np.log10(_averaged(power, SMOOTH) + FLOOR)
    low, high = np.percentile(decibels, [QUIET, LOUD])
    low = min(low, high - RANGE)
    level: np.ndarray = np.clip((decibels - low) / (high - low), 0, 1)
    return level * (decibels > 10 * math.log10(2 * FLOOR))  # silence stays silent, however quiet the rest


def _onsets(powers: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the onsets over time, and when they are: peaks of how much louder all bands become."""
    decibels = 10 * np.log10(powers + FLOOR)
    before = np.concatenate((np.full((2, powers.shape[1]), 10 * math.log10(FLOOR)), decibels))[: len(decibels)]
    rise = np.maximum(decibels - before, 0).clip(max=30).mean(axis=1)
    usual = _averaged(rise, AROUND)
    beyond = rise - usual
    reach = round(APART / STEP)
    padded = np.pad(beyond, reach, constant_values=-math.inf)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    peaks = np.flatnonzero((beyond >= highest) & (beyond > 1.0 + 0.5 * usual))
    onsets = np.zeros(len(rise))
    if len(peaks):
        strong = max(3.0, float(np.percentile(beyond[peaks], 90)))
        onsets[peaks] = np.clip(beyond[peaks] / strong, 0, 1)
    fade = math.exp(-STEP / FADE)
    for index in range(1, len(onsets)):
        onsets[index] = max(onsets[index], onsets[index - 1] * fade)
    return onsets, tuple(float(peak * STEP) for peak in peaks)


def _averaged(values: np.ndarray, seconds: float) -> np.ndarray:
    width = 2 * round(seconds / STEP / 2) + 1
    padded = np.pad(values, width // 2, mode="edge").astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(padded)))
    averaged: np.ndarray = np.maximum(sums[width:] - sums[:-width], 0) / width
    return averaged
