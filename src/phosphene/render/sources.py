"""The beginning of all work: a photograph or clip from wherever it is, or noise, at the size that is asked for."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from phosphene.errors import ImageError, RecipeError, SettingError, SoundError, VideoError, WeightsError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.media import memory
from phosphene.media.image import MAX_PIXELS, Photograph, as_photograph, read_image, read_recipe_text
from phosphene.media.sound.read import is_sound
from phosphene.media.sound.write import read_sound_recipe
from phosphene.media.video.identify import hash_of, is_film, read_film_recipe
from phosphene.nets import learnt
from phosphene.recipe import BaseRecipe, ClipFile, DreamRecipe, FileSource, Noise, Photo, loads
from phosphene.resampling import resize
from phosphene.types import Image, Size

NOISE_STD = 0.1
"""Of the noise around mid-grey: strong enough to choose what grows, weak enough to leave it room."""

NETWORK = ".pt2"

MASK_TOLERANCE = 0.03
"""By how much the proportions of a mask may differ from those of the picture, which small sizes round."""

FIRST_PICTURE = "00000.png"
"""Of a film that is a folder of pictures."""

T = TypeVar("T")


@dataclass(frozen=True)
class Start:
    """The picture that work begins with: its `name` in recipes, its `size` (height, width) and its alpha (1 1 h w).

    `make` returns the pixels, 1 3 h w: noise is made when it is needed, since a recipe may ask for any amount of it.
    `natural` says that the picture has colours of its own; noise has none.
    """

    name: Photo | Noise
    size: Size
    make: Callable[[], Image]
    alpha: Tensor | None = None
    natural: bool = True

    def at(self, size: Size) -> Callable[[], Image]:
        """Return what makes the picture at this size when it is first called; the original is let go of then."""
        pending, made = [self.make], []

        def image() -> Image:
            if pending:
                made.append(resize(pending.pop()(), size, clamp=True))
            return made[0]

        return image


def start(source: Photo | Noise, given: object, path: Path | None, look_in: Sequence[Path], noise: Arithmetic) -> Start:
    """Return what the recipe in the file `path` begins with, or what was `given` instead.

    Raises:
        RecipeError: if the photograph is not found, or has changed.
        ImageError: for a file that is not a picture.
        SettingError: for what cannot be a source.
    """
    chosen = source if given is None else given
    if isinstance(chosen, Noise):
        size = size_for(chosen.noise, chosen.noise)
        memory.check(size, setting="source")

        def make() -> Image:
            pixels = torch.randn(1, 3, *size, generator=noise.rng("noise"))
            return pixels.mul_(NOISE_STD).add_(0.5).clamp_(0, 1)

        return Start(chosen, size, make, natural=False)
    assert isinstance(source, Photo), "noise has been dealt with"
    photo = photograph(given) if given is not None else find(source, path, look_in, read_image, "photo", _sha256)
    where = None if photo.path is None else Path(os.path.abspath(photo.path)).as_posix()
    name = Photo(path=where, sha256=photo.sha256, size=photo.size)
    return Start(name, photo.size, lambda: photo.image, photo.alpha)


def mask_for(
    recipe: DreamRecipe, size: Size, path: Path | None, look_in: Sequence[Path]
) -> tuple[dict[str, FileSource], Tensor | None]:
    """Return the field of a recipe that names its mask, and the mask itself at `size`, 1 1 h w; nothing without one.

    Raises:
        RecipeError: if the mask is not found, or has changed.
        ImageError: for a file that is not a picture.
        SettingError: for other proportions than the canvas has, or a recipe that no mask goes with.
    """
    if recipe.mask is None:
        return {}, None
    for name in ("symmetry", "tileable"):
        if getattr(recipe, name):
            raise SettingError(f"mask and {name} exclude each other: leave out one of them", setting="mask")
    found, mask = mask_at(recipe.mask, size, path, look_in)
    return {"mask": found}, mask


def mask_at(file: FileSource, size: Size, path: Path | None, look_in: Sequence[Path]) -> tuple[FileSource, Tensor]:
    """Return a picture that says where to dream, 1 1 h w at `size`, and where it was found; raises as `mask_for`."""
    photo = find(file, path, look_in, read_image, "mask", _sha256)
    height, width = photo.size
    if abs(math.log(width / height * size[0] / size[1])) > MASK_TOLERANCE:
        raise SettingError(
            f"mask must have the proportions of the picture, {size[1]}x{size[0]}, but is {width}x{height}",
            setting="mask",
            value=photo.size,
        )
    grey = photo.image.mean(dim=1, keepdim=True)
    mask = grey if photo.alpha is None else grey * photo.alpha
    where = None if photo.path is None else Path(os.path.abspath(photo.path)).as_posix()
    return FileSource(path=where, sha256=photo.sha256), resize(mask, size, clamp=True)


def photograph(source: object) -> Photograph:
    """Read a single picture from a path, PIL image, array or tensor; raises `ImageError` and `SettingError`."""
    photo = as_photograph(source)  # type: ignore[arg-type]  # it answers anything
    if len(photo.image) != 1:
        raise SettingError(
            f"a source must be a single picture, but this is a batch of {len(photo.image)}: give batch[i : i + 1]",
            setting="source",
            value=tuple(photo.image.shape),
        )
    return photo


def clip(source: ClipFile, given: object, path: Path | None, look_in: Sequence[Path]) -> ClipFile:
    """Return the clip that the recipe in the file `path` is made of, or the one `given`, by its absolute path.

    Raises `RecipeError` if it is not found or has changed, `VideoError` if it cannot be read.
    """
    if given is None:
        return find(source, path, look_in, _identified, "clip", lambda found: found.sha256)
    if not isinstance(given, str | os.PathLike):
        kind = type(given).__name__
        raise SettingError(f"a clip must be given by its path, but this is a {kind}", setting="source", value=kind)
    return _identified(Path(given))


def find(
    source: FileSource,
    path: Path | None,
    look_in: Sequence[Path],
    read: Callable[[Path], T],
    what: str,
    sha256: Callable[[T], str | None],
) -> T:
    """Read the file that the recipe in `path` names: beside that recipe, or in the folders to look in.

    Raises `RecipeError` if it is nowhere, or another file by now.
    """
    recipe = "this recipe" if path is None else str(path)
    if source.path is None:
        raise RecipeError(
            f"{recipe} began with pixels in memory, not with a file: give them again with --source PATH "
            "(source= in Python)",
            path=path,
        )
    reasons = []
    for candidate in candidates(source.path, path, look_in):
        try:
            found = read(candidate)
        except (ImageError, VideoError, SoundError, WeightsError) as problem:
            if path is None and not look_in:  # the user's own name for it
                raise
            reasons.append(str(problem))
            continue
        if source.sha256 in (None, sha256(found)):
            return found
        reasons.append(f"{candidate} is another {what} or has changed")
    raise RecipeError(
        f"the {what} that {recipe} began with was not found ({'; '.join(reasons)}): name its folder with --look-in "
        "(look_in= in Python), or give one with --source PATH (source=)",
        path=path,
    )


def candidates(name: str, path: Path | None, look_in: Sequence[Path]) -> list[Path]:
    """List where a file that a recipe names may be, the recipe's own folder first, then the current one."""
    own = Path() if path is None else path.parent
    folders = (own, Path(), *look_in)
    return list(dict.fromkeys([own / name, *(folder / Path(name).name for folder in folders)]))


