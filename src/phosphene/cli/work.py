"""`phosphene work`: unfinished work, and how to be rid of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene.cli.nets import Group
from phosphene.cli.options import PATH
from phosphene.cli.root import Command, printable
from phosphene.cli.table import json_option, show
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from phosphene.media.unfinished import Unfinished


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def work(context: click.Context, as_json: bool) -> None:
    """List or remove unfinished work: what a stopped command continues from.

    Without a command, the list.
    """
    if context.invoked_subcommand is None:
        _list((), as_json)


@work.command("list", cls=Command)
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=PATH)
@json_option
def list_work(folders: tuple[Path, ...], as_json: bool) -> None:
    """List your unfinished work, newest first, and what more lies in each FOLDER.

    Each by the output that it is for: what is made, the share that is done, its size on the disk, when it was last
    kept, and whether it is running, can be continued (by the command that began it), or is stale: its output has
    been written since, it is of another version of phosphene, or nobody continued it for 30 days.
    """
    _list(folders, as_json)


@work.command(cls=Command)
@click.argument("outputs", metavar="[OUTPUT]...", nargs=-1, type=PATH)
@click.option("--all", "everything", is_flag=True, help="Remove what can be continued too.")
def clean(outputs: tuple[Path, ...], everything: bool) -> None:
    """Remove unfinished work: what is stale, or that of each OUTPUT.

    What is running is never removed.
    """
    from phosphene.media import unfinished

    if outputs and everything:
        raise click.UsageError("Give either OUTPUT or --all.")
    known = unfinished.find([Path()])
    chosen = [_named(each, known) for each in outputs]
    if not outputs:
        chosen = [each for each in known if (everything or each.stale) and not each.running]
    for each in chosen:
        unfinished.remove(each)
        click.echo(printable(f"removed {each.folder} ({megabytes(each.bytes)} MB)"))
    running = [] if outputs else [each for each in known if each.running]
    for each in running if everything else ():
        click.echo(printable(f"{each.output} is running, and stays"), err=True)


def _named(output: Path, known: list[Unfinished]) -> Unfinished:
    """Return the unfinished work of an output, which is named by itself or by its work folder."""
    from phosphene.media import unfinished

    folder = output if output.name.endswith(unfinished.SUFFIX) else output.with_name(output.name + unfinished.SUFFIX)
    found = unfinished.look_at(folder)
    if found is None:
        names = ", ".join(str(each.output) for each in known[:3])
        hint = f"; there is some for {names}" if names else ""
        raise OutputError(f"there is no unfinished work for {output}{hint}", path=output)
    return found


def _list(folders: tuple[Path, ...], as_json: bool) -> None:
    from phosphene.media import unfinished

    rows = [_row(each) for each in unfinished.find([Path(), *folders])]
    if not rows and not as_json:
        click.echo("no unfinished work", err=True)
        return
    show(rows, as_json)


def _row(each: Unfinished) -> dict[str, object]:
    about = [str(each.about[name]) for name in ("kind", "target") if each.about.get(name)]
    return {
        "output": str(each.output),
        "work": " ".join(about) or None,
        "done": None if each.progress is None else f"{each.progress:.0%}",
        "MB": megabytes(each.bytes),
        "kept": time.strftime("%Y-%m-%d %H:%M", time.localtime(each.changed)),
        "status": each.status,
    }


def megabytes(count: int) -> float:
    """Return bytes as megabytes, to a tenth below ten."""
    return round(count / 1e6) if count >= 10e6 else round(count / 1e6, 1)
