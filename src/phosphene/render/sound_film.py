"""The film of a sound's dream: its spectrogram, which is dreamt while the playhead comes closer, with the sound.

Up to the playhead one sees the finished sound, which is heard; ahead of it the sound as it was after fewer and fewer
steps, and in the end the source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from phosphene.loops.step import Step
from phosphene.media import atomic
from phosphene.media.sound.plot import LOUDEST, plot_sound
from phosphene.media.video.film import Film, FilmSettings
from phosphene.media.video.sound import Sound
from phosphene.media.work import WorkFolder
from phosphene.nets.card import SoundSpec
from phosphene.nets.ops.log_mel import LogMel, band_centres
from phosphene.types import Image

LOOKS = 24
"""Steps of a stretch that are shown, at most."""

LEAD, ENTERING = 3.0, 0.4
"""Seconds ahead of the playhead in which the dream forms, and the share of them in which its sketch is faded in."""

WINDOW, WHOLE = 10.0, 12.0
"""Seconds that are shown at once of a longer sound, and the longest sound that is shown as a whole."""

PLAYED = 0.4
"""Share of the window that lies before the playhead."""

RATE = 25


class SoundShown:
    """The spectrograms of a sound after several steps, kept in the work folder.

    Args:
        folder: the work folder.
        spec: how the network hears.
        places: where each stretch begins and ends, in the network's samples.
        steps: of ascent on a stretch.
        seconds: length of the sound.
    """

    def __init__(
        self, folder: WorkFolder, spec: SoundSpec, places: list[tuple[int, int]], steps: int, seconds: float
    ) -> None:
        steps = max(1, steps)
        self.spec, self.places, self.seconds = spec, places, seconds
        self._folder, self._log_mel = folder, LogMel(spec)
        self._steps = sorted({0, *(round(each) for each in np.linspace(1, steps, min(steps, LOOKS)))})
        self._looks = lru_cache(maxsize=4)(self._read)

    def add(self, step: Step) -> None:
        """Keep what the step shows, if it is one of those that are shown; the first one's source, too."""
        stretch = int(step.state["stretch"]) - (step.frame is not None)
        if stretch < 0:
            return
        change, source = step.image[0, 0].cpu()
        if step.step == 1:
            self._keep(stretch, 0, source)
        if step.step in self._steps:
            self._keep(stretch, step.step, source + change)

    def columns(self, begin: float, end: float, now: float) -> np.ndarray:
        """Return the spectrogram from `begin` to `end` in seconds with the playhead at `now`, `frames bands`."""
        rate = self.spec.rate / self.spec.hop
        times = np.arange(math.floor(begin * rate), max(math.floor(begin * rate) + 1, round(end * rate)))
        out = np.zeros((len(times), self.spec.bands), np.float32)
        formed = np.clip(1 - (times / rate - now) / LEAD, 0, 1)
        look = np.interp(formed, [0, ENTERING, 1], [0, 1, len(self._steps) - 1])
        before = np.minimum(look.astype(int), len(self._steps) - 2)
        share = (look - before)[:, None]
        starts = np.array([first for first, _ in self.places]) / self.spec.hop
        # In an overlap, from its middle on, the later stretch.
        middles = [0.0, *(((last + nxt) / 2) / self.spec.hop for (_, last), (nxt, _) in self._pairs)]
        stretch = np.searchsorted(middles, times, side="right") - 1
        for index in np.unique(stretch):
            looks, here = self._looks(int(index)), stretch == index
            place = np.clip(times[here] - round(starts[index]), 0, looks.shape[1] - 1)
            older, newer = (looks[before[here] + later, place] for later in (0, 1))
            out[here] = older + share[here] * (newer.astype(np.float32) - older)
        return out * (LOUDEST / 255)

    @property
    def _pairs(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return list(zip(self.places[:-1], self.places[1:], strict=True))

    def _keep(self, stretch: int, step: int, wave: torch.Tensor) -> None:
        with torch.no_grad():
            padded = torch.nn.functional.pad(wave, (0, max(0, self.spec.frame + 1 - len(wave))))
            heard = self._log_mel(padded[None])[0, 0]
        shades = (heard / LOUDEST).clamp(0, 1).mul(255).round().to(torch.uint8)
        with self._folder.refusing(), atomic.replacing(self._path(stretch, step)) as file:
            file.write(shades.numpy().tobytes())

    def _read(self, stretch: int) -> np.ndarray:
        return np.stack(
            [np.fromfile(self._path(stretch, step), np.uint8).reshape(-1, self.spec.bands) for step in self._steps]
        )

    def _path(self, stretch: int, step: int) -> Path:
        return self._folder.folder / f"look-{stretch:05d}-{step:05d}.u8"


class SoundFilm:
    """A film at `path` of what `shown` has kept, written as far as the sound is finished."""

    def __init__(
        self, path: Path, shown: SoundShown, recipe: str | None, environment: Mapping[str, object] | None
    ) -> None:
        self._shown, self._centres = shown, band_centres(shown.spec).tolist()
        self._frames = max(1, round(shown.seconds * RATE))
        blank = self._page(np.zeros((2, shown.spec.bands), np.float32), 0.0, 1.0, None)
        settings = FilmSettings((blank.shape[2], blank.shape[3]), Fraction(RATE))
        # After an interruption its frames are made again from the kept state, which takes little time.
        self._film = Film(path, settings, recipe=recipe, environment=environment, fresh=True)

    def add(self, step: Step) -> None:
        """Take in a step, and write what it finishes."""
        self._shown.add(step)
        if step.frame is not None:
            index = step.frame.index
            places = self._shown.places
            finished = math.inf if index + 1 == len(places) else places[index + 1][0] / self._shown.spec.rate
            self._advance(finished)

    def finish(self, sound: Path) -> None:
        """Write the frames that are left, and the film with the sound in the file `sound`."""
        self._advance(math.inf)
        self._film.finish(Sound(sound, Fraction(0)))

    def close(self) -> None:
        """Let go of the place."""
        self._film.close()

    def _advance(self, finished: float) -> None:
        while self._film.frames < self._frames:
            now = self._film.frames / RATE
            begin, end = self._window(now)
            if max(end, now + LEAD) > finished:
                return
            self._film.write(self._page(self._shown.columns(begin, end, now), begin, end - begin, now))
            if self._film.due:
                self._film.checkpoint(b"film")

    def _window(self, now: float) -> tuple[float, float]:
        seconds = self._shown.seconds
        if seconds <= WHOLE:
            return 0.0, seconds
        begin = min(max(0.0, now - PLAYED * WINDOW), seconds - WINDOW)
        return begin, begin + WINDOW

    def _page(self, columns: np.ndarray, begin: float, seconds: float, now: float | None) -> Image:
        return plot_sound(torch.from_numpy(columns), seconds, self._centres, begin=begin, now=now)
