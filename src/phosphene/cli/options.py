"""Options that are made from the settings of recipes: their help, ranges and defaults are the true ones."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from phosphene.cli import config
from phosphene.errors import PhospheneError, SettingError
from phosphene.kinds import KINDS
from phosphene.recipe import NetUsed, Noise, settings_of
from phosphene.recipe import settings as describe
from phosphene.recipe.base import DEFAULT_NET
from phosphene.recipe.presets import PRESETS

if TYPE_CHECKING:
    from phosphene.cli.output import Destination
    from phosphene.media.image import Photograph

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path, allow_dash=True)

STDIN = Path("-")

_SHORT = {"target": "-t"}


class Setting(click.ParamType):
    """Text that is read as one field of a recipe is."""

    name = "setting"

    def __init__(self, field: FieldInfo) -> None:
        self.field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return describe.read(self.field, value)
        except ValueError:
            wanted = describe.must_be(self.field)
            self.fail(f"must be {wanted}, but is {describe.received(value)}.", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        words = [*describe.choices(self.field), *_names(str(param.name), ctx.params.get("net"))]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _names(parameter: str, net: Any) -> list[str]:
    """Return the names that a parameter may have: networks, or a network's layers, labels and the words above them."""
    from phosphene import nets

    if parameter == "net":
        return list(nets.names())
    if parameter != "target":
        return []
    try:
        card = nets.describe(str(net or DEFAULT_NET))
    except PhospheneError:
        return []
    return [*card.layers, *card.words()]


def count(what: str) -> Callable[[F], F]:
    """Return the option --count of a command that tells the strongest responses, which are `what`."""
    return click.option(
        "--count",
        type=click.IntRange(1, 1000),
        default=5,
        show_default=True,
        metavar="INTEGER",
        help=f"Largest number of {what} to tell.",
    )


noise = click.option(
    "--noise",
    type=Setting(Noise.model_fields["noise"]),
    metavar="WIDTHxHEIGHT",
    help="Begin with noise of this size, not with a photo.",
)
"""A decorator that adds `--noise`."""


def workers(what: str) -> Callable[[F], F]:
    """Return a decorator that adds `--workers`, which do `what`."""
    return click.option(
        "--workers",
        metavar="N|auto|ray://HOST:PORT",
        help=f"Let this many processes do {what}; they share the cores. auto: one for each core; or a Ray cluster.",
    )


no_workers = click.option("--workers", hidden=True)
"""A decorator that adds `--workers` to work that cannot be shared, to say why."""


def settings(*kinds: str, without: tuple[str, ...] = (), defaults: bool = True) -> Callable[[F], F]:
    """Return a decorator that adds an option for every setting of these kinds, and `--preset` where a kind has some.

    An option that is not given is None, so that what was asked for can be told from defaults.
    """
    fields: dict[str, list[FieldInfo]] = {}
    old: dict[str, str] = {}
    for kind in kinds:
        recipe = KINDS[kind].recipe
        old |= recipe.old_names
        for name in settings_of(recipe):
            if name not in without:
                fields.setdefault(name, []).append(recipe.model_fields[name])

    def add(command: F) -> F:
        for name, several in reversed(fields.items()):
            command = _option(name, several, defaults)(command)
        for name, new in old.items():
            hidden = click.option(f"--{_dashed(name)}", new, type=_type(fields[new]), hidden=True)
            command = hidden(command)
        if defaults and (kinds[0] in PRESETS or kinds[0] in config.read().presets):
            command = _preset(kinds[0])(command)
        return command

    return add


def source(photos: tuple[Path, ...], size: Any) -> tuple[object, str, Path | None]:
    """Return what to begin with, the stem of files that are named after it, and the photo's path if it has one."""
    if (len(photos) == 0) == (size is None) or len(photos) > 1:
        raise click.UsageError("Give either PHOTO or --noise WIDTHxHEIGHT.")
    if not photos:
        return Noise(noise=size), "noise", None
    (photo,) = photos
    return (from_stdin(), "stdin", None) if photo == STDIN else (photo, photo.stem, photo)


