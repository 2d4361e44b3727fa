"""A synthesizer for sketches: what takes the place that sketches made of noise have among pictures.

A patch is a vector of numbers from 0 to 1. It describes two voices of harmonic notes (register, scale, rhythm,
envelope, spectrum, formants, vibrato, chorus), a drum kit, a bed of noise and a room. What is played at any moment is a
function of the patch, the seed and the place on the grid of its rhythm, so that any part of a long sound can be
rendered by itself.

Gradient ascent on noise gives a haze that only the network itself takes for music. A sketch has partials and onsets
from the start, which ascent then shapes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from phosphene.rng import fold_in

VOICES = 2
_VOICE, _KIT, _REST = 24, 20, 8
SIZE = VOICES * _VOICE + _KIT + _REST
"""Numbers in a patch."""

LONGEST = 4.0
"""Seconds of the longest note."""

BED = 0.08
"""Loudest noise relative to the loudest other part, where 0.3 made hazes of dreams, since notes and hits have gaps."""

_TABLE = 2048
_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
    (0, 1, 4, 5, 7, 8, 10),
    (0, 4, 7, 12),
    (0, 7),
)
_HIGHEST = 7600.0
_BEAT_STEPS = 16


def render(patch: Tensor, seed: int, begin: int, samples: int, rate: int = 16_000) -> Tensor:
    """Return part of what a patch plays, `samples` from `begin` on, with a root mean square of about 1.

    >>> render(torch.full((SIZE,), 0.5), 0, begin=-4000, samples=16000).shape
    torch.Size([16000])
    """
    genes = patch.double().numpy()
    parts, room = genes[: VOICES * _VOICE].reshape(VOICES, _VOICE), genes[VOICES * _VOICE + _KIT :]
    echo = int(_between(room[5], 0.2, 1.5) * rate)
    first = begin - echo
    sound = np.zeros(samples + echo)
    kit = genes[VOICES * _VOICE : VOICES * _VOICE + _KIT]
    levels = [_level(voice[0]) for voice in parts]
    drums = _level(kit[0])
    if not drums and not any(levels):
        levels[0] = 1.0  # silence pleases some tags
    for index, (voice, level) in enumerate(zip(parts, levels, strict=True)):
        if level > 0:
            sound += level * _play_voice(voice, fold_in(seed, "voice", index), first, len(sound), rate)
    if drums > 0:
        sound += drums * _play_kit(kit, fold_in(seed, "kit"), first, len(sound), rate)
    if (bed := _level(room[0]) * BED * max(drums, *levels)) > 0:
        sound += bed * _play_bed(room, fold_in(seed, "bed"), first, len(sound), rate)
    wet = max(0.0, room[6] * 1.4 - 0.7)
    if wet > 0:
        sound += wet * _reverberated(sound, echo, fold_in(seed, "room"))
    return torch.from_numpy(sound[echo:]).float()


def random_patch(generator: torch.Generator) -> Tensor:
    """Return a patch drawn at random."""
    return torch.rand(SIZE, generator=generator)


def mutated(patch: Tensor, generator: torch.Generator, share: float = 0.3, amount: float = 0.25) -> Tensor:
    """Return the patch with a random `share` of its numbers moved by about `amount`."""
    moved = torch.rand(SIZE, generator=generator) < share
    step = amount * torch.randn(SIZE, generator=generator)
    return torch.where(moved, (patch + step).clamp(0, 1), patch)


def crossed(first: Tensor, second: Tensor, generator: torch.Generator) -> Tensor:
    """Return a patch with each voice, the kit and the rest from either of two."""
    sizes = [_VOICE] * VOICES + [_KIT, _REST]
    chosen = [int(each) for each in torch.randint(0, 2, (len(sizes),), generator=generator)]
    parts = [
        pair[which]
        for which, pair in zip(chosen, zip(first.split(sizes), second.split(sizes), strict=True), strict=True)
    ]
    return torch.cat(parts)


def _between(gene: float, low: float, high: float) -> float:
    return low * (high / low) ** gene


def _level(gene: float) -> float:
    """Return a part's level: silent for the lower third, then up to 1."""
    return 0.0 if gene < 0.35 else 10 ** ((gene - 1) * 1.5)


