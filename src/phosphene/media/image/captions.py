"""Captions under the pictures of a sheet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.media.image.lettering import line, line_height
from phosphene.types import Image, Size

LETTERS = 11
"""Share of a picture's width that a letter's size is, at least `SMALLEST` pixels and at most `LARGEST`."""

SMALLEST, LARGEST = 10, 28


def caption_height(lines: int, width: int) -> int:
    """Return the height in pixels of captions of so many lines under pictures of `width`."""
    return lines * line_height(letters(width))


def letters(width: int) -> int:
    """Return the size in pixels of the letters under pictures of `width`."""
    return min(LARGEST, max(SMALLEST, width // LETTERS))


def captioned(cells: Tensor, texts: Sequence[Sequence[str]], columns: int, gap: int) -> Image:
    """Return pictures, `n 3 h w`, on a white sheet, row by row, each with its lines of text beneath it, `1 3 h w`."""
    count, _, height, width = cells.shape
    size = letters(width)
    below = caption_height(max(map(len, texts)), width)
    sheet = torch.ones(1, 3, *captioned_size(count, (height, width), columns, gap, max(map(len, texts))))
    for index, (picture, lines) in enumerate(zip(cells, texts, strict=True)):
        row, column = divmod(index, columns)
        top, left = row * (height + below + gap), column * (width + gap)
        sheet[0, :, top : top + height, left : left + width] = picture
        for number, text in enumerate(lines):
            at = top + height + number * line_height(size)
            sheet[0, :, at : at + line_height(size), left : left + width] = line(text, width, size)
    return sheet


def captioned_size(count: int, size: Size, columns: int, gap: int, lines: int) -> Size:
    """Return the (height, width) of a sheet of `count` pictures of `size` with captions of so many lines."""
    rows, columns = -(-count // columns), min(count, columns)
    height = size[0] + caption_height(lines, size[1])
    return rows * (height + gap) - gap, columns * (size[1] + gap) - gap