def from_stdin() -> Photograph:
    """Return the picture on stdin; a recipe has its hash, and no path."""
    from phosphene.media.image import read_image

    with tempfile.TemporaryDirectory(prefix="phosphene-") as folder:
        path = Path(folder) / "stdin"
        with click.open_file("-", "rb") as data, path.open("xb") as file:
            shutil.copyfileobj(data, file)
        return replace(read_image(path), path=None, name="stdin")


def run(
    what: object,
    source: object,
    output: Destination,
    stem: str,
    path: Path | None,
    *,
    on_event: Any = None,
    **settings: Any,
) -> None:
    """Build the job of a kind of work or of a recipe's file, and follow it to its end; `path` is its source's."""
    from phosphene.cli.follow import follow
    from phosphene.gradients.allocator import keep_memory
    from phosphene.render.request import open_job

    keep_memory()

    given = chosen(what, settings)
    follow(open_job(what, source, **given), output, stem, path, on_event=on_event)


def chosen(what: object, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, with those of the user's own preset."""
    given = {name: value for name, value in settings.items() if value is not None}
    own = config.read().presets.get(str(what), {})
    if given.get("preset") not in own:
        return given
    fields = KINDS[str(what)].recipe.model_fields
    values = {
        name: value if isinstance(value, bool) else _read_own(name, fields[name], value)
        for name, value in own[given.pop("preset")].items()
        if name != "about"
    }
    return {**values, **given}


def _read_own(name: str, field: FieldInfo, value: str) -> Any:
    try:
        return describe.read(field, value)
    except ValueError:
        raise SettingError(
            f"{config.path()}: {name} must be {describe.must_be(field)}, but is {value!r}", setting=name, value=value
        ) from None


def stem_of(text: str) -> str:
    """Return a file name for any text: what is neither letter nor digit becomes a hyphen.

    >>> stem_of("goldfish + chihuahua")
    'goldfish-chihuahua'
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-._")[:80] or "picture"


class _AnyOf(Setting):
    """Text that is read as the first of several fields that takes it."""

    def __init__(self, fields: list[FieldInfo]) -> None:
        super().__init__(fields[0])
        self.fields = fields

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        for field in self.fields:
            try:
                return describe.read(field, value)
            except ValueError:
                continue
        return super().convert(value, param, ctx)


def _type(fields: list[FieldInfo]) -> Setting:
    return Setting(fields[0]) if len(fields) == 1 else _AnyOf(fields)


def _preset(kind: str) -> Callable[[F], F]:
    own = config.read().presets.get(kind, {})
    known = {name: each.about for name, each in PRESETS.get(kind, {}).items()}
    known |= {name: str(each.get("about", "of your own.")) for name, each in own.items()}
    about = " ".join(f"{name}: {each}" for name, each in known.items())
    return click.option(
        "--preset", type=click.Choice(list(known)), help=f"Settings that work well together; other options add: {about}"
    )


def _option(name: str, fields: list[FieldInfo], defaults: bool) -> Callable[[F], F]:
    field = fields[0]
    notes = []
    words = describe.must_be(field)
    if (
        "number" in words and all(describe.must_be(each) == words for each in fields) and defaults
    ):  # the metavar says that it is one
        notes.append(re.sub("a (whole )?number (from )?", "", words))
    shown = dict.fromkeys(_shown(each) for each in map(_default, fields) if each is not None)
    if defaults and shown:
        notes.append(f"default: {', for sound '.join(shown)}")
    about = f"{field.description} [{'; '.join(notes)}]" if notes else field.description
    dashed = _dashed(name)
    if field.annotation is bool:
        return click.option(f"--{dashed}/--no-{dashed}", name, default=None, help=about)
    names = [*([_SHORT[name]] if name in _SHORT else []), f"--{dashed}"]
    return click.option(*names, name, type=_type(fields), metavar=describe.metavar(field), help=about)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _shown(default: object) -> str:
    return {True: "yes", False: "no"}[default] if isinstance(default, bool) else describe.write(default)


def _default(field: FieldInfo) -> object:
    value = field.get_default()
    if value is PydanticUndefined:
        return None
    return value.name if isinstance(value, NetUsed) else value
