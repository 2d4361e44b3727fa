"""The processes that watch a camera: one tells what it sees and learns words for it, the other one dreams on it.

Each is sent (name, number, ...) and answers ("answer", number, result, error), where error is a sentence or None.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pictures

from phosphene import attribution, nets
from phosphene.camera.live import LiveDream
from phosphene.camera.things import Things, direction_of, features_of
from phosphene.errors import ImageError, SettingError
from phosphene.gradients.allocator import keep_memory
from phosphene.media.atomic import replacing
from phosphene.media.image import to_pil
from phosphene.nets.base import Net
from phosphene.nets.weights.vector import pack_vector
from phosphene.nets.weights.words import pack_words, read_words
from phosphene.studio.folder import Folder
from phosphene.studio.helper import Inbox, answer_questions
from phosphene.types import Image

LARGEST = 4_000_000
"""Pixels of a camera's picture."""


def main(inbox: Inbox, folder: Path) -> None:
    """Answer what the server asks, one question after the other."""
    watcher = _Watcher(Folder(folder))
    answer_questions(
        inbox, {"see": watcher.see, "teach": watcher.teach, "words": watcher.words, "target": watcher.target}
    )


def dreams(inbox: Inbox, _: Path) -> None:
    """Dream on the pictures that the server sends, one after the other."""
    keep_memory()
    answer_questions(inbox, {"dream": _Dreamer().dream})


class _Loaded:
    """The network that was asked for last."""

    def __init__(self) -> None:
        self._nets: dict[str, Net] = {}

    def net(self, name: str) -> Net:
        if name not in nets.names() or not nets.is_here(name):
            raise SettingError(f"net must be one that is installed, but is {name!r}", setting="net", value=name)
        if name not in self._nets:
            self._nets.clear()
            self._nets[name] = nets.load(name)
        return self._nets[name]


class _Dreamer(_Loaded):
    def __init__(self) -> None:
        super().__init__()
        self._dream: tuple[str, str, LiveDream] | None = None

    def dream(self, data: bytes, net: str, target: str) -> bytes:
        """Return the dream on the next picture, as a JPEG; another net or target begins another dream."""
        if self._dream is None or self._dream[:2] != (net, target):
            self._dream = (net, target, LiveDream(self.net(net), target))
        file = io.BytesIO()
        to_pil(self._dream[2](_picture(data)).cpu()).save(file, "jpeg", quality=82)
        return file.getvalue()


class _Watcher(_Loaded):
    def __init__(self, folder: Folder) -> None:
        super().__init__()
        self._folder, self._path = folder, folder.words
        self._things = Things(read_words(self._path) if self._path.is_file() else {})

    def see(self, data: bytes, net: str) -> dict[str, Any]:
        """Tell what is seen, and which of the things that it was taught is most like it."""
        image, loaded = _picture(data), self.net(net)
        found = self._recognised(image, loaded)
        return {
            "labels": [each._asdict() for each in attribution.labels_of(image, loaded, 3)],
            "known": None if found is None else found._asdict(),
        }

    def teach(self, data: bytes, net: str, word: str) -> dict[str, int]:
        """Learn a view of a thing; return all words."""
        self._things.learn(word, [features_of(_picture(data), self.net(net))])
        self._keep()
        return self.words()

    def words(self, forget: str | None = None) -> dict[str, int]:
        """Return all words with the length of what is known of each; forget one first."""
        if forget is not None:
            self._things.forget(forget)
            self._keep()
        return {word: len(each) for word, each in self._things.sums.items()}

    def _keep(self) -> None:
        with replacing(self._path) as file:
            file.write(pack_words(self._things.sums))

    def target(self, word: str, net: str) -> dict[str, str]:
        """Write the direction of a thing that it knows; return the target that dreams it, and the file's hash."""
        direction, layer = direction_of(self._things, word, self.net(net))
        data = pack_vector(direction, layer)
        sha256 = hashlib.sha256(data).hexdigest()
        file = f"sources/{sha256}.safetensors"
        with replacing(self._folder.root / file) as written:
            written.write(data)
        return {"net": net, "target": f"direction({file}, {layer})", "sha256": sha256}

    def _recognised(self, image: Image, net: Net) -> Any:
        if not self._things.sums:
            return None
        return self._things.recognise(features_of(image, net))


def _picture(data: bytes) -> Image:
    try:
        picture = Pictures.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
        if picture.width * picture.height > LARGEST:
            raise ImageError("the camera's pictures are too large: 4 megapixels at most")
        array = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        raise ImageError("the camera sent what is no picture") from None
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float().div_(255)
