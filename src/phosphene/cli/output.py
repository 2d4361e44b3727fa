"""Where a result goes: options, and a name that overwrites nothing by accident, checked before the work begins."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from phosphene.cli.options import PATH
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from torch import Tensor

    from phosphene.render.job import Job

F = TypeVar("F", bound=Callable[..., Any])

PICTURE = ".png"

STDOUT = Path("-")

_KEPT = ("path", "force", "fresh", "yes", "preview", "no_recipe", "depth", "film")


@dataclass(frozen=True)
class Destination:
    """Where a result goes and how it is stored, and where a picture of the work so far is kept.

    Without `path`, the result is named after the work, with `stem`. `also` are more files of the same picture, and
    `film` is that of a sound. With `yes`, long work begins without a question. With `piped`, the file at `path` will be
    copied to stdout.
    """

    path: Path | None
    preview: Path | None
    force: bool
    fresh: bool
    suffix: str = PICTURE
    yes: bool = False
    piped: bool = False
    also: tuple[Path, ...] = ()
    film: Path | None = None
    format: dict[str, Any] = field(default_factory=dict)

    def place(self, job: Job, stem: str, source: Path | None = None) -> Path:
        """Return the path to write to, after checking that nothing of the user's is lost.

        Without -o it is a name in the current folder that is not taken; unfinished work under that name is continued.
        Raises `OutputError` if a file is there already or is the source itself.
        """
        if self.preview is not None:
            _check_picture(self.preview)
            check_apart(self.preview, source)
        if self.film is not None:
            check_apart(self.film, source)
            if self.film.exists() and not self.force:
                raise taken(self.film)
        if self.path is None:
            suffix = self.suffix if job.work.suffix is None else job.work.suffix
            for number in itertools.count(1):
                path = Path(f"{stem}{'' if number == 1 else f'-{number}'}{suffix}")
                if not any(each.exists() for each in job.work.paths(path)):
                    return path
        assert self.path is not None, "numbers do not end"
        if self.piped and (job.work.streams or len(job.work.paths(self.path)) > 1):
            raise OutputError("only a single picture can be written to stdout: give -o a name", path=STDOUT)
        for given in (self.path, *self.also):
            for each in job.work.paths(given):
                check_apart(each, source)
                there = each.is_file() or any((each / name).is_file() for name in ("picture.dzi", "index.html"))
                if there and not self.force:
                    raise taken(each)
        return self.path

    def all_paths(self, job: Job, path: Path) -> list[Path]:
        """Return all files of the result, of which `path` is the first."""
        films = [] if self.film is None else [self.film]
        return [each for given in (path, *self.also) for each in job.work.paths(given)] + films


def write_direction(path: Path, vector: Tensor, layer: str) -> None:
    """Write a direction in a layer, a safetensors file that `direction(FILE, LAYER)` reads."""
    from phosphene.media import atomic
    from phosphene.nets.weights.vector import pack_vector

    with atomic.replacing(path) as file:
        file.write(pack_vector(vector, layer))


def taken(path: Path) -> OutputError:
    """Return the error that says that a file is there already, which --force would replace."""
    return OutputError(f"{path} is there already: give --force to replace it, or another name", path=path)


def _say_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["phosphene.json"] = True


json_option = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_json,
    help="Print JSON: for each result its path, recipe, seed and seconds; errors too.",
)


def options(*, still: bool = False, film: bool = False, sound: bool = False, page: bool = False) -> Callable[[F], F]:
    """Return a decorator that adds the options of outputs, and gathers them as the argument `output`.

    Outputs that are neither stills nor films are networks, or with `page` folders that are pages. With `sound`, results
    may be sounds, which have a film.
    """
    added = _added(still=still, film=film, page=page)
    if sound:
        added.append(_FILM)

    def decorate(command: F) -> F:
        def gathered(*args: Any, **given: Any) -> Any:
            own = () if sound else ("film",)  # which is something else for other kinds of work
            kept: dict[str, Any] = {name: None if name in own else given.pop(name, None) for name in _KEPT}
            names = ("codec", "crf", "profile")
            format = {name: value for name in names if (value := given.pop(name, None)) is not None}
            if kept["depth"] == "16":
                format["depth"] = 16
            if kept["no_recipe"]:
                format["with_recipe"] = False
            suffix = f".{given.pop('suffix', None) or PICTURE[1:]}"
            said = {name: bool(kept[name]) for name in ("force", "fresh", "yes")}
            first, *also = kept["path"] or [None]
            if also:
                if STDOUT in (first, *also) or len({*kept["path"]}) < len(kept["path"]):
                    raise click.UsageError("Several outputs must be different files.")
                format["also"] = tuple(also)
            if kept["film"]:
                format["film"] = kept["film"]
            output = Destination(
                first, kept["preview"], suffix=suffix, also=tuple(also), film=kept["film"], format=format, **said
            )
            return command(*args, output=output, **given)

        gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
        gathered.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        decorated: Any = gathered
        for option in reversed(added):
            decorated = option(decorated)
        result: F = decorated
        return result

    return decorate


_FILM = click.option(
    "--film",
    type=PATH,
    metavar="FILE",
    help="For a sound: also write a film of its spectrogram as it is dreamt, with the sound (.mp4, .webm, .mkv, .mov).",
)


def _added(*, still: bool, film: bool, page: bool) -> list[Callable[[F], F]]:
    suffixes = [*([".png, .jpg, .webp, .tif, .avif, .dz for a folder to zoom into"] if still else [])]
    suffixes += [".mp4, .webm, .gif, .mkv, .mov; a folder or NAME-%05d.png for pictures"] if film else []
    deep = " and ".join([*(["PNG and TIFF"] if still else []), *(["FFV1 and PNG films"] if film else [])])
    suffixes += [".pt2"] if not still and not film else []
    where = (
        "The folder to write, with an index.html to open. By default a new one in the current folder."
        if page
        else f"Where to write; the suffix chooses the format ({'; '.join(suffixes)}). By default a new file in the "
        f"current folder; - is stdout.{' A picture may have several.' if still else ''}"
    )
    added = [
        click.option("-o", "--output", "path", type=PATH, multiple=True, metavar="OUT", help=where),
        click.option("--force", is_flag=True, help="Replace an output that is there already."),
        click.option("--fresh", is_flag=True, help="Start over instead of continuing unfinished work."),
        click.option("--yes", is_flag=True, help="Begin work that takes very long without asking."),
        click.option("--preview", type=PATH, metavar="FILE", help="Keep a picture of the work so far in this file."),
        json_option,
    ]
    if not still and not film:
        return added
    added += [
        click.option("--no-recipe", is_flag=True, help="Write the result without its recipe."),
        click.option(
            "--depth",
            type=click.Choice(["8", "16"]),
            default="8",
            show_default=True,
            help=f"Bits per sample; 16 with {deep} only.",
        ),
    ]
    if still:
        added.append(
            click.option(
                "--profile",
                type=click.Choice(["srgb", "p3", "adobergb"]),
                help="Colours of a picture's file, which is tagged with them; by default srgb.",
            )
        )
        added.append(
            click.option(
                "--format",
                "suffix",
                type=click.Choice(["png", "jpg", "webp", "tif", "avif"]),
                help="The format of results that -o does not name: on stdout, of several photos; by default png.",
            )
        )
    if film:
        added += [
            click.option(
                "--codec", metavar="NAME", help="h264, vp9, prores, ffv1, gif or png; by default what suits the suffix."
            ),
            click.option("--crf", type=int, metavar="INTEGER", help="Quality of H.264 (0 best to 51) and VP9 (to 63)."),
        ]
    return added


def check_apart(path: Path, source: Path | None) -> None:
    """Raise `OutputError` if a result would replace its source."""
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise OutputError(
            f"{path} is the source itself, without which the result could not be made again: write to another file",
            path=path,
        )


def _check_picture(path: Path) -> None:
    from phosphene.media import atomic
    from phosphene.media.image import formats

    formats.for_writing(path)
    atomic.check(path)
