"""Pictures of sound: a spectrogram with its axes, and rows of curves over time beneath it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.types import Image

LEFT, RIGHT, TOP, BOTTOM = 110, 16, 10, 34
"""Margins in pixels."""

ROW = 26
BAND = 3
"""Pixels per band of the spectrogram."""

WIDTH = 960
LOUDEST = 6.0
"""log10 of the power, times the gain, that is drawn brightest."""

TICKS = (100, 250, 500, 1000, 2000, 4000, 8000)
PAPER, INK = (255, 255, 255), (40, 40, 40)
# Dark violet over red and orange to pale yellow, even steps of lightness.
COLOURS = ((6, 4, 20), (60, 15, 110), (145, 38, 128), (222, 73, 104), (254, 159, 109), (252, 253, 191))


def plot_sound(
    spectrogram: Float[Tensor, "frames bands"],
    seconds: float,
    band_hertz: Sequence[float],
    rows: Sequence[tuple[str, Sequence[float]]] = (),
    title: str = "",
    *,
    begin: float = 0.0,
    now: float | None = None,
) -> Image:
    """Return a picture of a spectrogram of `seconds`, 1 3 h w, and beneath it each of `rows`, values from 0 to 1.

    Args:
        spectrogram: log-mel, as networks that hear take it.
        seconds: its length.
        band_hertz: the centre of each band.
        rows: a label each, and values at equal steps over the whole length.
        title: a line above the spectrogram.
        begin: the time in seconds with which the spectrogram begins.
        now: a time in seconds at which a line is drawn.
    """
    bands = spectrogram.shape[1]
    tall = bands * BAND
    top = TOP + (22 if title else 0)
    height = top + tall + BOTTOM + ROW * len(rows) + (8 if rows else 0)
    page = PIL.Image.new("RGB", (LEFT + WIDTH + RIGHT, height), PAPER)
    draw = PIL.ImageDraw.Draw(page)
    font = PIL.ImageFont.load_default(14)
    if title:
        draw.text((LEFT, 8), title, INK, font)
    heat = PIL.Image.fromarray(coloured(spectrogram))
    page.paste(heat.resize((WIDTH, tall), PIL.Image.Resampling.BILINEAR), (LEFT, top))
    for hertz in TICKS:
        if not band_hertz[0] <= hertz <= band_hertz[-1] * 1.05:
            continue
        place = float(np.interp(hertz, band_hertz, np.arange(bands)))
        y = top + tall - round((place + 0.5) * BAND)
        draw.line((LEFT - 5, y, LEFT - 1, y), INK)
        draw.text((LEFT - 9, y), f"{hertz} Hz", INK, font, anchor="rm")
    for time in _seconds(seconds, begin):
        x = LEFT + round((time - begin) / seconds * WIDTH)
        draw.line((x, top + tall, x, top + tall + 4), INK)
        draw.text((min(x, LEFT + WIDTH - 12), top + tall + 7), f"{time:g} s", INK, font, anchor="mt")
    if now is not None:
        x = LEFT + round((now - begin) / seconds * WIDTH)
        draw.line((x, top, x, top + tall - 1), PAPER, 2)
    for index, (label, values) in enumerate(rows):
        y = top + tall + BOTTOM + ROW * index
        draw.text((LEFT - 9, y + ROW // 2), label, INK, font, anchor="rm")
        strip = np.interp(
            np.linspace(0, 1, WIDTH), np.linspace(0, 1, max(2, len(values))), np.resize(values, max(2, len(values)))
        )
        page.paste(PIL.Image.fromarray(_colours(np.tile(strip, (ROW - 4, 1)))), (LEFT, y + 2))
    return torch.from_numpy(np.array(page)).permute(2, 0, 1)[None].float() / 255


def coloured(spectrogram: Float[Tensor, "frames bands"]) -> np.ndarray:
    """Return a spectrogram in colours, `bands frames 3` bytes, low bands at the bottom."""
    return _colours((spectrogram.T.flip(0) / LOUDEST).clamp(0, 1).numpy())


def _colours(values: np.ndarray) -> np.ndarray:
    steps = np.linspace(0, 1, len(COLOURS))
    table = np.array(COLOURS, float)
    return np.stack([np.interp(values, steps, table[:, i]) for i in range(3)], axis=-1).astype(np.uint8)


def _seconds(length: float, begin: float) -> list[float]:
    """Return where the time axis has its marks: at round numbers, about eight of them."""
    step = next((each for each in (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300) if length / each <= 10), 600)
    return [step * i for i in range(math.ceil(begin / step), int((begin + length) / step) + 1)]
