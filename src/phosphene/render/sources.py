"""What a dream begins with: a photograph from wherever it is, or noise, at the size that is asked for."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch
from torch import Tensor

from phosphene import recipe as recipes
from phosphene.errors import ImageError, RecipeError, SettingError, VideoError
from phosphene.loops.dream import resize
from phosphene.media.image import MAX_PIXELS, Photograph, as_photograph, read_image, read_recipe_text
from phosphene.media.video.identify import hash_of, is_film, read_film_recipe
from phosphene.recipe import Clip, Noise, Photo
from phosphene.types import Image, Size

NOISE_STD = 0.1
"""Of the noise around mid-grey: strong enough to choose what grows, weak enough to leave it room."""

FIRST_PICTURE = "00000.png"
"""Of a film that is a folder of pictures."""


def given(source: object) -> tuple[Photo | Noise, Photograph | None]:
    """What a recipe says of a source, and its picture; there is none for noise.

    Raises `ImageError` for a file that is no picture, and `SettingError` for what is no source.
    """
    if isinstance(source, Noise):
        return source, None
    photo = as_photograph(source)  # type: ignore[arg-type]  # it answers anything
    if len(photo.image) != 1:
        raise SettingError(
            f"a dream begins with one picture, not with a batch of {len(photo.image)}: give batch[i : i + 1]",
            setting="source",
            value=tuple(photo.image.shape),
        )
    path = None if photo.path is None else Path(os.path.abspath(photo.path)).as_posix()
    return Photo(path=path, sha256=photo.sha256, size=photo.size), photo


def found(source: Photo | Noise, path: Path | None) -> tuple[Photo | Noise, Photograph | None]:
    """The source that the recipe in the file `path` names: where it says, or beside that file.

    Raises `RecipeError` if the photograph is in neither place, or is another one by now.
    """
    if isinstance(source, Noise):
        return source, None
    name = "this recipe" if path is None else str(path)
    if source.path is None:
        raise RecipeError(
            f"{name} began with pixels in memory, not with a file: give them again with --source PATH "
            "(source= in Python)",
            path=path,
        )
    folder = Path() if path is None else path.parent
    reasons = []
    for candidate in dict.fromkeys((folder / source.path, folder / Path(source.path).name)):
        try:
            photo = read_image(candidate)
        except ImageError as problem:
            reasons.append(str(problem))
            continue
        if source.sha256 in (None, photo.sha256):
            return given(candidate)
        reasons.append(f"{candidate} is another picture or was changed since")
    raise RecipeError(
        f"the photo that {name} began with was not found ({'; '.join(reasons)}): name one with --source PATH "
        "(source= in Python)",
        path=path,
    )


def given_clip(source: object) -> Clip:
    """What a recipe says of a clip; raises `SettingError` for what is no path, and `VideoError` for no clip."""
    if not isinstance(source, str | os.PathLike):
        kind = type(source).__name__
        raise SettingError(f"a clip is given by its path, not as {kind}", setting="source", value=kind)
    path = Path(os.path.abspath(source))
    return Clip(path=path.as_posix(), sha256=hash_of(path))


def found_clip(source: Clip, path: Path | None) -> Clip:
    """The clip that the recipe in the file `path` names: where it says, or beside that file.

    Raises `RecipeError` if the clip is in neither place, or is another one by now.
    """
    folder = Path() if path is None else path.parent
    reasons = []
    for candidate in dict.fromkeys((folder / str(source.path), folder / Path(str(source.path)).name)):
        try:
            found = given_clip(candidate)
        except VideoError as problem:
            reasons.append(str(problem))
            continue
        if source.sha256 in (None, found.sha256):
            return found
        reasons.append(f"{candidate} is another clip or was changed since")
    raise RecipeError(
        f"the clip that {path or 'this recipe'} was made of was not found ({'; '.join(reasons)}): name one with "
        "--source PATH (source= in Python)",
        path=path,
    )


def size_for(asked: int | Size | None, own: Size) -> Size:
    """The size in pixels for what was asked: a longest side keeps the proportions of `own`; None is `own`.

    >>> size_for(100, (300, 400))
    (75, 100)

    Raises `SettingError` for more pixels than pictures are read with.
    """
    if isinstance(asked, int):
        scale = asked / max(own)
        size = (max(1, round(own[0] * scale)), max(1, round(own[1] * scale)))
    else:
        size = own if asked is None else asked
    if math.prod(size) > MAX_PIXELS:
        raise SettingError(
            f"size must be at most {MAX_PIXELS // 10**6} megapixels, but {size[1]}x{size[0]} is "
            f"{math.prod(size) // 10**6}",
            setting="size",
            value=size,
        )
    return size


def resized(image: Tensor, size: Size) -> Tensor:
    """The picture (n c h w) at another size, without aliasing; itself where it has that size."""
    if tuple(image.shape[-2:]) == size:
        return image
    return resize(image, size).clamp(0, 1)


def noise(size: Size, seed: int) -> Image:
    """Normal noise around mid-grey, 1 3 h w; the same seed gives the same noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, *size, generator=generator).mul_(NOISE_STD).add_(0.5).clamp_(0, 1)


def read_recipe(path: str | os.PathLike[str]) -> recipes.Recipe:
    """The recipe in a picture, a film, a folder of pictures, or a .json file.

    Raises `ImageError` or `VideoError` for a file that is none of these, and `RecipeError` for one without a recipe,
    or with a broken one.
    """
    first = Path(path) / FIRST_PICTURE
    text = read_film_recipe(path) if is_film(path) else read_recipe_text(first if first.is_file() else path)
    if text is None:
        raise RecipeError(
            f"{path} carries no recipe: it was not written by phosphene, or something has removed it",
            path=path,
        )
    return recipes.loads(text, path=path)
