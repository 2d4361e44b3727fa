"""Where a result goes: a name that overwrites nothing by accident, checked before the long work begins."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from phosphene.cli.options import PATH
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from phosphene.render.stills import Rendering

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SUFFIX = ".png"


@dataclass(frozen=True)
class Output:
    """Where the pictures of a run go, in how many bits a sample, and where one of the work so far is kept."""

    path: Path
    count: int
    depth: int
    preview: Path | None = None

    def paths(self, part: str = "") -> list[Path]:
        """Each picture's file; several are numbered from 1, and `part` stands before the suffix."""
        stems = [self.path.stem] if self.count == 1 else [f"{self.path.stem}-{i + 1}" for i in range(self.count)]
        return [self.path.with_name(f"{stem}{part}{self.path.suffix}") for stem in stems]

    def check(self) -> Output:
        """Raise what would be raised when the results are written; gives itself."""
        from phosphene.media import atomic
        from phosphene.media.image import formats

        formats.for_writing(self.path, self.depth)
        atomic.check(self.paths()[0])
        if self.preview is not None:
            formats.for_writing(self.preview)
            atomic.check(self.preview)
        return self

    def check_for(self, run: Rendering) -> None:
        """Raise if a picture of the size of `run`, or its recipe, does not fit into the format."""
        from phosphene.media.image import check_writable
        from phosphene.recipe import dumps

        (image,) = run.start.image[:1]
        size = (image.shape[-2], image.shape[-1])
        for path, depth in ((self.path, self.depth), (self.preview, 8)):
            if path is not None:
                check_writable(path, depth, size=size, recipe=dumps(run.recipe))

    def apart_from(self, photo: Path | None) -> Output:
        """Raise `OutputError` if a file to write is the photo that is read; gives itself."""
        for path in filter(None, (self.path, self.preview)):
            if photo is not None and path.exists() and photo.exists() and path.samefile(photo):
                raise OutputError(
                    f"{path} is the photo itself, without which its dream could not be rendered again: "
                    "write to another file",
                    path=path,
                )
        return self


def options(command: F) -> F:
    """A decorator that adds -o, --depth and --preview."""
    for each in reversed(
        (
            click.option(
                "-o", "--output", "output_path", type=PATH, metavar="OUT",
                help="Where to write; the suffix chooses the format (.png, .jpg, .webp, .tif, .avif). "
                "By default a new PNG in the current folder.",
            ),
            click.option(
                "--depth", type=click.Choice(["8", "16"]), default="8", show_default=True,
                help="Bits a sample; 16 in PNG and TIFF only.",
            ),
            click.option(
                "--preview", type=PATH, metavar="FILE", help="Keep a picture of the work so far in this file."
            ),
        )
    ):  # fmt: skip
        command = each(command)
    return command


def choose(output: Path | None, stem: str, *, count: int = 1, depth: str, preview: Path | None) -> Output:
    """The checked output; without -o, a file not there yet in the current folder, named after `stem`."""
    if output is not None:
        return Output(output, count, int(depth), preview).check()
    for number in itertools.count(1):
        name = f"{stem}{'' if number == 1 else f'-{number}'}{DEFAULT_SUFFIX}"
        found = Output(Path(name), count, int(depth), preview)
        if not any(path.exists() for path in found.paths()):
            return found.check()
    raise AssertionError("numbers do not end")


def stem_of(text: str) -> str:
    """A file's name for any text: what is neither letter nor digit becomes a hyphen.

    >>> stem_of("goldfish + chihuahua")
    'goldfish-chihuahua'
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-._")[:80] or "picture"
