"""How a film comes out of its parts: by copying packets, as a GIF, or as numbered pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import final

from phosphene.errors import ImageError
from phosphene.media import atomic
from phosphene.media.image import read_recipe_text, write_image
from phosphene.media.image.pixels import planes as to_image
from phosphene.media.video import segments
from phosphene.media.video.codecs import CONTAINERS, Container, picture_list, picture_path
from phosphene.media.video.gif import Parts, write_gif
from phosphene.media.video.segments import EncoderFrame, StreamFormat
from phosphene.media.video.sound import Sound

_MATROSKA = next(each for each in CONTAINERS if each.muxer == "matroska")


class Maker(ABC):
    """The way in which a kind of output stores frames.

    `suffix` is that of a part's file, `final` the file that appears when the film is finished, and `pictures` the
    folder where finished frames appear one by one, for an output that is one.
    """

    suffix: str
    final: Path
    pictures: Path | None = None

    def __init__(self, path: Path, container: Container, style: StreamFormat, recipe: str | None) -> None:
        self.path, self.container, self.style, self.recipe = path, container, style, recipe
        self.final = path

    def check(self) -> None:
        """Raise now what would fail in hours: `OutputError` for a place, `SettingError` for frames that do not fit."""
        atomic.check(self.path)
        segments.trial(self.style)

    @property
    def in_the_way(self) -> Path | None:
        """A file of an older film that this one would be mixed with."""
        return None

    @abstractmethod
    def encode(self, made: Path, first: int, frames: Iterable[EncoderFrame]) -> None:
        """Make the part that begins with frame `first`, in the file `made`."""

    @abstractmethod
    def finish(self, made: Path, finished: Parts, sound: Sound | None) -> None:
        """Make the film of all parts in the file `made`."""

    @abstractmethod
    def preview(self, made: Path, finished: Parts) -> None:
        """Make a film of the parts so far in the file `made`."""


@final
class PacketMaker(Maker):
    """A container of packets."""

    def __init__(self, path: Path, container: Container, style: StreamFormat, recipe: str | None) -> None:
        super().__init__(path, container, style, recipe)
        self.suffix = path.suffix.lower()

    def encode(self, made: Path, first: int, frames: Iterable[EncoderFrame]) -> None:
        """A small film of the same kind."""
        segments.encode(made, self.container.muxer, self.style, frames)

    def finish(self, made: Path, finished: Parts, sound: Sound | None) -> None:
        """The parts' packets in one film, beside those of the sound."""
        segments.join(made, self.container, self.style, finished(), self.recipe, sound)

    def preview(self, made: Path, finished: Parts) -> None:
        """The same, silent."""
        segments.join(made, self.container, self.style, finished(), self.recipe, None)


@final
class GifMaker(Maker):
    """A GIF; its parts are without loss, since its palette is chosen in the end."""

    suffix = ".mkv"

    def encode(self, made: Path, first: int, frames: Iterable[EncoderFrame]) -> None:
        """A small film without loss."""
        segments.encode(made, _MATROSKA.muxer, self.style, frames)

    def finish(self, made: Path, finished: Parts, sound: Sound | None) -> None:
        """The GIF, which is silent."""
        write_gif(made, self.style, finished, self.recipe)

    def preview(self, made: Path, finished: Parts) -> None:
        """The parts in one film without loss."""
        segments.join(made, _MATROSKA, self.style, finished(), self.recipe, None)


@final
class PictureMaker(Maker):
    """Numbered PNG pictures, and a list of them from which FFmpeg and mpv play them at the right times."""

    suffix = ".done"

    def __init__(self, path: Path, container: Container, style: StreamFormat, recipe: str | None) -> None:
        super().__init__(path, container, style, recipe)
        self.final = picture_list(path)
        self.pictures = self.final.parent

    def check(self) -> None:
        """Whether a file can be made in the folder, or beside it if it is to be made itself."""
        folder = self.final.parent
        atomic.check(self.final if folder.is_dir() or folder != self.path else folder)

    @property
    def in_the_way(self) -> Path | None:
        """Another film's pictures, the last of which would seem to be this one's."""
        first = picture_path(self.path, 0)
        if not first.exists():
            return None
        try:
            return None if self.recipe is not None and read_recipe_text(first) == self.recipe else first
        except ImageError:
            return first

    def encode(self, made: Path, first: int, frames: Iterable[EncoderFrame]) -> None:
        """The pictures themselves, where they belong; the part is a mark that they are there."""
        if self.final.parent == self.path:
            self.path.mkdir(exist_ok=True)
        for index, (_, _, (samples,)) in enumerate(frames, first):
            image = to_image(samples, (0, 1, 2))
            picture = made.with_suffix(".png")  # in the work folder, where nothing is left over
            write_image(picture, image, depth=self.style.depth, recipe=self.recipe)
            atomic.settle(picture, picture_path(self.path, index))
        made.touch()

    def finish(self, made: Path, finished: Parts, sound: Sound | None) -> None:
        """The list of the pictures with their times; it is silent."""
        index, begun, length = 0, 0, 0
        with open(made, "w", encoding="utf-8") as file:
            file.write("ffconcat version 1.0\n")
            for index, (pts, duration) in enumerate(time for part in finished() for time in part.times):
                if index:
                    file.write(self._entry(index - 1, pts - begun))
                begun, length = pts, duration
            file.write(self._entry(index, length))

    def preview(self, made: Path, finished: Parts) -> None:
        """The pictures are there to be seen."""

    def _entry(self, index: int, ticks: int) -> str:
        seconds = float(Fraction(ticks) * self.style.time_base)
        # FFmpeg takes pictures for 25 a second, and would round times to that.
        return f"file '{picture_path(self.path, index).name}'\noption framerate 1000000\nduration {seconds:.6f}\n"


def maker_for(path: Path, container: Container, style: StreamFormat, recipe: str | None) -> Maker:
    """Return the maker of such films."""
    kinds: dict[str, type[Maker]] = {"gif": GifMaker, "png": PictureMaker}
    return kinds.get(style.codec.name, PacketMaker)(path, container, style, recipe)
