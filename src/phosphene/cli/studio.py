"""`phosphene studio`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from phosphene.cli import options
from phosphene.cli.root import Command, keep_on_interrupt, printable


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
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
def studio(port: int, host: str, folder: Path, opens: bool) -> None:
    """Work in the browser: drop a photo, choose what to bring out, and watch it dream.

    \b
      phosphene studio --open
      phosphene studio --folder ~/Pictures/dreams --port 8000

    Results are files in --folder that carry their recipes, like those of all commands. Jobs that are not finished when
    the studio ends, however it ends, go on when it is started again. Ctrl-C ends it.
    """
    from phosphene.studio import server

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
    server.serve(folder, host, port, started)
