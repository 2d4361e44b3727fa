"""The results of stills: pictures, each with the recipe that it was made from."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from phosphene.errors import OutputError
from phosphene.media.image import holds_depth, to_array, to_pil, write_image
from phosphene.recipe import BaseRecipe, dumps, relative_to
from phosphene.recipe.prints import read_paper
from phosphene.render.job import Format
from phosphene.render.notebook import picture_html, shrunk
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

    @property
    def dpi(self) -> float | None:
        """The dots per inch of a print; None for other pictures."""
        paper = self.recipe.model_dump().get("print")
        return None if paper is None else read_paper(paper).dpi

    def save(
        self,
        path: str | os.PathLike[str],
        depth: int = 8,
        quality: int | None = None,
        *,
        profile: str | None = None,
        with_recipe: bool = True,
    ) -> None:
        """Write the picture, with its recipe inside, in the format that the suffix names.

        `depth` is bits per sample: 8, or 16 for PNG and TIFF; `quality` is 1 to 100 where the format has one; `profile`
        is "srgb", "p3" or "adobergb". The dots per inch of a print are kept. The file appears whole or not at all.
        Raises `OutputError` where nothing can be written, and `SettingError` for what the
        format cannot hold.
        """
        text = recipe_text(self.recipe, path) if with_recipe else None
        write_image(
            path,
            self.image,
            alpha=self.alpha,
            depth=depth,
            recipe=text,
            quality=quality,
            dpi=self.dpi,
            profile=profile or "srgb",
        )

    def pil(self) -> PIL.Image.Image:
        """Return a PIL image, RGB, or RGBA where there is alpha; 8 bits per sample."""
        return to_pil(self.image, self.alpha)

    def array(self) -> np.ndarray:
        """Return a NumPy array, float32 in [0, 1], h w 3, or h w 4 where there is alpha; a copy."""
        return to_array(self.image, self.alpha)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        shrunk(self.pil()).save(file, "png")
        return file.getvalue()


class Pictures(list[Picture]):
    """The pictures of a job, one or several; in a notebook they show themselves."""

    def save(
        self,
        path: str | os.PathLike[str],
        depth: int = 8,
        quality: int | None = None,
        *,
        profile: str | None = None,
        with_recipe: bool = True,
    ) -> None:
        """Write each picture as `Picture.save` does, several of them as NAME-1, NAME-2 and so on."""
        for picture, place in zip(self, paths(Path(path), len(self)), strict=True):
            picture.save(place, depth, quality, profile=profile, with_recipe=with_recipe)

    def _repr_html_(self) -> str:
        return "".join(picture_html(each.image) for each in self)


def paths(path: Path, count: int, part: str = "") -> list[Path]:
    """Return each picture's path: `path` itself for one, numbered from 1 for several, `part` before the suffix.

    >>> [each.name for each in paths(Path("cat.png"), 2)]
    ['cat-1.png', 'cat-2.png']
    """
    if not path.name:
        raise OutputError(f"cannot write {path}: it is a folder; name a file in it", path=path)
    stems = [path.stem] if count == 1 else [f"{path.stem}-{i + 1}" for i in range(count)]
    return [path.with_name(f"{stem}{part}{path.suffix}") for stem in stems]


def depth_of(format: Format, path: Path) -> int:
    """Return the bits per sample of one of the files of a picture: of several, each as many as it can hold."""
    return format.depth if not format.also or holds_depth(path, format.depth) else 8


def recipe_text(recipe: BaseRecipe, path: str | os.PathLike[str]) -> str:
    """Return the recipe's JSON as the file at `path` carries it."""
    return dumps(relative_to(recipe, Path(os.path.abspath(path)).parent))
