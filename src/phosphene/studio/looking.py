"""The process that looks at pictures: it checks uploads, tells what a network sees, and makes small pictures.

It is sent (name, number, ...) and answers ("answer", number, result, error), where error is a sentence or None.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from phosphene import attribution, nets
from phosphene.errors import ImageError, PhospheneError, RecipeError
from phosphene.media.image import Photograph, read_image, read_recipe_text, to_pil
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
        """Check an upload as the command line checks a photograph, and keep it as a source.

        Of a film that phosphene made, only the recipe is told: the film itself is not kept.
        """
        place = Path(path)
        recipe = None
        try:
            photo = read_image(place)
            recipe = _recipe(place)
        except ImageError as problem:
            film = _film_recipe(place)
            place.unlink(missing_ok=True)
            if film is not None:
                return {"source": None, "recipe": film}
            raise ImageError(str(problem).replace(path, name or "this file")) from None
        file = f"sources/{photo.sha256}{_suffix(place)}"
        os.replace(place, self._folder.root / file)
        self._small(photo, photo.sha256[:32], SCREEN_SIDE)
        self._small(photo, photo.sha256[:31], THUMB_SIDE)
        height, width = photo.size
        source = {"sha256": photo.sha256, "file": file, "name": name, "width": width, "height": height}
        return {"source": source, "recipe": recipe}

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
        sight = attribution.see(self._folder.inside(file), net=self._net(net), count=6)
        return {
            "labels": [each._asdict() for each in sight.labels],
            "layers": [each._asdict() for each in sight.layers],
            "channels": [each._asdict() for each in sight.channels],
        }

    def thumb(self, file: str, key: str, side: int) -> None:
        """Make the small picture of a file in the folder."""
        self._small(read_image(self._folder.inside(file)), key, side)

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

    def _small(self, photo: Photograph, key: str, side: int) -> None:
        height, width = photo.size
        scale = min(1.0, side / max(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        picture = to_pil(resize(photo.image, size, clamp=True))
        beside = self._folder.incoming()
        picture.save(beside, "jpeg", quality=86)
        os.replace(beside, self._folder.thumb(key))


def _recipe(path: Path) -> str | None:
    """Return the recipe that a picture carries, None if it carries none that can be read."""
    try:
        text = read_recipe_text(path)
        if text is not None:
            loads(text)
    except RecipeError:
        return None
    return text


def _film_recipe(path: Path) -> str | None:
    try:
        text = read_film_recipe(path)
        if text is not None:
            loads(text)
    except PhospheneError:
        return None
    return text


def _suffix(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:8] == b"ftyp":
        return ".avif"
    return next((suffix for magic, suffix in MAGIC.items() if start.startswith(magic)), ".bin")
