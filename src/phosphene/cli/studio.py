"""`phosphene studio`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene.cli import options
from phosphene.cli.root import Command, keep_on_interrupt, printable

if TYPE_CHECKING:
    from phosphene.studio.server import Exhibit

CAMERA = "camera"
"""What is asked for to exhibit the camera's dream."""


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 for a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; any but this machine's own needs the token that is printed in the link.",
)
@click.option(
    "--folder",
    type=options.PATH,
    default=Path("phosphene-studio"),
    show_default=True,
    help="Where sources and results are kept; made if it is not there.",
)
@click.option(
    "--exhibit",
    metavar="RECIPE",
    help="Show one thing on a full screen: the film or picture of a recipe, in a file that phosphene made or a .json, "
    "or `camera` for the dream of the browser's camera.",
)
@click.option(
    "--diary",
    type=options.PATH,
    metavar="FOLDER",
    help="With --exhibit camera: dream on this folder's pictures while nobody is there.",
)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
def studio(port: int, host: str, folder: Path, exhibit: str | None, diary: Path | None, opens: bool) -> None:
    """Work in the browser: drop a photo, choose what to bring out, and watch it dream.

    \b
      phosphene studio --open
      phosphene studio --folder ~/Pictures/dreams --port 8000
      phosphene studio --exhibit trip.mp4 --open
      phosphene studio --exhibit camera --diary seen/

    Results are files in --folder that carry their recipes, like those of all commands. Jobs that are not finished when
    the studio ends, however it ends, go on when it is started again. Ctrl-C ends it.
    """
    from phosphene.studio import server

    if diary is not None and exhibit != CAMERA:
        raise click.UsageError("--diary is for --exhibit camera.")

    def started(address: server.Address) -> None:
        click.echo(printable(address.link))
        click.echo(printable(f"the studio is open; its folder is {address.folder}; Ctrl-C ends it"), err=True)
        if address.fingerprint is not None:
            click.echo(
                "browsers will warn once that nobody vouches for its certificate, which the studio made itself; its "
                f"SHA-256 is {address.fingerprint}",
                err=True,
            )
        if opens:
            webbrowser.open(address.link)

    keep_on_interrupt()
    server.serve(folder, host, port, started, _exhibit(exhibit, diary))


def _exhibit(what: str | None, diary: Path | None) -> Exhibit | None:
    from phosphene.errors import OutputError
    from phosphene.studio.server import Exhibit

    if what is None:
        return None
    if diary is not None and not diary.is_dir():
        raise OutputError(f"there is no folder {diary}", path=diary)
    if what == CAMERA:
        return Exhibit(None, None if diary is None else diary.resolve())
    return Exhibit(Path(what).resolve())
