"""Writes what is generated: docs/cli.md, docs/api.md, the tables of docs/recipe.md, and src/phosphene/options.py.

They come from the commands' own help, from docstrings, and from the recipes' fields. scripts/docs runs it;
tests/test_docs.py fails where a file is not what it would write.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
from keywords import OPTIONS, options_module
from python_page import api_page

from phosphene import recipe as recipes
from phosphene.cli.root import COMMANDS, phosphene
from phosphene.kinds import KINDS
from phosphene.recipe import settings
from phosphene.recipe.presets import PRESETS

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 96


def cli_page() -> str:
    """docs/cli.md."""
    root = click.Context(phosphene, info_name="phosphene", terminal_width=WIDTH, **phosphene.context_settings)
    parts = [
        "# The command line",
        "Written by `scripts/docs` from the commands' own help.",
        "Every command exits with 0 when it has done its work, 1 with one line on stderr for a mistake (a file "
        "that is not a picture, an unknown name), 2 for wrong usage, and 130 after Ctrl-C. Sizes are WIDTHxHEIGHT.",
        _block(phosphene.get_help(root)),
    ]
    for name in COMMANDS:
        command = phosphene.get_command(root, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=root, terminal_width=WIDTH)
        parts += [f"## phosphene {name}", _block(command.get_help(context))]
        for below, own in getattr(command, "commands", {}).items():
            inner = click.Context(own, info_name=below, parent=context, terminal_width=WIDTH)
            parts += [f"### phosphene {name} {below}", _block(own.get_help(inner))]
    return "\n\n".join(parts) + "\n"


def recipe_page(page: str) -> str:
    """docs/recipe.md with its tables replaced, each between `<!-- name -->` and `<!-- end -->`."""
    tables = {name: _fields(kind.recipe) for name, kind in KINDS.items()}
    tables["presets"] = _presets()
    for name, table in tables.items():
        page, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda match, t=table: match[1] + t + match[2],
            page,
            flags=re.S,
        )
        assert count == 1, f"docs/recipe.md has one place for {name}"
    return page


def _block(text: str) -> str:
    return f"```\n{text.rstrip()}\n```"


def _fields(kind: type[recipes.BaseRecipe]) -> str:
    rows = ["| setting | what | range | default |", "|---|---|---|---|"]
    for name in recipes.settings_of(kind):
        field = kind.model_fields[name]
        default = recipes.default_of(kind, name)
        shown = "" if default is None else f"`{settings.write(default)}`"
        rows.append(f"| `{name}` | {field.description} | {settings.must_be(field)} | {shown} |")
    return "\n".join(rows) + "\n"


def _presets() -> str:
    rows = ["| of | preset | what it gives | settings |", "|---|---|---|---|"]
    for command, known in PRESETS.items():
        for name, preset in known.items():
            values = ", ".join(f"`{key}={value!r}`" for key, value in preset.settings.items())
            rows.append(f"| {command} | `{name}` | {preset.about[0].upper()}{preset.about[1:]} | {values} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write all of them."""
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
    (DOCS / "api.md").write_text(api_page(), encoding="utf-8")
    page = DOCS / "recipe.md"
    page.write_text(recipe_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    OPTIONS.write_text(options_module(), encoding="utf-8")


if __name__ == "__main__":
    main()