def _play_voice(g: np.ndarray, seed: int, begin: int, samples: int, rate: int) -> np.ndarray:
    gap, out = _between(g[1], 0.11, 2.0), np.zeros(samples)
    scale, chord = _SCALES[min(int(g[2] * len(_SCALES)), len(_SCALES) - 1)], 1 + int(g[3] * 3.99)
    root, played = 33 + 36 * g[4], 0.55 + 0.45 * g[5]
    first = math.floor((begin / rate - LONGEST) / gap)
    for step in range(first, math.ceil((begin + samples) / rate / gap) + 1):
        rng = np.random.default_rng(fold_in(seed, "step", step))
        draws = rng.random(4)
        if draws[0] > played:
            continue
        chord_root = np.random.default_rng(fold_in(seed, "chord", step // 8)).integers(0, 4)
        onset = (step + (draws[1] - 0.5) * 0.15 * g[6]) * gap
        degree = int(chord_root + draws[2] * 8 * g[7])
        for member in range(chord):
            place = degree + 2 * member
            pitch = root + 12 * (place // len(scale)) + scale[place % len(scale)]
            note = _note(g, 440 * 2 ** ((pitch - 69) / 12), gap, rng, rate)
            _add(out, note * (0.7 + 0.3 * draws[3]) / math.sqrt(chord), round(onset * rate) - begin)
    return _levelled(out)


def _note(g: np.ndarray, pitch: float, gap: float, rng: np.random.Generator, rate: int) -> np.ndarray:
    attack, decay = _between(g[8], 0.003, 0.4), _between(g[9], 0.08, 6.0)
    held = gap * _between(g[10], 0.5, 2.5)
    length = min(LONGEST, held + 0.15, attack + 6 * decay)
    time = np.arange(max(64, int(length * rate))) / rate
    release = np.clip((length - time) / 0.1, 0, 1)
    envelope = np.minimum(time / attack, 1) * np.exp(-time / decay) * release
    full = _spectrum(g, pitch, bright=True)
    dull = _spectrum(g, pitch, bright=False)
    fading = np.exp(-time / _between(g[11], 0.03, 3.0))
    depth = 0.0 if g[12] < 0.5 else _between(2 * g[12] - 1, 0.002, 0.02)
    out = np.zeros(len(time))
    count = (1, 1, 2, 3, 5)[min(4, int(g[14] * 5))]
    for _ in range(count):
        off = 1 + (_between(g[15], 0.001, 0.01) * rng.uniform(-1, 1) if count > 1 else 0)
        swing = depth * np.sin(2 * np.pi * (4 + 3 * g[13]) * rng.uniform(0.9, 1.1) * time + rng.uniform(0, 6.28))
        bend = 1 - (0.08 * np.exp(-time / 0.05) if g[16] > 0.8 else 0)
        phase = np.cumsum(pitch * off * (1 + swing * np.minimum(time / 0.25, 1)) * bend) / rate + rng.random()
        place = (phase % 1.0 * _TABLE).astype(np.int64)
        out += dull[place] + fading * (full[place] - dull[place])
    return out * envelope / math.sqrt(count)


def _spectrum(g: np.ndarray, pitch: float, *, bright: bool) -> np.ndarray:
    """Return one period of a tone as a table."""
    number = np.arange(1, min(60, max(2, int(_HIGHEST / pitch))) + 1)
    tilt = 0.3 + 2.2 * g[17] + (0 if bright else 1.2)
    amplitude = number**-tilt
    if g[18] > 0.8:
        amplitude = amplitude * np.where(number % 2, 1.0, 0.1)
    if g[19] > 0.45:
        frequency = number * pitch
        centres = (_between(g[20], 280, 950), _between(g[21], 800, 2400), _between(g[22], 2300, 3600))
        vowel = sum(
            np.exp(-(((frequency - each) / (90 + 0.09 * each)) ** 2)) / (i + 1) for i, each in enumerate(centres)
        )
        amplitude = amplitude**0.6 * (0.06 + vowel)
    phases = np.exp(2j * np.pi * np.random.default_rng(len(number)).random(len(number)))
    waves = np.zeros(_TABLE // 2 + 1, complex)
    waves[1 : len(number) + 1] = amplitude * phases
    table: np.ndarray = np.fft.irfft(waves)
    return table / (np.sqrt(np.mean(table**2)) + 1e-12)


def _play_kit(g: np.ndarray, seed: int, begin: int, samples: int, rate: int) -> np.ndarray:
    out = np.zeros(samples)
    step = 60 / _between(g[1], 65, 180) / 4
    hits = _hits(g, seed, rate)
    patterns = _patterns(g, seed)
    for index in range(math.floor((begin / rate - 0.6) / step), math.ceil((begin + samples) / rate / step) + 1):
        strength = np.random.default_rng(fold_in(seed, "hit", index)).uniform(0.7, 1, len(hits))
        for number, (level, hit) in enumerate(hits):
            if level > 0 and patterns[number][index % _BEAT_STEPS]:
                _add(out, level * strength[number] * hit, round(index * step * rate) - begin)
    return _levelled(out)


def _patterns(g: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return on which of the steps of a bar each part of the kit is hit."""
    rng = np.random.default_rng(fold_in(seed, "pattern"))
    patterns = [np.arange(16) % 4 == 0, np.arange(16) % 8 == 4, np.arange(16) % 2 == 0, np.arange(16) % 8 == 7]
    likely = (0.25, 0.15, 0.6, 0.4)
    return [
        np.where(rng.random(16) < g[17], rng.random(16) < share, pattern)
        for pattern, share in zip(patterns, likely, strict=True)
    ]


def _hits(g: np.ndarray, seed: int, rate: int) -> list[tuple[float, np.ndarray]]:
    """Return the level and the sound of kick, snare, hat and tom."""
    time = np.arange(int(0.5 * rate)) / rate
    noise = np.random.default_rng(fold_in(seed, "noise")).standard_normal((2, len(time)))
    sweep = _between(g[3], 40, 75) + _between(g[4], 50, 300) * np.exp(-time / 0.03)
    kick = np.sin(2 * np.pi * np.cumsum(sweep) / rate) * np.exp(-time / _between(g[5], 0.06, 0.25))
    snare = _peaked(_band(noise[0], _between(g[7], 150, 900), _between(g[8], 2500, 7500), rate))
    snare = snare * np.exp(-time / _between(g[9], 0.03, 0.15)) + 0.5 * np.sin(2 * np.pi * 190 * time) * np.exp(
        -time / 0.06
    )
    hat = _peaked(_band(noise[1], _between(g[11], 3000, 6000), 7900, rate)) * np.exp(
        -time / _between(g[12], 0.015, 0.1)
    )
    pitch = _between(g[14], 80, 600)
    rings = sum(
        np.sin(2 * np.pi * pitch * r * time) * np.exp(-time * r / _between(g[15], 0.05, 0.4)) / r
        for r in (1, 1.5, 2, 2.7)
    )
    tom = _peaked(np.asarray(rings))
    return [(_level(g[2]), kick), (_level(g[6]) * 0.8, snare), (_level(g[10]) * 0.5, hat), (_level(g[13]), tom)]


def _play_bed(g: np.ndarray, seed: int, begin: int, samples: int, rate: int) -> np.ndarray:
    centre = _between(g[1], 100, 4000)
    block, first = rate, begin // rate
    count = (begin + samples) // rate - first + 1
    noise = np.concatenate(
        [np.random.default_rng(fold_in(seed, first + i)).standard_normal(block) for i in range(count)]
    )
    noise = noise[begin - first * block :][:samples]
    time = (begin + np.arange(samples)) / rate
    swell = 1 + 0.9 * g[3] * np.sin(2 * np.pi * _between(g[4], 0.1, 8) * time)
    return _levelled(_band(noise, centre * 0.6, min(7900, centre * _between(g[2], 1.3, 8)), rate)) * swell


def _reverberated(sound: np.ndarray, length: int, seed: int) -> np.ndarray:
    response = np.random.default_rng(seed).standard_normal(length) * np.exp(-6 * np.arange(length) / length)
    size = len(sound) + length
    wet: np.ndarray = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]
    return wet / math.sqrt(np.sum(response**2))


def _band(noise: np.ndarray, low: float, high: float, rate: int) -> np.ndarray:
    """Return noise between two frequencies, with soft edges."""
    frequency = np.fft.rfftfreq(len(noise), 1 / rate)
    below = np.clip((low - frequency) / (0.1 * low + 20), -50, 50)
    above = np.clip((frequency - high) / (0.1 * high), -50, 50)
    passed: np.ndarray = np.fft.irfft(np.fft.rfft(noise) / (1 + np.exp(below)) / (1 + np.exp(above)), len(noise))
    return passed


def _peaked(sound: np.ndarray) -> np.ndarray:
    return sound / (np.abs(sound).max() + 1e-12)


def _levelled(sound: np.ndarray) -> np.ndarray:
    """Bring a part to about the same level whatever it plays, without knowing more than this stretch of it."""
    return np.tanh(sound / 3) * 1.5


def _add(out: np.ndarray, note: np.ndarray, at: int) -> None:
    """Add a note that begins at `at`, which may be outside, to `out`."""
    first, last = max(0, at), min(len(out), at + len(note))
    if first < last:
        out[first:last] += note[first - at : last - at]
