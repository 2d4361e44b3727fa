"""Curves of numbers over steps, as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

WIDTH, HEIGHT, MARGIN = 640, 220, 46
COLOURS = ((31, 105, 180), (214, 90, 24), (40, 140, 60), (150, 60, 160), (120, 110, 20), (70, 70, 70))
MOST_POINTS = 1200
PANELS = (("loss",), ("accuracy",), ("energy",))
"""Numbers whose names end alike share a panel; all others are in one below these."""


def curves(rows: Mapping[int, Mapping[str, float]]) -> Tensor:
    """Return a picture, `1 3 h w`, of numbers over steps: a panel for losses, one for accuracies, one for the rest.

    Args:
        rows: for each step, numbers by name; a name may be missing in some.
    """
    import PIL.Image

    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    panels = [[name for name in names if name.endswith(ends)] for ends in PANELS]
    shown = {name for panel in panels for name in panel}
    panels.append([name for name in names if name not in shown and name != "rate"])
    panels = [panel for panel in panels if panel] or [[]]
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT * len(panels)), "white")
    steps = sorted(rows)
    steps = steps[:: max(1, len(steps) // MOST_POINTS)]
    for index, panel in enumerate(panels):
        lines = {
            name: [(step, rows[step][name]) for step in steps if math.isfinite(rows[step].get(name, math.nan))]
            for name in panel
        }
        _draw(picture, index * HEIGHT, lines)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float().div_(255)


def _draw(picture: object, top: int, lines: Mapping[str, list[tuple[int, float]]]) -> None:
    """Draw one panel: its axes with their ends, a line for each name, and the names."""
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    assert isinstance(picture, PIL.Image.Image), "it is one"
    draw, font = PIL.ImageDraw.Draw(picture), PIL.ImageFont.load_default(11)
    values = [value for line in lines.values() for _, value in line]
    steps = [step for line in lines.values() for step, _ in line]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if all(name.endswith("accuracy") for name in lines):
        low, high = 0.0, 1.0
    high = high if high > low else low + 1
    first, last = min(steps, default=0), max(steps, default=1)
    left, right, upper, lower = MARGIN + 14, WIDTH - 12, top + 26, top + HEIGHT - 24

    def place(step: int, value: float) -> tuple[float, float]:
        across = (step - first) / max(1, last - first)
        return left + across * (right - left), lower - (value - low) / (high - low) * (lower - upper)

    draw.rectangle((left, upper, right, lower), outline=(205, 205, 205))
    for value in (low, (low + high) / 2, high):
        y = place(first, value)[1]
        draw.line((left, y, right, y), fill=(232, 232, 232))
        draw.text((left - 5, y), f"{value:.3g}", fill=(90, 90, 90), font=font, anchor="rm")
    for step, anchor in ((first, "la"), (last, "ra")):
        draw.text((place(step, low)[0], lower + 5), str(step), fill=(90, 90, 90), font=font, anchor=anchor)
    x = float(left)
    for index, (name, line) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        if len(line) > 1:
            draw.line([place(*each) for each in line], fill=colour, width=2)
        draw.text((x, top + 8), name, fill=colour, font=font)
        x += font.getlength(name) + 16
