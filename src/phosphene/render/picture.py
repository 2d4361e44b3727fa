"""What the doors give back: a picture, with the recipe that it was made from."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from phosphene import recipe as recipes
from phosphene.media.image import to_array, to_pil, write_image
from phosphene.recipe import BaseRecipe
from phosphene.types import Image, Size

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image


@dataclass(frozen=True, eq=False)
class Picture:
    """A finished picture; in a notebook it shows itself.

        ph.dream("photo.jpg").save("dream.png")

    `image` is 1 3 h w, sRGB in [0, 1]; `alpha` is 1 1 h w, that of the photograph, or None.
    """

    image: Image = field(repr=False)
    recipe: BaseRecipe
    alpha: Tensor | None = field(default=None, repr=False)

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        return self.image.shape[-2], self.image.shape[-1]

    def save(self, path: str | os.PathLike[str], depth: int = 8, quality: int | None = None) -> None:
        """Write the picture, with its recipe inside, in the format that the suffix names.

        `depth` is bits a sample: 8, or 16 for PNG and TIFF; `quality` is 1 to 100 where the format has one.
        The file appears whole or not at all. Raises `OutputError` where nothing can be written, and
        `SettingError` for what the format cannot hold.
        """
        there = recipes.relative_to(self.recipe, Path(os.path.abspath(path)).parent)
        text = recipes.dumps(there)
        write_image(path, self.image, alpha=self.alpha, depth=depth, recipe=text, quality=quality)

    def pil(self) -> PIL.Image.Image:
        """As a PIL image, RGB, or RGBA where there is alpha; 8 bits a sample."""
        return to_pil(self.image, self.alpha)

    def array(self) -> np.ndarray:
        """As a NumPy array, float32 in [0, 1], h w 3, or h w 4 where there is alpha; a copy."""
        return to_array(self.image, self.alpha)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.pil().save(file, "png")
        return file.getvalue()