def size_for(asked: int | Size | None, own: Size) -> Size:
    """Return the size in pixels for what was asked: a longest side keeps the proportions of `own`; None is `own`.

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


def even(size: Size) -> Size:
    """Return the nearest size with even sides, which most codecs need.

    >>> even((427, 640))
    (428, 640)
    """
    height, width = (max(2, 2 * round(side / 2)) for side in size)
    return height, width


def read_recipe(path: str | os.PathLike[str]) -> BaseRecipe:
    """Read the recipe in a picture, a film, a folder of pictures, a network of `learn`, or a .json file.

    Raises `ImageError` or `VideoError` for a file that is none of these, and `RecipeError` for one without a recipe, or
    with a broken one.
    """
    if Path(path).suffix == NETWORK:
        return loads(json.dumps(learnt.facts_of(Path(path)).get("recipe")), path=path)
    first = Path(path) / FIRST_PICTURE
    if is_film(path):
        text = read_film_recipe(path)
    elif is_sound(path):
        text = read_sound_recipe(path)
    else:
        text = read_recipe_text(first if first.is_file() else path)
    if text is None:
        raise RecipeError(
            f"{path} carries no recipe: it was not written by phosphene, or something has removed it",
            path=path,
        )
    return loads(text, path=path)


def _sha256(photo: Photograph) -> str | None:
    return photo.sha256


def _identified(path: Path) -> ClipFile:
    where = Path(os.path.abspath(path))
    return ClipFile(path=where.as_posix(), sha256=hash_of(where))
