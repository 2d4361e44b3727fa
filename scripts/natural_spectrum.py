"""Measure the mean magnitude of each wave in photographs, for `imagine --method maco`.

    .venv/bin/python scripts/natural_spectrum.py FOLDER

The middle square of each JPEG is resized to 256 pixels; its decorrelated colours, less the mean colour, are split into
waves by an orthonormal transform. What is kept is the mean magnitude over photographs and over the mirror image, for
frequencies of 0 to 128 waves a side. Frequency 0 is the mean colour, and is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from safetensors.torch import save_file

from phosphene.canvas.colour import MEAN, from_rgb

SIDE = 256
OUT = Path(__file__).parent.parent / "src" / "phosphene" / "media" / "natural_spectrum" / "magnitudes.safetensors"


def square(path: Path) -> torch.Tensor:
    """Return the middle square of a picture, 1 3 256 256."""
    with PIL.Image.open(path) as picture:
        side = min(picture.size)
        left, top = ((each - side) // 2 for each in picture.size)
        middle = picture.convert("RGB").crop((left, top, left + side, top + side))
        pixels = np.asarray(middle.resize((SIDE, SIDE), PIL.Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels / 255).float().permute(2, 0, 1)[None]


def main() -> None:
    """Write the table."""
    paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
    total = torch.zeros(3, SIDE // 2 + 1, SIDE // 2 + 1)
    for path in paths:
        planes = from_rgb(square(path) - torch.tensor(MEAN).view(1, 3, 1, 1))
        waves = torch.fft.rfft2(planes, norm="ortho")[0].abs()
        mirrored = torch.cat((waves[:, :1], waves[:, 1:].flip(1)), dim=1)
        total += (waves[:, : SIDE // 2 + 1] + mirrored[:, : SIDE // 2 + 1]) / 2
    mean = total / len(paths)
    mean[:, 0, 0] = 0
    OUT.parent.mkdir(exist_ok=True)
    save_file({"magnitudes": mean.half().contiguous()}, OUT)
    print(f"{len(paths)} photographs, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
