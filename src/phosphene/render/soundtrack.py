"""The sound that a film follows: keyframes made from it, and where the film has it from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.media.sound.music import STEP, Music, follow_music
from phosphene.media.sound.read import SoundFile, open_sound
from phosphene.media.video.sound import Sound
from phosphene.recipe import FileSource
from phosphene.recipe.keyframes import Keys, read_track, write_track
from phosphene.render import sources
from phosphene.render.job import Given

TOLERANCE = 0.06
"""By how much keyframes may miss a curve, as a share of its range."""

MOST_KEYS = 1500
"""Of a track: so many that its recipe still fits into a film's comment. A longer sound is followed more coarsely."""

SPEED, PACE, INTENSITY = (0.3, 0.7, 2.5), (0.3, 0.8, 3.0), (0.5, 0.6, 0.8)
"""Each factor's value in silence, and what full loudness and an onset add; that of speed is an exponent."""

LEAST_WEIGHT = 0.05
"""Of a target whose band is silent."""


@dataclass(frozen=True)
class Soundtrack:
    """A sound to follow. `name` is how recipes name it; `shift` is the film's time at which it begins, in seconds."""

    name: FileSource
    file: SoundFile
    music: Music
    shift: float = 0.0

    def sound(self, end: float | None) -> Sound:
        """Return the sound for a film that ends at `end`."""
        return Sound(self.file.path, Fraction(0), None, None if end is None else Fraction(end))

    def keys(self, asked: Mapping[str, str], weights: str | None = None, targets: int = 1) -> dict[str, Any]:
        """Return the settings that follow the sound: what is asked for as one number, and weights if there are none.

        Keyframes stay as they are.
        """
        found: dict[str, Any] = {}
        for name, text in asked.items():
            track = read_track(text)
            if len(track.times) == 1 and "s:" not in text.replace(" ", ""):
                found[name] = self._written(FOLLOWED[name](track.values[0][0], self.music)[:, None])
        if weights is None and targets > 1:
            shares = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * self.music.bands.T
            found["weights"] = self._written(shares)
        return found

    def _written(self, values: np.ndarray) -> str:
        indices = simplified(values, MOST_KEYS)
        times = tuple(round(float(index * STEP + self.shift), 3) for index in indices)
        track = Keys(times, tuple(tuple(round(float(each), 3) for each in values[index]) for index in indices))
        text = write_track(track)
        return text if len(indices) > 1 else f"0s: {text}"


def _factor(music: Music, parts: tuple[float, float, float]) -> np.ndarray:
    factor: np.ndarray = parts[0] + parts[1] * music.loudness + parts[2] * music.onsets
    return factor


FOLLOWED: Mapping[str, Callable[[float, Music], np.ndarray]] = {
    "speed": lambda number, music: number ** _factor(music, SPEED),
    "pace": lambda number, music: number * _factor(music, PACE),
    "intensity": lambda number, music: number * _factor(music, INTENSITY),
}
"""How each setting follows the music from the number that was asked for."""


def open_soundtrack(sound: FileSource | None, bands: int, given: Given, shift: float = 0.0) -> Soundtrack | None:
    """Return the sound that a recipe names, listened to; None for none.

    Raises `RecipeError` if it is not found or has changed, `SoundError` if it cannot be read.
    """
    if sound is None:
        return None
    file = sources.find(sound, given.path, given.look_in, open_sound, "sound", lambda found: found.sha256)
    name = FileSource(path=Path(os.path.abspath(file.path)).as_posix(), sha256=file.sha256)
    return Soundtrack(name, file, follow_music(file, bands), shift)


def simplified(values: np.ndarray, most: int) -> Sequence[int]:
    """Return which of `values`, `times numbers`, are enough for straight lines between them to miss none by much.

    After Ramer (1972) and Douglas and Peucker (1973). With more than `most`, the lines may miss by more.
    """
    scale = np.ptp(values, axis=0).max() or 1.0
    tolerance = TOLERANCE
    while True:
        kept = _kept(values / scale, tolerance)
        if len(kept) <= most:
            return kept
        tolerance *= 1.5


def _kept(values: np.ndarray, tolerance: float) -> list[int]:
    kept, open_ = {0, len(values) - 1}, [(0, len(values) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        share = (np.arange(first + 1, last) - first)[:, None] / (last - first)
        line = values[first] + share * (values[last] - values[first])
        missed = np.abs(values[first + 1 : last] - line).max(axis=1)
        worst = int(missed.argmax())
        if missed[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return sorted(kept)
