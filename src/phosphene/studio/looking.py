"""The process that looks at pictures and clips: it checks uploads, tells what a network sees, and makes small pictures.

It is sent (name, number, ...) and answers ("answer", number, result, error), where error is a sentence or None.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import PIL.Image

from phosphene import attribution, nets
from phosphene.errors import ImageError, PhospheneError, SettingError, VideoError
from phosphene.media.image import read_image, read_recipe_text, to_pil
from phosphene.media.video.clip import Clip, open_clip
from phosphene.media.video.identify import hash_of, read_film_recipe
from phosphene.nets.base import Net
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.objectives.masked import masked_parts
from phosphene.recipe import FileSource, NetworkRecipe, dumps, loads
from phosphene.render.sources import candidates, read_recipe
from phosphene.resampling import resize
from phosphene.studio import contained
from phosphene.studio.exports import Exports
from phosphene.studio.folder import Folder
from phosphene.studio.helper import Inbox, answer_questions
from phosphene.types import Image

THUMB_SIDE = 400
SCREEN_SIDE = 1600
"""Longest sides in pixels of the small pictures of the gallery, and of those that pages work on."""

MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
}

STILLS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})
"""The brands of still pictures in the container of MP4."""

FILM_MAGIC = {
    b"\x1aE\xdf\xa3": ".webm",
    b"OggS": ".ogv",
    b"FLV": ".flv",
    b"0&\xb2u": ".wmv",
    b"\0\0\x01\xba": ".mpg",
    b"\0\0\x01\xb3": ".mpg",
    b"G@": ".ts",
}


def main(inbox: Inbox, folder: Path) -> None:
    """Answer what the server asks, one question after the other."""
    looker, exporting = _Looker(Folder(folder)), Exports(Folder(folder))
    answers: Mapping[str, Callable[..., Any]] = {
        "upload": looker.upload,
        "exhibit": looker.exhibit,
        "see": looker.see,
        "thumb": looker.thumb,
        "nets": looker.nets,
        "check": looker.check,
        "export": exporting.export,
        "grid": exporting.grid,
    }
    answer_questions(inbox, answers)


class _Looker:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._nets: dict[str, Net] = {}

    def upload(self, path: str, name: str) -> dict[str, Any]:
        """Check an upload as the command line checks a photograph or a clip, and keep it as a source."""
        place = Path(path)
        suffix = _film_suffix(place)
        try:
            if suffix is not None:
                return self._keep_clip(place, suffix, name)
            photo = read_image(place)
        except (ImageError, VideoError) as problem:
            place.unlink(missing_ok=True)
            raise type(problem)(str(problem).replace(path, name or "this file")) from None
        recipe = _recipe(place, read_recipe_text)
        facts = {"sha256": photo.sha256, "file": f"sources/{photo.sha256}{_suffix(place)}", "name": name}
        return {"source": self._keep(place, photo.image, facts), "recipe": recipe}

    def _keep_clip(self, place: Path, suffix: str, name: str) -> dict[str, Any]:
        clip = open_clip(place)
        recipe = _recipe(place, read_film_recipe)
        sha256 = hash_of(place)
        facts = {"kind": "clip", "sha256": sha256, "file": f"sources/{sha256}{suffix}", "name": name}
        source = self._keep(place, _frame(clip), {**facts, "seconds": float(clip.duration or 0)})
        return {"source": source, "recipe": recipe}

    def _keep(self, place: Path, image: Image, facts: dict[str, Any]) -> dict[str, Any]:
        os.replace(place, self._folder.root / facts["file"])
        self._small(image, facts["sha256"][:32], SCREEN_SIDE)
        self._small(image, facts["sha256"][:31], THUMB_SIDE)
        return {**facts, "width": image.shape[-1], "height": image.shape[-2]}

    def exhibit(self, path: str) -> dict[str, Any]:
        """Read the recipe in a file, and keep the picture that it begins with as a source, if that is beside it."""
        place = Path(path)
        recipe = read_recipe(place)
        source = getattr(recipe, "source", None)
        kept = None
        if isinstance(source, FileSource) and source.path is not None:
            for each in candidates(source.path, place, ()):
                if each.is_file() and hash_of(each) == source.sha256:
                    copy = self._folder.incoming()
                    shutil.copyfile(each, copy)
                    kept = self.upload(str(copy), each.name)["source"]
                    break
        return {"recipe": dumps(recipe), "source": kept}

    def see(self, file: str, net: str) -> dict[str, Any]:
        """Tell what a network sees in a source, as targets that can be dreamt."""
        sight = attribution.see(self._picture(file)[0], net=self._net(net), count=6)
        return {
            "labels": [each._asdict() for each in sight.labels],
            "layers": [each._asdict() for each in sight.layers],
            "channels": [each._asdict() for each in sight.channels],
        }

    def thumb(self, file: str, key: str, side: int) -> None:
        """Make the small picture of a file in the folder."""
        self._small(self._picture(file), key, side)

    def nets(self) -> list[dict[str, Any]]:
        """List the networks that are installed, with what can be asked of them."""
        cards = [nets.describe(name) for name in nets.names() if nets.is_here(name)]
        return [
            {
                "name": card.name,
                "title": card.title,
                "default": card.default_target,
                "layers": [name for name, layer in card.layers.items() if layer.receptive and layer.name == name],
                "labels": [names[0] for names in card.labels],
            }
            for card in cards
        ]

    def check(self, text: str) -> None:
        """Raise the error that rendering the recipe would raise at once."""
        recipe = loads(text)
        contained.check(recipe, self._folder)
        if isinstance(recipe, NetworkRecipe):
            card = self._net(recipe.net.name).card
            for target in contained.texts(recipe):
                whole = parse(target)
                for each in [part.objective for part in masked_parts(whole)] if recipe.kind == "dream" else [whole]:
                    resolve(each, card)

    def _net(self, name: str) -> Net:
        contained.check(NetworkRecipe(kind="see", net={"name": name}), self._folder)
        if name not in self._nets:
            while len(self._nets) >= 2:
                del self._nets[next(iter(self._nets))]
            self._nets[name] = nets.load(name)
        return self._nets[name]

    def _picture(self, file: str) -> Image:
        """Return a picture in the folder, or a frame of a clip there, 1 3 h w."""
        path = self._folder.inside(file)
        return read_image(path).image if _film_suffix(path) is None else _frame(open_clip(path))

    def _small(self, image: Image, key: str, side: int) -> None:
        height, width = image.shape[-2:]
        scale = min(1.0, side / max(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        picture = to_pil(resize(image, size, clamp=True))
        beside = self._folder.incoming()
        picture.save(beside, "jpeg", quality=86)
        os.replace(beside, self._folder.thumb(key))


def _recipe(path: Path, read: Callable[[Path], str | None]) -> str | None:
    """Return the recipe that a file carries, None if it carries none that can be read."""
    try:
        text = read(path)
        if text is not None:
            loads(text)
    except PhospheneError:
        return None
    return text


def _frame(clip: Clip) -> Image:
    """Return the picture that stands for a clip, 1 3 h w: a frame after a third of it, as many begin in black."""
    try:
        return next(clip.frames(start=(clip.duration or Fraction(0)) / 3)).image
    except (SettingError, StopIteration):  # it is shorter than it says
        return next(clip.frames()).image


def _film_suffix(path: Path) -> str | None:
    """Return the suffix that a film's file would have, by its contents; None for a file that is none."""
    with path.open("rb") as file:
        start = file.read(16)
    if (start[4:8] == b"ftyp" and start[8:12] not in STILLS) or start[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return ".mp4"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return ".avi"
    if start[:4] == b"GIF8":
        return ".gif" if _moves(path) else None
    return next((suffix for magic, suffix in FILM_MAGIC.items() if start.startswith(magic)), None)


def _moves(path: Path) -> bool:
    """Return whether a GIF has several pictures."""
    try:
        with PIL.Image.open(path) as picture:
            return bool(getattr(picture, "is_animated", False))
    except (OSError, ValueError, PIL.Image.DecompressionBombError):
        return False


def _suffix(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:8] == b"ftyp":
        return ".avif"
    return next((suffix for magic, suffix in MAGIC.items() if start.startswith(magic)), ".bin")
