"""The user's own defaults and presets, from one TOML file.

    [defaults.dream]
    size = 1600
    net = "googlenet"

    [presets.dream.wild]
    about = "eyes everywhere"
    target = "inception_4c"
    steps = 30

The file is `PHOSPHENE_CONFIG`, or `config.toml` in the user's folder for settings of programs.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click

from phosphene.cli.root import Command
from phosphene.errors import SettingError, nearest
from phosphene.kinds import KINDS
from phosphene.recipe import settings_of

VARIABLE = "PHOSPHENE_CONFIG"

COMMANDS = (*KINDS, "see", "again")
"""The commands that may have defaults."""

EXAMPLE = """\
# Defaults and presets of phosphene, used by the command line.

# [defaults.dream]
# size = 1600
# target = "block11"

# [presets.dream.wild]
# about = "eyes everywhere"
# target = "block11"
# steps = 30
"""


@dataclass(frozen=True)
class Config:
    """Defaults by command, and presets by command and name; values are texts as on the command line, or flags."""

    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


def path() -> Path:
    """Return where the file is, or would be."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("phosphene", appauthor=False)) / "config.toml"


@cache
def read() -> Config:
    """Read the file; without one, there are no defaults and no presets.

    Raises:
        SettingError: for a file that is not TOML, or that names what does not exist.
    """
    file = path()
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingError(f"{file} cannot be read: {problem}", setting="config") from None
    _known("table", found, ("defaults", "presets"), file)
    defaults = {name: _texts(each) for name, each in _tables(found, "defaults", COMMANDS, file)}
    presets = {}
    for kind, several in _tables(found, "presets", tuple(KINDS), file):
        presets[kind] = {name: _texts(each) for name, each in _tables(found["presets"], kind, None, file)}
        for name in several:
            allowed = (*settings_of(KINDS[kind].recipe), "about")
            _known(f"setting in presets.{kind}.{name}", presets[kind][name], allowed, file)
    return Config(defaults, presets)


def _tables(found: Mapping[str, Any], name: str, allowed: tuple[str, ...] | None, file: Path) -> list[tuple[str, Any]]:
    tables = found.get(name, {})
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        raise SettingError(f"{file}: {name} must have tables, as in [{name}.dream]", setting="config")
    if allowed is not None:
        _known(f"command in {name}", tables, allowed, file)
    return list(tables.items())


def _known(what: str, given: Mapping[str, Any], allowed: tuple[str, ...], file: Path) -> None:
    for name in given:
        if name not in allowed:
            close = nearest(name, allowed)
            hint = f"; did you mean {close[0]!r}?" if close else f": use one of {', '.join(allowed)}"
            raise SettingError(f"{file} has an unknown {what}, {name!r}{hint}", setting="config", value=name)


def _texts(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("-", "_"): each if isinstance(each, bool) else str(each) for name, each in table.items()}


@click.command(cls=Command)
@click.option("--init", is_flag=True, help="Write an example of the file, if there is none.")
def config(init: bool) -> None:
    """Show where the file of your own defaults and presets is, and what it has.

    \b
      phosphene config
      phosphene config --init
      PHOSPHENE_CONFIG=./project.toml phosphene dream photo.jpg --preset wild

    Defaults are options of a command, presets settings under a name of your own. Options on the command line come
    first, then the preset, then the defaults.
    """
    file = path()
    if init and not file.exists():
        from phosphene.media import atomic

        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(file) as out:
            out.write(EXAMPLE.encode())
    found = read()
    click.echo(file if file.exists() else f"{file} (not there; --init writes an example)")
    for command, given in found.defaults.items():
        for name, value in given.items():
            click.echo(f"{command} --{name.replace('_', '-')} {value}")
    for kind, presets in found.presets.items():
        for name, given in presets.items():
            click.echo(f"{kind} --preset {name}: {given.get('about', '')}".rstrip(": "))
