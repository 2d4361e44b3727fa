"""Short lines of text on pictures: captions and titles."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

LINE = 1.35
"""Height of a line, in sizes of its letters."""


def line_height(size: int) -> int:
    """Return the height in pixels of a line of letters of this size."""
    return round(size * LINE)


def line(text: str, width: int, size: int, *, dark: bool = True) -> Tensor:
    """Return a line of text as a picture, `3 h width`, in the middle; what is too long is cut and ends in dots.

    Args:
        text: control characters are left out.
        width: of the picture in pixels.
        size: of the letters in pixels.
        dark: dark letters on white; else light on black.
    """
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    font = PIL.ImageFont.load_default(size)
    shown = "".join(each for each in text if each.isprintable())
    while len(shown) > 1 and font.getlength(shown) > width - 2:
        shown = shown.rstrip("…")[:-1] + "…"
    paper, ink = (255, 25) if dark else (0, 235)
    picture = PIL.Image.new("L", (width, line_height(size)), paper)
    PIL.ImageDraw.Draw(picture).text((width / 2, line_height(size) / 2), shown, fill=ink, font=font, anchor="mm")
    return torch.from_numpy(np.array(picture)).float().div_(255).expand(3, -1, -1)
